/**
 * The y-websocket dialect: `varUint type, body`, one message per WebSocket message, the room in the URL's path.
 * Rules YW1–YW9 of PROTOCOL.md. Facts: y-protocols `sync.js` and `awareness.js`, y-websocket 1.5 to 3.1.
 */
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { Fault } from '../errors.ts'
import { Reader } from '../reader.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Encoder, Message } from './message.ts'

const messageTypes = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3 } as const
const syncSteps = { step1: 0, step2: 1, update: 2 } as const

/** One received WebSocket message as a Message. Throws ERR_BAD_MESSAGE when it is none, bytes left over included. */
export function decodeYWebsocket(frame: Uint8Array): Message {
  const reader = new Reader(frame)
  const message = readMessage(reader)
  reader.end()
  return message
}

function readMessage(reader: Reader): Message {
  const type = reader.varUint()
  switch (type) {
    case messageTypes.sync:
      return readSync(reader)
    case messageTypes.awareness:
      return { type: 'awareness', states: reader.byteArray() }
    case messageTypes.queryAwareness:
      return { type: 'query-awareness' }
    default:
      throw new Fault('ERR_BAD_MESSAGE', `message type ${type}`)
  }
}

function readSync(reader: Reader): Message {
  const step = reader.varUint()
  switch (step) {
    case syncSteps.step1:
      return { type: 'sync-step-1', stateVector: reader.byteArray() }
    case syncSteps.step2:
      return { type: 'sync-step-2', update: reader.byteArray() }
    case syncSteps.update:
      return { type: 'update', update: reader.byteArray() }
    default:
      throw new Fault('ERR_BAD_MESSAGE', `sync step ${step}`)
  }
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
  syncStep1: stateVector => withPayload([messageTypes.sync, syncSteps.step1], stateVector),
  update: update => withPayload([messageTypes.sync, syncSteps.update], update),
  endMarker: () => endMarker,
  awareness: states => withPayload([messageTypes.awareness], states),
  queryAwareness: () => null,
  keepAlive: () => keepAlive,
  denied,
  asksBack: false,
  saved: () => null,
  notSaved: why => (why === 'read-only' ? readOnly : null)
}

/** `varUint` each of the head, then the payload with its length before it. */
function withPayload(head: readonly number[], payload: Uint8Array): Frame {
  const bytes: number[] = [...head]
  let length = payload.length
  while (length > 0x7f) {
    bytes.push((length % 128) | 0x80)
    length = Math.floor(length / 128)
  }
  bytes.push(length)
  return binaryFrame(Uint8Array.from(bytes), payload)
}
