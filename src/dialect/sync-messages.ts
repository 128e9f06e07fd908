/**
 * What both dialects write after their own beginnings: sync, awareness and QueryAwareness messages, as y-protocols has
 * them (`sync.js`, `awareness.js`), and bodies with a length before them.
 */
import { Fault } from '../base/errors.ts'
import type { Reader } from '../base/reader.ts'
import { binaryFrame, type Frame } from './frame.ts'
import type { Message } from './message.ts'

export const messageTypes = { sync: 0, awareness: 1, auth: 2, queryAwareness: 3 } as const
/**
 * Acknowledgements, in both dialects (AK1–AK6 of PROTOCOL.md). Two bytes, so that it is none of the small numbers that
 * applications choose for messages of their own.
 */
export const acknowledgementType = 1_123
const acknowledgementHead = Uint8Array.of(0xe3, 0x08)
export const acknowledgementKinds = {
  ask: 0,
  token: 1,
  acknowledged: 0,
  notTaken: 1,
  tokenRequest: 2
} as const

export const syncSteps = { step1: 0, step2: 1, update: 2 } as const

/** Whether clients of every dialect send messages of this type. */
export function isBodyType(type: number): boolean {
  return (
    type === messageTypes.sync ||
    type === messageTypes.awareness ||
    type === messageTypes.queryAwareness ||
    type === acknowledgementType
  )
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
    case acknowledgementType:
      return asked(reader.varUint())
    default:
      throw new Fault('ERR_BAD_MESSAGE', `message type ${type}`)
  }
}

/** The kind of a client's message about acknowledgements that every dialect has. Throws ERR_BAD_MESSAGE. */
export function asked(kind: number): Message {
  if (kind === acknowledgementKinds.ask) return { type: 'ask-acknowledgements' }
  throw new Fault('ERR_BAD_MESSAGE', `acknowledgement message ${kind}`)
}

/** A server's message about acknowledgements. `number` only where the kind has one. */
export function acknowledgement(prefix: Uint8Array, kind: number, number: number | null): Frame {
  const bytes = number === null ? [kind] : [kind, ...varUint(number)]
  return binaryFrame(Buffer.concat([prefix, acknowledgementHead, Uint8Array.from(bytes)]), nothing)
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
  const head = Uint8Array.from([...types, ...varUint(payload.length)])
  return binaryFrame(Buffer.concat([prefix, head]), payload)
}

function varUint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return bytes
}

const nothing = new Uint8Array(0)
