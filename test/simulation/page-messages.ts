/** The messages that pages send and read, as y-protocols writes them. */
import { createDecoder, readVarString, readVarUint } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'

export const messageSync = 0
export const messageAwareness = 1
export const messageAuth = 2
export const messageQueryAwareness = 3
export const messageSyncStatus = 8
export const authDenied = 1
export const step1 = 0
export const step2 = 1
export const stepUpdate = 2

/** An awareness update for people: whose state has which clock, and whether it is there. */
export function clocksOf(update: Uint8Array): string {
  const decoder = createDecoder(update)
  const entries = Array.from({ length: readVarUint(decoder) }, () => {
    const entry = `${readVarUint(decoder)}@${readVarUint(decoder)}`
    return readVarString(decoder) === 'null' ? `${entry} gone` : entry
  })
  return entries.join(', ')
}

export function syncMessage(step: number, body: Uint8Array): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, messageSync)
  writeVarUint(encoder, step)
  writeVarUint8Array(encoder, body)
  return toUint8Array(encoder)
}

export function awarenessMessage(update: Uint8Array): Uint8Array {
  const encoder = createEncoder()
  writeVarUint(encoder, messageAwareness)
  writeVarUint8Array(encoder, update)
  return toUint8Array(encoder)
}
