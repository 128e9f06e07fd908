/** Small named values of the server's own: how they lie in an ordered database, and how two of them are compared. */
import { createHash } from 'node:crypto'
import { checkValue } from './arguments.ts'
import { encodeName, kinds, metadataKey, seal, unsealOrThrow } from './format.ts'
import type { Operation, OrderedReader } from './ordered.ts'

/** Null: there is none. Throws STORE_DAMAGED. */
export async function readMetadata(reader: OrderedReader, key: string): Promise<Uint8Array | null> {
  const stored = metadataKey(encodeName(key))
  const value = await reader.get(stored)
  if (value === undefined) return null
  // A copy as a plain array: callers must not meet Buffer's own `slice`.
  return new Uint8Array(unsealOrThrow(stored, kinds.metadata, value, `Metadata ${JSON.stringify(key)}`))
}

/** What writes the value, or removes it. Throws STORE_ARGUMENT. */
export function putMetadata(key: string, value: Uint8Array | null): Operation {
  const stored = metadataKey(encodeName(key))
  if (value === null) return { type: 'del', key: stored }
  checkValue(value)
  return { type: 'put', key: stored, value: seal(stored, kinds.metadata, value) }
}

export function isSameValue(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other
  return Buffer.compare(one, other) === 0
}

/** As `Store.metadataDigest`. */
export function digestOf(value: Uint8Array | null): Uint8Array | null {
  return value === null ? null : new Uint8Array(createHash('sha256').update(value).digest())
}
