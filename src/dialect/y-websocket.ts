/**
 * The y-websocket dialect: `varUint type, body`, one message per WebSocket message, the room in the URL's path.
 * Rules YW1–YW9 of PROTOCOL.md. Facts: y-protocols `sync.js` and `awareness.js`, y-websocket 1.5 to 3.1.
 */
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { Reader } from '../reader.ts'
import { messageTypes, readBody, syncSteps, withPayload } from './body.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Encoder, Message } from './message.ts'

/** One received WebSocket message as a Message. Throws ERR_BAD_MESSAGE when it is none, bytes left over included. */
export function decodeYWebsocket(frame: Uint8Array): Message {
  const reader = new Reader(frame)
  const message = readBody(reader.varUint(), reader)
  reader.end()
  return message
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
const readOnly = denied('this connection may only read')

/** One for all connections: nothing of this dialect's frames depends on the room. */
export const yWebsocketEncoder: Encoder = {
  key: 'y-websocket',
  syncStep1: stateVector => withPayload(nothing, [messageTypes.sync, syncSteps.step1], stateVector),
  update: update => withPayload(nothing, [messageTypes.sync, syncSteps.update], update),
  endMarker: () => endMarker,
  awareness: states => withPayload(nothing, [messageTypes.awareness], states),
  queryAwareness: () => null,
  keepAlive: () => keepAlive,
  denied,
  asksBack: false,
  saved: () => null,
  notSaved: why => (why === 'read-only' ? readOnly : null)
}
