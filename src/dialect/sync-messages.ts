/**
 * What both dialects write after their own beginnings: sync, awareness and QueryAwareness messages, as y-protocols has
 * them (`sync.js`, `awareness.js`), and bodies with a length before them.
 */
import { Fault } from '../base/errors.ts'
import type { Reader } from '../base/reader.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Message } from './message.ts'

export const messageTypes = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3 } as const
export const syncSteps = { step1: 0, step2: 1, update: 2 } as const

/** Whether clients of every dialect send messages of this type. */
export function isBodyType(type: number): boolean {
  return type === messageTypes.sync || type === messageTypes.awareness || type === messageTypes.queryAwareness
}

/** The rest of a message of this type. Throws ERR_BAD_MESSAGE when no dialect has such a type, or the rest is none. */
export function readBody(type: number, reader: Reader): Message {
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

/** The prefix, each of the types (below 128, so a byte), then the payload with its length as `varUint` before it. */
export function withPayload(prefix: Uint8Array, types: readonly number[], payload: Uint8Array): Frame {
  const bytes: number[] = [...types]
  let length = payload.length
  while (length > 0x7f) {
    bytes.push((length % 128) | 0x80)
    length = Math.floor(length / 128)
  }
  bytes.push(length)
  return binaryFrame(Buffer.concat([prefix, Uint8Array.from(bytes)]), payload)
}
