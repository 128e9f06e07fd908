/**
 * The y-websocket dialect: `varUint type, body`, one message or several in a WebSocket message, the room in the URL's
 * path. Rules YW1–YW19 of PROTOCOL.md. Facts: y-protocols `sync.js` and `awareness.js`, y-websocket 1.5 to 3.1.
 */
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { faults } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Encoder, First, Message } from './message.ts'
import {
  acknowledgement,
  acknowledgementKinds,
  acknowledgementType,
  asked,
  isBodyType,
  messageTypes,
  readBody,
  syncSteps,
  withPayload
} from './sync-messages.ts'

/** `unknown`: of a type that applications use among themselves; nobody but they know where it ends. */
export type YWebsocketMessage =
  | Message
  | { readonly type: 'unknown' }
  /** Renews the grant, of a client that was asked for one. */
  | { readonly type: 'token'; readonly token: string }

/** An unknown message is all that there is. Throws ERR_BAD_MESSAGE when the bytes do not begin with a message. */
export function firstYWebsocket(bytes: Uint8Array): First<YWebsocketMessage> {
  const reader = new Reader(bytes)
  const type = reader.varUint()
  if (!isBodyType(type)) return { message: { type: 'unknown' }, length: bytes.length }
  const message = type === acknowledgementType ? readAsked(reader) : readBody(type, reader)
  return { message, length: reader.position }
}

function readAsked(reader: Reader): YWebsocketMessage {
  const kind = reader.varUint()
  return kind === acknowledgementKinds.token ? { type: 'token', token: reader.string() } : asked(kind)
}

const nothing = new Uint8Array(0)
const endMarker = binaryFrame(Uint8Array.of(messageTypes.sync, syncSteps.step2, 2, 0, 0), nothing)
const keepAlive = binaryFrame(Uint8Array.of(messageTypes.awareness, 1, 0), nothing)

function denied(reason: string): Frame {
  const encoder = createEncoder()
  writeVarUint(encoder, messageTypes.auth)
  writeVarUint(encoder, 0)
  writeVarString(encoder, reason)
  return binaryFrame(toUint8Array(encoder), nothing)
}

/** These clients have no other message that says no: they write it to the console. */
const refusals = {
  'read-only': denied('this connection may only read'),
  'old-copy': denied(faults.ERR_OLD_COPY.publicReason),
  malformed: null
} as const

/** What a session says beside what every dialect has. */
export type YWebsocketEncoder = Encoder & {
  /** Asks a client that wants acknowledgements for a token: its grant ends soon. */
  readonly tokenRequest: () => Frame
}

const tokenRequest = acknowledgement(nothing, acknowledgementKinds.tokenRequest, null)

/** One for all connections: nothing of this dialect's frames depends on the room. */
export const yWebsocketEncoder: YWebsocketEncoder = {
  key: 'y-websocket',
  syncStep1: stateVector => withPayload(nothing, [messageTypes.sync, syncSteps.step1], stateVector),
  update: update => withPayload(nothing, [messageTypes.sync, syncSteps.update], update),
  endMarker: () => endMarker,
  awareness: states => withPayload(nothing, [messageTypes.awareness], states),
  queryAwareness: () => null,
  keepAlive: () => keepAlive,
  denied,
  asksBack: false,
  acknowledged: count => acknowledgement(nothing, acknowledgementKinds.acknowledged, count),
  notTaken: number => acknowledgement(nothing, acknowledgementKinds.notTaken, number),
  tokenRequest: () => tokenRequest,
  saved: () => null,
  notSaved: why => refusals[why]
}
