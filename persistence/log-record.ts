/** What a log of records consists of, for all parts of the store's contract: see `store.ts`. */

/**
 * Which append wrote a record: whose (`node`: one running store, never the same again) and which of its batches. With
 * the sequence number this is a position: at two equal positions lies the same record, also after a database was put
 * back to an earlier state. A store with one writer at a time has the same identity everywhere (`singleWriter`).
 */
export type RecordIdentity = { readonly node: string; readonly batch: number }

export const singleWriter: RecordIdentity = Object.freeze({ node: '', batch: 0 })

/**
 * Between the lives of a document: every number of a life that is over is at most this one, and every number of the
 * present life, or of the next one, is above it. So whoever was given a higher number in a life that is not there any
 * more was given it by a database that has been put back since: that life was not deleted. Null: not known, which only
 * a store with one writer at a time may say.
 */
export type Floor = number | null

export type Gone = { readonly outcome: 'gone'; readonly floor: Floor }

/**
 * A record as it lies in the log. `sequence` grows by one with each record of a life, and is never reused, delete
 * included: the next life begins above. So whoever knows a head sees by the numbers whether a record is missing.
 */
export type StoredRecord = {
  readonly sequence: number
  readonly identity: RecordIdentity
  readonly record: Uint8Array
}

/**
 * Bytes that could not be read as what they should be. They were moved to the set-aside area, never dropped.
 */
export type DamageReport = { readonly sequence: number; readonly reason: string }

/** At most so many, and no further record once so many bytes were reached: the first is always among them. */
export type RecordLimits = { readonly records: number; readonly bytes: number }
