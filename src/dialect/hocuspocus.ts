/**
 * The Hocuspocus dialect: `varString address, varUint type, body`, many rooms on one socket, the room in each frame.
 * Rules HP1–HP16 of PROTOCOL.md. Facts: @hocuspocus/provider 2.15, 3.4 and 4.8.
 */
import { createEncoder, toUint8Array, writeVarString } from 'lib0/encoding'
import { Fault } from '../errors.ts'
import { Reader } from '../reader.ts'
import { readBody, messageTypes as sharedTypes, syncSteps, withPayload } from './body.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Encoder, Message } from './message.ts'

const messageTypes = {
  ...sharedTypes,
  stateless: 5,
  close: 7,
  syncStatus: 8,
  ping: 9,
  pong: 10
} as const
const authTypes = { token: 0, denied: 1, authenticated: 2 } as const

/** What a client may say to one room: what every dialect has, and what concerns the connection alone. */
export type HocuspocusMessage =
  | Message
  /** `version` is the provider's, which 4.x states and earlier ones do not. */
  | { readonly type: 'auth'; readonly token: string; readonly version: string | null }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'close' }

/** One received WebSocket message: for a room, or a bare Ping or Pong. */
export type HocuspocusFrame =
  | { readonly type: 'addressed'; readonly address: string; readonly message: HocuspocusMessage }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' }

/** Throws ERR_BAD_MESSAGE when the bytes are no frame of a client, bytes left over and an empty address included. */
export function decodeHocuspocus(frame: Uint8Array): HocuspocusFrame {
  if (frame.length === 1 && frame[0] === messageTypes.pong) return { type: 'pong' }
  if (frame.length === 1 && frame[0] === messageTypes.ping) return { type: 'ping' }
  const reader = new Reader(frame)
  const address = reader.string()
  if (address === '') throw new Fault('ERR_BAD_MESSAGE', 'an empty address')
  const message = readMessage(reader)
  reader.end()
  return { type: 'addressed', address, message }
}

/** `name 00 session`: what follows the first zero tells several providers of one document on one socket apart. */
export function documentOfAddress(address: string): string {
  const end = address.indexOf('\0')
  return end === -1 ? address : address.slice(0, end)
}

function readMessage(reader: Reader): HocuspocusMessage {
  const type = reader.varUint()
  switch (type) {
    case messageTypes.auth:
      return readAuth(reader)
    case messageTypes.stateless:
      return { type: 'stateless', payload: reader.string() }
    case messageTypes.close:
      return { type: 'close' }
    default:
      return readBody(type, reader)
  }
}

function readAuth(reader: Reader): HocuspocusMessage {
  const type = reader.varUint()
  if (type !== authTypes.token) throw new Fault('ERR_BAD_MESSAGE', `auth message ${type}`)
  const token = reader.string()
  return { type: 'auth', token, version: reader.isAtEnd ? null : reader.string() }
}

/** What a session says beside what every dialect has. */
export type HocuspocusEncoder = Encoder & {
  readonly authenticated: (access: 'read' | 'write') => Frame
  /** Asks for a token. 2.x ignores it, later ones send theirs anew. */
  readonly tokenRequest: () => Frame
  readonly stateless: (payload: string) => Frame
  /** Answers a client that has detached itself. */
  readonly closed: () => Frame
}

const nothing = new Uint8Array(0)
const emptyUpdate = Uint8Array.of(0, 0)

/** Answers a bare Ping. */
export const pongFrame: Frame = binaryFrame(Uint8Array.of(messageTypes.pong), nothing)

/** For a socket without a room: every provider counts it as a message and finds nobody of this address. */
export const nobodysFrame: Frame = binaryFrame(Uint8Array.of(0, messageTypes.syncStatus, 0), nothing)

/**
 * One per address: the frames of one serve every connection that uses the same. Providers look a frame up by the
 * whole address, so it is answered with the bytes that came.
 */
export function createHocuspocusEncoder(address: string): HocuspocusEncoder {
  const encoder = createEncoder()
  writeVarString(encoder, address)
  const prefix = toUint8Array(encoder)
  const saved = short(prefix, messageTypes.syncStatus, 1)
  const notSaved = short(prefix, messageTypes.syncStatus, 0)
  const queryAwareness = short(prefix, messageTypes.queryAwareness)
  return {
    key: `hocuspocus ${address}`,
    syncStep1: stateVector => withPayload(prefix, [messageTypes.sync, syncSteps.step1], stateVector),
    update: update => withPayload(prefix, [messageTypes.sync, syncSteps.update], update),
    endMarker: () => withPayload(prefix, [messageTypes.sync, syncSteps.step2], emptyUpdate),
    awareness: states => withPayload(prefix, [messageTypes.awareness], states),
    // 4.5 and later do not send back what they are sent.
    queryAwareness: () => queryAwareness,
    // Its counter of unsaved changes ignores it, and every version knows it; a bare Ping makes 2.x and 3.x throw.
    keepAlive: () => notSaved,
    denied: reason => withText(prefix, [messageTypes.auth, authTypes.denied], reason),
    asksBack: true,
    saved: () => saved,
    notSaved: () => notSaved,
    authenticated: access =>
      withText(
        prefix,
        [messageTypes.auth, authTypes.authenticated],
        access === 'write' ? 'read-write' : 'readonly'
      ),
    tokenRequest: () => short(prefix, messageTypes.auth, authTypes.token),
    stateless: payload => withText(prefix, [messageTypes.stateless], payload),
    closed: () => withText(prefix, [messageTypes.close], 'provider_initiated')
  }
}

function short(prefix: Uint8Array, ...numbers: readonly number[]): Frame {
  return binaryFrame(Buffer.concat([prefix, Uint8Array.from(numbers)]), nothing)
}

function withText(prefix: Uint8Array, head: readonly number[], text: string): Frame {
  return withPayload(prefix, head, Buffer.from(text))
}
