/** A bare WebSocket that speaks y-websocket by hand: what it was sent stays to be looked at, and so does its end. */
import type { Socket } from 'node:net'
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarString, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import { onTestFinished } from 'vitest'
import WebSocket from 'ws'
import { until } from './clients.ts'

/** A frame of the server, taken apart by y-protocols' own reader functions. */
export type Received =
  | { readonly type: 'sync-step-1'; readonly payload: Uint8Array }
  | { readonly type: 'sync-step-2'; readonly payload: Uint8Array }
  | { readonly type: 'update'; readonly payload: Uint8Array }
  | { readonly type: 'awareness'; readonly entries: readonly Entry[] }
  | { readonly type: 'other'; readonly payload: Uint8Array }

/** `state` is the JSON as text. */
export type Entry = { readonly clientID: number; readonly clock: number; readonly state: string }

export type Raw = {
  readonly socket: WebSocket
  /** Every frame received so far. */
  readonly frames: readonly Buffer[]
  /** The close code, or null while it is open. */
  readonly closeCode: () => number | null
  readonly received: () => readonly Received[]
  send(...frames: readonly Uint8Array[]): void
  /** Sends SyncStep1 (of an empty document) and resolves when as many end markers have come as were asked for. */
  ask(stateVector?: Uint8Array): Promise<void>
  /** Resolves to the close code. */
  closed(): Promise<number>
  /** Everything about awareness that was received, latest last. */
  entriesOf(clientID: number): readonly Entry[]
}

export type RawOptions = {
  readonly url: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly protocols?: readonly string[]
}

/** An open connection to `path` (as it stands in the URL, already escaped) of the server. Destroyed after the test. */
export async function openRaw(options: RawOptions): Promise<Raw> {
  const raw = createRaw(options)
  await new Promise<void>((resolve, reject) => {
    raw.socket.once('open', resolve)
    raw.socket.once('error', reject)
  })
  return raw
}

/** The same, before it is open. */
export function createRaw({ url, path, headers = {}, protocols = [] }: RawOptions): Raw {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/${path}`, [...protocols], { headers })
  onTestFinished(() => socket.terminate())
  const frames: Buffer[] = []
  let code: number | null = null
  let asked = 0
  socket.on('message', (data: Buffer) => frames.push(data))
  socket.on('close', closeCode => {
    code = closeCode
  })
  // An abrupt end shows in the close code.
  socket.on('error', () => {})
  const received = () => frames.map(takeApart)
  return {
    socket,
    frames,
    received,
    closeCode: () => code,
    send: (...sent) => {
      for (const frame of sent) socket.send(frame)
    },
    ask: async stateVector => {
      asked++
      const wanted = asked
      socket.send(syncStep1(stateVector ?? Uint8Array.of(0)))
      const reached = () => frames.filter(isEndMarker).length >= wanted
      await until(() => reached() || code !== null, 'the end marker', 60_000)
      if (!reached()) throw new Error(`closed with ${code} before the end marker`)
    },
    closed: async () => {
      await until(() => code !== null, 'the connection to be closed', 60_000)
      return code as number
    },
    entriesOf: clientID =>
      received().flatMap(each =>
        each.type === 'awareness' ? each.entries.filter(entry => entry.clientID === clientID) : []
      )
  }
}

export function isEndMarker(frame: Uint8Array): boolean {
  return Buffer.from(frame).equals(Buffer.from([0, 1, 2, 0, 0]))
}

export function syncStep1(stateVector: Uint8Array): Uint8Array {
  return withPayload([0, 0], stateVector)
}

export function syncStep2(update: Uint8Array): Uint8Array {
  return withPayload([0, 1], update)
}

export function updateFrame(update: Uint8Array): Uint8Array {
  return withPayload([0, 2], update)
}

export const queryAwareness = Uint8Array.of(3)

export function awarenessFrame(...entries: readonly Entry[]): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, entries.length)
  for (const { clientID, clock, state } of entries) {
    writeVarUint(encoder, clientID)
    writeVarUint(encoder, clock)
    writeVarString(encoder, state)
  }
  return withPayload([1], toUint8Array(encoder))
}

export function withPayload(head: readonly number[], payload: Uint8Array): Uint8Array {
  const encoder = createEncoder()
  for (const number of head) writeVarUint(encoder, number)
  writeVarUint8Array(encoder, payload)
  return toUint8Array(encoder)
}

export function takeApart(frame: Uint8Array): Received {
  const decoder = createDecoder(frame)
  const type = readVarUint(decoder)
  if (type === 0) {
    const step = readVarUint(decoder)
    const payload = readVarUint8Array(decoder)
    const name = (['sync-step-1', 'sync-step-2', 'update'] as const)[step]
    return name === undefined ? { type: 'other', payload: frame } : { type: name, payload }
  }
  if (type !== 1) return { type: 'other', payload: frame }
  const body = createDecoder(readVarUint8Array(decoder))
  const entries = Array.from({ length: readVarUint(body) }, () => ({
    clientID: readVarUint(body),
    clock: readVarUint(body),
    state: readVarString(body)
  }))
  return { type: 'awareness', entries }
}

/** What a document updated by all of the received sync frames would be: the payloads to apply, in order. */
export function updatesOf(raw: Raw): Uint8Array[] {
  return raw
    .received()
    .flatMap(each => (each.type === 'update' || each.type === 'sync-step-2' ? [each.payload] : []))
}

/** What `write` sends leaves together. */
export function inOnePacket({ socket }: Raw, write: () => void): void {
  const { _socket: stream } = socket as unknown as { _socket: Socket }
  stream.cork()
  write()
  stream.uncork()
}
