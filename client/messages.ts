/** The bytes of the messages: those of y-protocols, and those about acknowledgements (PROTOCOL.md, AK1 to AK7). */
import { createDecoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import {
  createEncoder,
  type Encoder,
  toUint8Array,
  writeVarString,
  writeVarUint,
  writeVarUint8Array
} from 'lib0/encoding'

export const messageTypes = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  acknowledgement: 1_123
} as const
const syncSteps = { step1: 0, step2: 1, update: 2 } as const
const acknowledgementKinds = { ask: 0, token: 1, acknowledged: 0, notTaken: 1, tokenRequest: 2 } as const

/** What a server says. Bytes are views of the message. */
export type ServerMessage =
  | { readonly type: 'sync-step-1'; readonly stateVector: Uint8Array }
  | { readonly type: 'sync-step-2' | 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly states: Uint8Array }
  | { readonly type: 'query-awareness' }
  | { readonly type: 'acknowledged'; readonly count: number }
  | { readonly type: 'not-taken'; readonly number: number }
  | { readonly type: 'token-request' }
  /** Of y-websocket servers: why something is refused. */
  | { readonly type: 'denied'; readonly reason: string }
  | { readonly type: 'unknown' }

/** Throws when the bytes are no message. What follows the first message is another one's, and not read. */
export function readMessage(bytes: Uint8Array): ServerMessage {
  const decoder = createDecoder(bytes)
  switch (readVarUint(decoder)) {
    case messageTypes.sync: {
      const step = readVarUint(decoder)
      const payload = readVarUint8Array(decoder)
      if (step === syncSteps.step1) return { type: 'sync-step-1', stateVector: payload }
      return { type: step === syncSteps.step2 ? 'sync-step-2' : 'update', update: payload }
    }
    case messageTypes.awareness:
      return { type: 'awareness', states: readVarUint8Array(decoder) }
    case messageTypes.queryAwareness:
      return { type: 'query-awareness' }
    case messageTypes.auth:
      return readVarUint(decoder) === 0
        ? { type: 'denied', reason: readVarString(decoder) }
        : { type: 'unknown' }
    case messageTypes.acknowledgement: {
      const kind = readVarUint(decoder)
      if (kind === acknowledgementKinds.acknowledged)
        return { type: 'acknowledged', count: readVarUint(decoder) }
      if (kind === acknowledgementKinds.notTaken) return { type: 'not-taken', number: readVarUint(decoder) }
      return kind === acknowledgementKinds.tokenRequest ? { type: 'token-request' } : { type: 'unknown' }
    }
    default:
      return { type: 'unknown' }
  }
}

export function syncStep1(stateVector: Uint8Array): Uint8Array {
  return sync(syncSteps.step1, stateVector)
}

export function syncStep2(update: Uint8Array): Uint8Array {
  return sync(syncSteps.step2, update)
}

export function updateMessage(update: Uint8Array): Uint8Array {
  return sync(syncSteps.update, update)
}

function sync(step: number, payload: Uint8Array): Uint8Array {
  return written(encoder => {
    writeVarUint(encoder, messageTypes.sync)
    writeVarUint(encoder, step)
    writeVarUint8Array(encoder, payload)
  })
}

/** `states` as y-protocols encodes an awareness update. */
export function awarenessMessage(states: Uint8Array): Uint8Array {
  return written(encoder => {
    writeVarUint(encoder, messageTypes.awareness)
    writeVarUint8Array(encoder, states)
  })
}

export function askAcknowledgements(): Uint8Array {
  return written(encoder => {
    writeVarUint(encoder, messageTypes.acknowledgement)
    writeVarUint(encoder, acknowledgementKinds.ask)
  })
}

export function tokenMessage(token: string): Uint8Array {
  return written(encoder => {
    writeVarUint(encoder, messageTypes.acknowledgement)
    writeVarUint(encoder, acknowledgementKinds.token)
    writeVarString(encoder, token)
  })
}

export function written(write: (encoder: Encoder) => void): Uint8Array {
  const encoder = createEncoder()
  write(encoder)
  return toUint8Array(encoder)
}
