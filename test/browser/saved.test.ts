// The saved state of a demo pane, against a socket driven by hand: what may be called saved, and when.
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as sync from 'y-protocols/sync'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { followSaving } from '../../demo/src/saved.ts'

type Frame = { readonly type: number; readonly step: number }

const stepOne = { type: 0, step: 0 }
const stepTwo = { type: 0, step: 1 }
const update = { type: 0, step: 2 }

/** The four members of a WebSocket that y-websocket uses, the far end being the test. */
class HandSocket {
  readonly OPEN = 1
  readyState = 0
  binaryType = ''
  readonly sent: Frame[] = []
  onopen: (() => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  onmessage: ((event: { data: Uint8Array }) => void) | null = null
  onerror: (() => void) | null = null

  send(bytes: Uint8Array): void {
    const decoder = decoding.createDecoder(bytes)
    const type = decoding.readVarUint(decoder)
    if (type === 0) this.sent.push({ type, step: decoding.readVarUint(decoder) })
  }

  close(): void {
    this.readyState = 3
  }

  open(): void {
    this.readyState = 1
    this.onopen?.()
  }

  drop(): void {
    this.readyState = 3
    this.onclose?.({ code: 1006 })
  }

  async receive(write: (encoder: encoding.Encoder) => void): Promise<void> {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 0)
    write(encoder)
    this.onmessage?.({ data: encoding.toUint8Array(encoder) })
    await Promise.resolve()
  }

  receiveStepOne(): Promise<void> {
    return this.receive(encoder => sync.writeSyncStep1(encoder, new Y.Doc()))
  }

  receiveStepTwo(): Promise<void> {
    return this.receive(encoder => sync.writeSyncStep2(encoder, new Y.Doc()))
  }
}

let sockets: HandSocket[] = []
let provider: WebsocketProvider

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance']
  })
  sockets = []
})

afterEach(() => {
  provider.destroy()
  provider.awareness.destroy()
  vi.useRealTimers()
})

function createPane() {
  const Socket = class extends HandSocket {
    constructor() {
      super()
      sockets.push(this)
    }
  }
  const doc = new Y.Doc()
  const options = {
    connect: false,
    disableBc: true,
    WebSocketPolyfill: Socket as unknown as typeof WebSocket
  }
  provider = new WebsocketProvider('ws://pane', 'room', doc, options)
  const saving = followSaving(provider)
  provider.connect()
  return { saving, write: () => doc.getText('text').insert(0, 'a') }
}

function newestSocket(): HandSocket {
  const socket = sockets.at(-1)
  if (socket === undefined) throw new Error('no socket was opened')
  return socket
}

/** Opens the newest socket and goes through the handshake as the server does it. */
async function joinRoom(): Promise<HandSocket> {
  const socket = newestSocket()
  socket.open()
  await socket.receiveStepOne()
  await socket.receiveStepTwo()
  return socket
}

test('without edits there is nothing to save, and no barrier is sent', async () => {
  const { saving } = createPane()

  const socket = await joinRoom()
  vi.advanceTimersByTime(2000)

  expect(saving.value).toEqual({ phase: 'current' })
  expect(socket.sent).toEqual([stepOne, stepTwo])
})

test('an edit is saved when the barrier after it is answered, with the time that took', async () => {
  const { saving, write } = createPane()
  const socket = await joinRoom()

  write()
  expect(saving.value).toEqual({ phase: 'saving', unsavedEdits: 1 })
  vi.advanceTimersByTime(150)
  expect(socket.sent.slice(2)).toEqual([update, stepOne])
  vi.advanceTimersByTime(12)
  await socket.receiveStepTwo()

  expect(saving.value).toEqual({ phase: 'saved', roundTripMs: 12 })
})

test('an answer says nothing of edits made after its barrier was sent', async () => {
  const { saving, write } = createPane()
  const socket = await joinRoom()
  write()
  vi.advanceTimersByTime(150)

  write()
  await socket.receiveStepTwo()

  expect(saving.value).toEqual({ phase: 'saving', unsavedEdits: 1 })
  vi.advanceTimersByTime(150)
  await socket.receiveStepTwo()
  expect(saving.value.phase).toBe('saved')
})

test('the answer to the handshake saves nothing, and offline edits wait until the server has asked for them', async () => {
  const { saving, write } = createPane()
  write()
  write()
  expect(saving.value).toEqual({ phase: 'offline', unsavedEdits: 2 })

  const socket = newestSocket()
  socket.open()
  await socket.receiveStepTwo()
  vi.advanceTimersByTime(2000)
  expect(saving.value).toEqual({ phase: 'offline', unsavedEdits: 2 })
  expect(socket.sent).toEqual([stepOne])

  await socket.receiveStepOne()
  expect(socket.sent).toEqual([stepOne, stepTwo, stepOne])
  expect(saving.value).toEqual({ phase: 'saving', unsavedEdits: 2 })
  await socket.receiveStepTwo()
  expect(saving.value.phase).toBe('saved')
})

test('a barrier that died with its connection is not answered by the next handshake', async () => {
  const { saving, write } = createPane()
  const lost = await joinRoom()
  write()
  vi.advanceTimersByTime(150)
  lost.drop()
  expect(saving.value).toEqual({ phase: 'offline', unsavedEdits: 1 })

  vi.advanceTimersByTime(2500)
  const socket = await joinRoom()

  expect(saving.value).toEqual({ phase: 'saving', unsavedEdits: 1 })
  expect(socket.sent).toEqual([stepOne, stepTwo, stepOne])
  await socket.receiveStepTwo()
  expect(saving.value.phase).toBe('saved')
})

test('one barrier is under way at a time', async () => {
  const { write } = createPane()
  const socket = await joinRoom()

  for (let round = 0; round < 5; round++) {
    write()
    vi.advanceTimersByTime(150)
  }

  expect(socket.sent.slice(2).filter(({ step }) => step === 0)).toHaveLength(1)
})

test('who types without a pause is saved within a second all the same', async () => {
  const { saving, write } = createPane()
  const socket = await joinRoom()

  for (let elapsedMs = 0; elapsedMs < 1000; elapsedMs += 50) {
    write()
    vi.advanceTimersByTime(50)
  }
  await socket.receiveStepTwo()

  expect(socket.sent.at(-1)).toEqual(stepOne)
  expect(saving.value.phase).toBe('saved')
})
