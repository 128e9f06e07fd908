// People who are not there: each with a connection and a document of its own, typing and moving a cursor. They read
// nothing of what the others do, so that two hundred of them cost a test little more than their sockets.
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocket } from 'ws'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as sync from 'y-protocols/sync'
import * as Y from 'yjs'

export type Bots = {
  /** How many edits they have made so far. */
  edits(): number
  /** How many were cut off by the server. */
  lost(): number
  stop(): Promise<void>
}

type BotOptions = {
  readonly url: string
  readonly room: string
  readonly count: number
  readonly editsPerSecond: number
}

const messageSync = 0
const messageAwareness = 1
const colors = ['#d6336c', '#1971c2', '#c9430c', '#26803a', '#7950f2', '#0c7f93']

/** Lets `count` bots join a room; resolves when all are in. They type until they are stopped. */
export async function startBots({ url, room, count, editsPerSecond }: BotOptions): Promise<Bots> {
  const address = `${url.replace(/^http/, 'ws')}/${room}`
  const bots = await Promise.all(Array.from({ length: count }, (_, index) => join(address, index)))
  let edits = 0
  let turn = 0
  const timer = setInterval(() => {
    bots[turn % bots.length]?.type()
    turn += 1
    edits += 1
  }, 1000 / editsPerSecond)
  return {
    edits: () => edits,
    lost: () => bots.filter(({ socket }) => socket.readyState !== WebSocket.OPEN).length,
    async stop() {
      clearInterval(timer)
      await Promise.all(bots.map(bot => bot.leave()))
    }
  }
}

type Bot = { readonly socket: WebSocket; type(): void; leave(): Promise<void> }

async function join(address: string, index: number): Promise<Bot> {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const socket = new WebSocket(address)
  const text = doc.getText('text')
  let isIn = false
  const joined = new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => send(socket, messageSync, encoder => sync.writeSyncStep1(encoder, doc)))
    socket.on('message', (bytes: Buffer) => {
      // Once in, a bot writes at the end of what it knows, and looks at nothing.
      if (isIn || bytes[0] !== messageSync) return
      const decoder = decoding.createDecoder(bytes)
      decoding.readVarUint(decoder)
      const answer = encoding.createEncoder()
      encoding.writeVarUint(answer, messageSync)
      const step = sync.readSyncMessage(decoder, answer, doc, 'server')
      if (encoding.length(answer) > 1) socket.send(encoding.toUint8Array(answer))
      if (step !== sync.messageYjsSyncStep2) return
      isIn = true
      resolve()
    })
  })
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== 'server') send(socket, messageSync, encoder => sync.writeUpdate(encoder, update))
  })
  awareness.on('update', () => {
    if (socket.readyState !== WebSocket.OPEN) return
    const state = encodeAwarenessUpdate(awareness, [doc.clientID])
    send(socket, messageAwareness, encoder => encoding.writeVarUint8Array(encoder, state))
  })
  await joined
  const color = colors[index % colors.length] ?? '#1971c2'
  awareness.setLocalState({ user: { name: `Bot ${index + 1}`, color, colorLight: `${color}33` } })
  let at = text.length
  return {
    socket,
    type() {
      // A word and then a line now and then, as people do.
      const key = at % 31 === 0 ? '\n' : at % 6 === 0 ? ' ' : 'etaoinshr'.charAt(at % 9)
      text.insert(at, key)
      at += 1
      const position = Y.createRelativePositionFromTypeIndex(text, at)
      awareness.setLocalStateField('cursor', { anchor: position, head: position })
    },
    async leave() {
      awareness.destroy()
      const closed = new Promise(resolve => socket.once('close', resolve))
      if (socket.readyState === WebSocket.CLOSED) return
      socket.close()
      await closed
    }
  }
}

function send(socket: WebSocket, type: number, write: (encoder: encoding.Encoder) => void): void {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, type)
  write(encoder)
  socket.send(encoding.toUint8Array(encoder))
}
