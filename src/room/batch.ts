/** Updates that became durable together: what they are sent as, and to whom. */
import { mergeUpdates } from '../document/splice.ts'
import type { Member } from './member.ts'

/** A larger batch is not worth holding the event loop for. */
const mergedBytesMax = 64 * 1024

/** What a batch is sent as: one update, so that a client parses, applies and draws once. */
export function mergedUpdates(updates: readonly Uint8Array[]): readonly Uint8Array[] {
  if (updates.length < 2) return updates
  const bytes = updates.reduce((sum, update) => sum + update.length, 0)
  return bytes > mergedBytesMax ? updates : [mergeUpdates(updates)]
}

/** The member that wrote all of it and has it already, or null. */
export function soleAuthorOf(batch: readonly { readonly member: Member | null }[]): Member | null {
  const author = batch[0]?.member ?? null
  return batch.every(({ member }) => member === author) ? author : null
}
