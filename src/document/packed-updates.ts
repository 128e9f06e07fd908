/**
 * Many updates in one buffer, to cross to a worker: one copy and one transfer instead of a structured clone of each,
 * which would also drag along whatever larger buffer an update is a view of.
 */

export type PackedUpdates = {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where each update ends in `bytes`. */
  readonly ends: Float64Array
}

/** Copies the updates. */
export function packUpdates(updates: readonly Uint8Array[]): PackedUpdates {
  let size = 0
  for (const update of updates) size += update.length
  const bytes = new Uint8Array(size)
  const ends = new Float64Array(updates.length)
  let end = 0
  for (const [i, update] of updates.entries()) {
    bytes.set(update, end)
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
