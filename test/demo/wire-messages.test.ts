// The wire view's decoder over what the real clients send: frames of both dialects, updates of Yjs, awareness.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider4'
import { afterEach, expect, test } from 'vitest'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { decodeFrame, type Frame } from '../../demo/src/wire/frame.ts'
import type { Dialect } from '../../demo/src/wire/tap.ts'

/** A socket that never leaves the process and keeps what it is given. */
class KeptSocket extends EventTarget {
  static last: KeptSocket
  readonly OPEN = 1
  readonly CLOSED = 3
  readyState = 1
  binaryType = ''
  readonly sent: Uint8Array[] = []
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onmessage: ((event: { data: Uint8Array }) => void) | null = null
  onerror: (() => void) | null = null

  constructor() {
    super()
    KeptSocket.last = this
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes)
  }

  close(): void {
    this.readyState = 3
  }

  frames(dialect: Dialect): Frame[] {
    return this.sent.map(bytes => decodeFrame(dialect, 'sent', bytes))
  }
}

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function yWebsocketClient() {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider('ws://nowhere', 'room', doc, {
    disableBc: true,
    WebSocketPolyfill: KeptSocket as unknown as typeof WebSocket
  })
  cleanups.push(() => provider.destroy())
  KeptSocket.last.onopen?.()
  return { doc, awareness: provider.awareness, socket: KeptSocket.last }
}

async function hocuspocusClient() {
  const doc = new Y.Doc()
  const socket = new HocuspocusProviderWebsocket({ url: 'ws://nowhere', WebSocketPolyfill: KeptSocket })
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name: 'room',
    document: doc,
    token: 'secret'
  })
  provider.attach()
  cleanups.push(() => {
    provider.destroy()
    socket.destroy()
  })
  const kept = KeptSocket.last
  const synced = new Promise<void>(resolve => provider.on('outgoingMessage', () => resolve()))
  kept.dispatchEvent(new Event('open'))
  await synced
  // The token is sent first; the rest follows in the same turn.
  await Promise.resolve()
  await Promise.resolve()
  return { doc, awareness: provider.awareness, socket: kept }
}

test('a y-websocket client’s greeting and edit are told apart', () => {
  const { doc, awareness, socket } = yWebsocketClient()
  awareness.setLocalStateField('user', { name: 'Ada' })

  doc.getText('text').insert(0, 'hel')

  const messages = socket.frames('y-websocket').map(({ message }) => message)
  expect(messages.map(({ kind }) => kind)).toEqual(['SyncStep1', 'Awareness', 'Awareness', 'Update'])
  expect(messages[0]).toEqual({ kind: 'SyncStep1', stateVector: new Map() })
  expect(messages[2]).toMatchObject({
    entries: [{ clientID: doc.clientID, state: { user: { name: 'Ada' } } }]
  })
})

test('a Hocuspocus provider’s frames name their room, and the token is not shown', async () => {
  const { doc, socket } = await hocuspocusClient()

  doc.getText('text').insert(0, 'hel')

  const frames = socket.frames('Hocuspocus')
  expect(frames.map(({ message }) => message.kind)).toEqual(['Auth', 'SyncStep1', 'Awareness', 'Update'])
  expect(new Set(frames.map(({ address }) => address))).toEqual(new Set(['room']))
  expect(frames[0]?.message).toEqual({ kind: 'Auth', words: 'a token of 6 characters, provider 4.8.0' })
  expect(JSON.stringify(frames.map(({ message }) => message))).not.toContain('secret')
})

test.each([
  ['04646f633102020a726561642d7772697465', { kind: 'Auth', words: 'let in: read-write' }],
  [
    '04646f63310201117065726d697373696f6e2d64656e696564',
    { kind: 'Auth', words: 'access denied: permission-denied' }
  ],
  ['04646f63310801', { kind: 'SyncStatus', isSaved: true }],
  ['04646f63310800', { kind: 'SyncStatus', isSaved: false }],
  ['04646f633105026869', { kind: 'Stateless', payload: 'hi' }],
  ['04646f63310712', { kind: 'Unreadable' }],
  ['09', { kind: 'Ping' }],
  ['0a', { kind: 'Pong' }]
] as const)('a Hocuspocus server’s %s is read', (hex, message) => {
  expect(decodeFrame('Hocuspocus', 'received', fromHex(hex)).message).toMatchObject(message)
})

test.each(['', '00', '0001', '63', '0007010203', '01ff'])(
  '"%s" is called unreadable instead of thrown',
  hex => {
    expect(decodeFrame('y-websocket', 'received', fromHex(hex)).message.kind).toBe('Unreadable')
  }
)

test('a y-websocket server’s refusal is read', () => {
  expect(decodeFrame('y-websocket', 'received', fromHex('0200026e6f')).message).toEqual({
    kind: 'Auth',
    words: 'access denied: no'
  })
})
