/**
 * The Hocuspocus dialect: `varString routingKey, varUint type, body`, many rooms on one socket, the room in each frame.
 * Rules HP1–HP16 of PROTOCOL.md. Facts: @hocuspocus/provider 2.15, 3.4 and 4.8.
 */
import { createEncoder, toUint8Array, writeVarString } from 'lib0/encoding'
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Encoder, First, Message } from './message.ts'
import {
  acknowledgement,
  acknowledgementKinds,
  readBody,
  messageTypes as sharedTypes,
  syncSteps,
  withPayload
} from './sync-messages.ts'

const messageTypes = {
  ...sharedTypes,
  stateless: 5,
  close: 7,
  syncStatus: 8,
  ping: 9,
  pong: 10
} as const
const versionForm = /^\d+\.\d+\.\d/
const authTypes = { token: 0, denied: 1, authenticated: 2 } as const

/** What a client may say to one room: what every dialect has, and what concerns the connection alone. */
export type HocuspocusMessage =
  | Message
  /** `version` is the provider's, which 4.x states and earlier ones do not. */
  | { readonly type: 'auth'; readonly token: string; readonly version: string | null }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'close' }

export type RoutedMessage = {
  readonly type: 'routed'
  readonly routingKey: string
  readonly message: HocuspocusMessage
}

/** One message: for a room, or a bare Ping or Pong. */
export type HocuspocusFrame = RoutedMessage | { readonly type: 'ping' } | { readonly type: 'pong' }

/**
 * One byte alone is a Ping or a Pong: no message with a routing key is that short. Throws ERR_BAD_MESSAGE when the bytes do
 * not begin with a message of a client. An empty key is one: whoever owns it decides that it names nothing.
 */
export function firstHocuspocus(bytes: Uint8Array): First<HocuspocusFrame> {
  if (bytes.length === 1 && bytes[0] === messageTypes.pong) return { message: { type: 'pong' }, length: 1 }
  if (bytes.length === 1 && bytes[0] === messageTypes.ping) return { message: { type: 'ping' }, length: 1 }
  const reader = new Reader(bytes)
  const routingKey = reader.string()
  const message = readMessage(reader)
  return { message: { type: 'routed', routingKey, message }, length: reader.position }
}

/** `name 00 session`: what follows the first zero tells several providers of one document on one socket apart. */
export function documentOfKey(routingKey: string): string {
  const end = routingKey.indexOf('\0')
  return end === -1 ? routingKey : routingKey.slice(0, end)
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
  // Earlier providers state none, and what follows then is the routing key of another message.
  return { type: 'auth', token, version: reader.isAtEnd ? null : reader.stringIf(versionForm) }
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

/** For a socket without a room: every provider counts it as a message and finds nobody of this key. */
export const nobodysFrame: Frame = binaryFrame(Uint8Array.of(0, messageTypes.syncStatus, 0), nothing)

/**
 * One per routing key: the frames of one serve every connection that uses the same. Providers look a frame up by the
 * whole key, so it is answered with the bytes that came.
 */
export function createHocuspocusEncoder(routingKey: string): HocuspocusEncoder {
  const encoder = createEncoder()
  writeVarString(encoder, routingKey)
  const prefix = toUint8Array(encoder)
  const saved = short(prefix, messageTypes.syncStatus, 1)
  const notSaved = short(prefix, messageTypes.syncStatus, 0)
  const queryAwareness = short(prefix, messageTypes.queryAwareness)
  return {
    key: `hocuspocus ${routingKey}`,
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
    acknowledged: count => acknowledgement(prefix, acknowledgementKinds.acknowledged, count),
    notTaken: number => acknowledgement(prefix, acknowledgementKinds.notTaken, number),
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
