// What one message of either dialect says: bytes in, a typed message out (PROTOCOL.md has the formats). It knows
// nothing of documents and of the page.
import * as decoding from 'lib0/decoding'
import type { Dialect } from './tap.ts'

export type AwarenessEntry = {
  readonly clientID: number
  readonly clock: number
  /** `null`: gone. */
  readonly state: Readonly<Record<string, unknown>> | null
}

export type WireMessage =
  | { readonly kind: 'SyncStep1'; readonly stateVector: ReadonlyMap<number, number> }
  | { readonly kind: 'SyncStep2' | 'Update'; readonly update: Uint8Array }
  | { readonly kind: 'Awareness'; readonly entries: readonly AwarenessEntry[] }
  | { readonly kind: 'QueryAwareness' }
  /** Words instead of the content: a token is nobody's to read. */
  | { readonly kind: 'Auth'; readonly words: string }
  | { readonly kind: 'Stateless'; readonly payload: string }
  | { readonly kind: 'Close'; readonly reason: string }
  | { readonly kind: 'SyncStatus'; readonly isSaved: boolean }
  | { readonly kind: 'Ping' | 'Pong' }
  | { readonly kind: 'Unreadable'; readonly reason: string }

export type Frame = {
  readonly message: WireMessage
  /** The room as the frame names it; y-websocket names it in the URL instead. */
  readonly address: string | null
}

export type Direction = 'sent' | 'received'

/** Decodes one WebSocket message; what is none becomes `Unreadable`, it never throws. */
export function decodeFrame(dialect: Dialect, direction: Direction, bytes: Uint8Array): Frame {
  const decoder = decoding.createDecoder(bytes)
  try {
    if (dialect === 'y-websocket') return { message: readMessage(decoder, direction, dialect), address: null }
    // The two messages that name no room are a single byte each.
    if (bytes.length === 1) return { message: readKeepAlive(bytes[0]), address: null }
    const address = decoding.readVarString(decoder)
    return { message: readMessage(decoder, direction, dialect), address }
  } catch (error) {
    return { message: { kind: 'Unreadable', reason: String(error) }, address: null }
  }
}

function readKeepAlive(byte: number | undefined): WireMessage {
  if (byte === 9) return { kind: 'Ping' }
  if (byte === 10) return { kind: 'Pong' }
  return { kind: 'Unreadable', reason: `a single byte ${byte}` }
}

function readMessage(decoder: decoding.Decoder, direction: Direction, dialect: Dialect): WireMessage {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case 0:
      return readSync(decoder)
    case 1:
      return { kind: 'Awareness', entries: readAwareness(decoding.readVarUint8Array(decoder)) }
    case 2:
      return { kind: 'Auth', words: readAuth(decoder, direction, dialect) }
    case 3:
      return { kind: 'QueryAwareness' }
    case 5:
      return { kind: 'Stateless', payload: decoding.readVarString(decoder) }
    case 7:
      return { kind: 'Close', reason: decoding.hasContent(decoder) ? decoding.readVarString(decoder) : '' }
    case 8:
      return { kind: 'SyncStatus', isSaved: decoding.readVarUint(decoder) === 1 }
    default:
      return { kind: 'Unreadable', reason: `message type ${type}` }
  }
}

function readSync(decoder: decoding.Decoder): WireMessage {
  const step = decoding.readVarUint(decoder)
  const payload = decoding.readVarUint8Array(decoder)
  if (step === 0) return { kind: 'SyncStep1', stateVector: readStateVector(payload) }
  if (step === 1) return { kind: 'SyncStep2', update: payload }
  if (step === 2) return { kind: 'Update', update: payload }
  return { kind: 'Unreadable', reason: `sync step ${step}` }
}

function readStateVector(bytes: Uint8Array): ReadonlyMap<number, number> {
  const decoder = decoding.createDecoder(bytes)
  const clocks = new Map<number, number>()
  const count = decoding.readVarUint(decoder)
  for (let index = 0; index < count; index++) {
    clocks.set(decoding.readVarUint(decoder), decoding.readVarUint(decoder))
  }
  return clocks
}

function readAwareness(bytes: Uint8Array): readonly AwarenessEntry[] {
  const decoder = decoding.createDecoder(bytes)
  const entries: AwarenessEntry[] = []
  const count = decoding.readVarUint(decoder)
  for (let index = 0; index < count; index++) {
    const clientID = decoding.readVarUint(decoder)
    const clock = decoding.readVarUint(decoder)
    const state: unknown = JSON.parse(decoding.readVarString(decoder))
    entries.push({ clientID, clock, state: isRecord(state) ? state : null })
  }
  return entries
}

function readAuth(decoder: decoding.Decoder, direction: Direction, dialect: Dialect): string {
  const step = decoding.readVarUint(decoder)
  if (dialect === 'y-websocket') return `access denied: ${decoding.readVarString(decoder)}`
  if (direction === 'sent') {
    const { length } = decoding.readVarString(decoder)
    const version = decoding.hasContent(decoder) ? `, provider ${decoding.readVarString(decoder)}` : ''
    return `${length === 0 ? 'an empty token' : `a token of ${length} characters`}${version}`
  }
  if (step === 0) return 'asks for a token'
  const text = decoding.readVarString(decoder)
  return step === 1 ? `access denied: ${text}` : `let in: ${text}`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
