/**
 * Many updates in one buffer, to cross to a worker: one copy and one transfer instead of a structured clone of each,
 * which would also drag along whatever larger buffer an update is a view of.
 */

import { setImmediate } from 'node:timers/promises'

/** Bytes copied before the event loop gets its turn. */
const sliceBytes = 1024 * 1024

export type PackedUpdates = {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where each update ends in `bytes`. */
  readonly ends: Float64Array
}

/** Copies the updates, a slice in each turn of the event loop: they must not change meanwhile. */
export async function packUpdates(updates: readonly Uint8Array[]): Promise<PackedUpdates> {
  let size = 0
  for (const update of updates) size += update.length
  const bytes = new Uint8Array(size)
  const ends = new Float64Array(updates.length)
  let end = 0
  let copied = 0
  for (const [i, update] of updates.entries()) {
    for (let from = 0; from < update.length; from += sliceBytes) {
      const slice = update.subarray(from, from + sliceBytes)
      if (copied + slice.length > sliceBytes) {
        await setImmediate()
        copied = 0
      }
      bytes.set(slice, end + from)
      copied += slice.length
    }
    end += update.length
    ends[i] = end
  }
  return { bytes, ends }
}

/** The updates as views of the one buffer. */
export function unpackUpdates({ bytes, ends }: PackedUpdates): Uint8Array[] {
  let start = 0
  return Array.from(ends, end => {
    const update = bytes.subarray(start, end)
    start = end
    return update
  })
}
