/**
 * The contract between the server and whatever keeps its documents. A store knows names, order and
 * durability; every value is opaque bytes to it. It imports nothing from the server.
 * The behaviour is pinned by `conformance.ts`, which every store must pass; `memory.ts` is the oracle.
 */

import type { Author } from './author.ts'
import type { HistoryStore } from './history.ts'
import type { DamageReport, Floor, Gone, RecordIdentity, RecordLimits, StoredRecord } from './log-record.ts'
import type { MarkStore } from './marks.ts'

export type { DamageReport, Floor, Gone, RecordIdentity, RecordLimits, StoredRecord } from './log-record.ts'
export { singleWriter } from './log-record.ts'

/**
 * Identity of one life of a document: deleting and writing again begins another. Unique within the store.
 * `null` stands for a document that nothing was ever written to (or that was deleted).
 */
export type Incarnation = string | null

/**
 * One record to append: what one room commits at once. The store may keep `record` until the promise settles.
 * Entries of one document in one append name the same life; an entry with `ifHead` is its document's only one.
 */
export type AppendEntry = {
  readonly document: string
  readonly record: Uint8Array
  /** The life this belongs to. Absent or null: the one that there is; and where there is none, one begins. */
  readonly incarnation?: Incarnation
  /** Append only if the document's head is this. 0: only if there is no document. */
  readonly ifHead?: number
  /**
   * Append only if no life of the document has ended since its floor was this; else the answer is `gone`. A store with one
   * writer at a time, whose `load` says no floor, passes over it.
   */
  readonly ifFloor?: number
  /** Leave a mark of this change, if the document has none: see `MarkStore`. A store without marks passes over it. */
  readonly leavesMark?: boolean
}

/** What became of one entry. The answer to one entry does not fail the others. */
export type AppendAnswer =
  /** It would survive a power cut. `incarnation`: the life it is in, for the entries to come. */
  | {
      readonly outcome: 'written'
      readonly incarnation: string
      readonly sequence: number
      readonly identity: RecordIdentity
    }
  /** The life that the entry names is not the present one. Nothing was written. */
  | Gone
  /** The head is not what the entry said, but this. Nothing was written. */
  | { readonly outcome: 'conflict'; readonly head: number }
  /** The store takes everything but this. Nothing was written of the document's entries. */
  | { readonly outcome: 'failed'; readonly cause: StoreError }

/**
 * The merged state that replaced older records. `generation` increases with each checkpoint of an
 * incarnation.
 */
export type StoredCheckpoint = {
  readonly generation: number
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
}

/** What is kept of a document that was deleted, so that old copies of it are known. `timeMs`: since the epoch. */
export type Tombstone = { readonly timeMs: number; readonly bytes: Uint8Array }

export type Deletion = {
  /**
   * The life that is meant; null: that there is none. If that is not so, nothing is changed. Absent: whichever there is.
   */
  readonly incarnation?: Incarnation | undefined
  /** Replaces the one before in the same step, also where there is no document. Null: removes it. Absent: it stays. */
  readonly tombstone?: Tombstone | null | undefined
  /** Leave a mark, if a life is ended and the document has none: see `MarkStore`. */
  readonly leavesMark?: boolean
}

/** Checkpoint and log of one document in one consistent view: never an old checkpoint with a newer log. */
export type LoadedDocument = {
  readonly incarnation: Incarnation
  /** The highest sequence number given out in this life, whether its record is still there or not; 0: none. */
  readonly head: number
  readonly checkpoint: StoredCheckpoint | null
  readonly records: readonly StoredRecord[]
  readonly damaged: readonly DamageReport[]
  /** Of the lives before this one; null: none was left, or it was dropped. */
  readonly tombstone: Tombstone | null
  /** As `heads` says it: where that is higher later, a life has ended in between, and the tombstone is of an earlier one. */
  readonly floor: Floor
}

/** `at`: a sequence number of which the identity is asked. */
export type HeadQuery = { readonly document: string; readonly at?: number }

/** Where a document stands. */
export type DocumentHead = {
  readonly incarnation: Incarnation
  /** Of its checkpoint; 0: it has none. */
  readonly generation: number
  /** The highest sequence number given out in this life; 0: there is no document. */
  readonly head: number
  /** Of the record at `at`; null: nothing was asked, or that record is not in the log (any more). */
  readonly identity: RecordIdentity | null
  readonly floor: Floor
}

export type RecordsAfter =
  /** The records that follow, without a gap. Fewer than asked for, and not up to `head`: ask again. */
  | { readonly outcome: 'records'; readonly records: readonly StoredRecord[]; readonly head: number }
  /** The next ones have been replaced by a checkpoint, or were never there: load the document. */
  | { readonly outcome: 'missing' }
  /** That life is not the present one. */
  | Gone

export type CheckpointRequest = {
  readonly document: string
  /**
   * What the caller merged: the checkpoint it started from (`null`: none) and the incarnation it belongs to.
   */
  readonly incarnation: Incarnation
  readonly base: number | null
  /** Sequence numbers of exactly the records that are contained in the new segments. */
  readonly replaces: readonly number[]
  /**
   * Of the last of them, where it is known: a store that can be put back while several write to it, and has another record
   * there by now, answers `superseded`.
   */
  readonly through?: RecordIdentity | null
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
  /** About how many bytes this replaces: a store may give them back to the disk when it is much. */
  readonly freedBytes?: number
}

/**
 * `superseded`: the document's checkpoint is no longer `base`, its incarnation has ended, or the last record that is to be
 * replaced is another one than `through`; nothing was changed.
 */
export type CheckpointResult =
  | { readonly outcome: 'written'; readonly generation: number }
  | { readonly outcome: 'superseded' }

/**
 * An update that was refused, kept for an operator. `author`: null when nobody knows whose it was. `timeMs` is
 * milliseconds since the epoch.
 */
export type SetAside = {
  readonly author: Author | null
  readonly timeMs: number
  readonly reason: string
  readonly bytes: Uint8Array
}

/** `number` tells the entries of one document apart: a later one has a higher number. */
export type StoredSetAside = SetAside & { readonly number: number }

export type ListOptions = {
  readonly prefix?: string
  /** Exclusive: the last name of the page before. */
  readonly after?: string
  readonly limit?: number
}

export type CopyProgress = { readonly keys: number; readonly bytes: number }

/** Documents: what was written to each, and what replaces it. Names are opaque but for their order. */
export type DocumentLog = {
  /**
   * How many appends are made at once, if no document is in two of them. Appends of one document are made one after the
   * other, in the order of the calls.
   */
  readonly lanes: number
  /** The node in the identities of what this store appends. Empty where there is one writer at a time. */
  readonly node: string
  /**
   * Resolves when everything written would survive a power cut, with an answer to each entry, in order. Several entries
   * of one document keep their order. A store whose replies can be lost finds out itself what became of an append, and
   * rejects only if it cannot within a bound. After a rejection the caller cannot know whether the entries exist: it
   * must load the document again before it appends to it.
   */
  append(entries: readonly AppendEntry[]): Promise<AppendAnswer[]>
  /** What is given back is the caller's to keep and to read, not to write into. */
  load(document: string): Promise<LoadedDocument>
  /** The records of a life after a sequence number, for whoever has loaded it before. */
  recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<RecordsAfter>
  /** Where documents stand now, in the order of the queries: nothing that was durable before the call is missed. */
  heads(queries: readonly HeadQuery[]): Promise<DocumentHead[]>
  /** The segments of a checkpoint read before, or `null` when it has been replaced since. */
  segments(document: string, generation: number): Promise<readonly Uint8Array[] | null>
  /**
   * Compare-and-set: see CheckpointRequest and CheckpointResult. Readers see the old or the new one whole.
   */
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult>
  /** Names in the order of their UTF-8 bytes. */
  list(options?: ListOptions): Promise<readonly string[]>
  /**
   * Removes checkpoint and log; what was set aside stays. Resolves to false when there was nothing to remove: no document,
   * or another life than the one that is meant. Where an answer of the database was lost, true says only that the life
   * is over.
   */
  delete(document: string, deletion?: Deletion): Promise<boolean>
  /** Which tombstones there are, the oldest first. */
  tombstones(): Promise<readonly { readonly document: string; readonly timeMs: number }[]>
  /** Removes the tombstones of these documents, if they are there. Durable when resolved. */
  dropTombstones(documents: readonly string[]): Promise<void>
}

/** What was refused and is kept apart from the documents, for an operator. */
export type SetAsideStore = {
  /**
   * Bounded per document: the oldest ones make room (`setAsideMax`, `setAsideBytesMax`). Durable when
   * resolved.
   */
  setAside(document: string, entry: SetAside): Promise<void>
  /** What was set aside for a document, oldest first, damaged records included. */
  listSetAside(document: string): Promise<readonly StoredSetAside[]>
  /** The documents of which something was set aside, in the order of their UTF-8 bytes. */
  setAsideDocuments(): Promise<readonly string[]>
  /** Removes one entry for good. Resolves to false when there was none of that number. */
  dropSetAside(document: string, number: number): Promise<boolean>
}

/** Small named values of the server's own, apart from documents. */
export type MetadataStore = {
  /** Small named values of the server's own (bytes), apart from documents. */
  readMetadata(key: string): Promise<Uint8Array | null>
  writeMetadata(key: string, value: Uint8Array | null): Promise<void>
  /**
   * Compare-and-set, for what several servers write to: `value` (null: none) takes the place of `present` (null: none).
   * False: something else is there, and nothing was changed. Durable when it resolves to true.
   */
  swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean>
  /** SHA-256 of the value, or null where there is none: whether it has changed is cheap to ask. */
  metadataDigest(key: string): Promise<Uint8Array | null>
}

/** A copy of everything while the store is in use. */
export type CopySource = {
  /** Writes a consistent copy of everything to an empty or missing directory while the store is in use. */
  copyTo(directory: string, onProgress?: (progress: CopyProgress) => void): Promise<CopyProgress>
}

/** Who may do something that one at a time should do. */
export type LeaseStore = {
  /**
   * Resolves to true when `holder` has the lease of `key` for `ms` from now, by the store's clock; it may ask again
   * to keep it. False: another has it. 0 gives it up. What a lease guards must be safe without it: a holder that
   * stands still does not notice that its time is over.
   */
  lease(key: string, holder: string, ms: number): Promise<boolean>
}

/** What a server is given: all of it, from one opening to one closing. Parts of a server take what they need of it. */
export type Store = DocumentLog &
  SetAsideStore &
  MetadataStore &
  LeaseStore &
  /** Not every store can: a database has tools of its own. */
  Partial<CopySource> & {
    /** Absent: it keeps no histories. */
    readonly history?: HistoryStore
    /** Absent: it leaves no marks. */
    readonly marks?: MarkStore
    /** A synced write and read of a probe: rejects when the store cannot be written now. For `/readyz`. */
    probe(): Promise<void>
    /** Waits for what is under way, then releases files and locks. Later calls reject with STORE_CLOSED. */
    close(): Promise<void>
  }

export const storeErrorCodes = {
  /** Another process holds the directory. */
  STORE_LOCKED: 'STORE_LOCKED',
  /** The directory holds something that is not ours; nothing was written to it. */
  STORE_FOREIGN: 'STORE_FOREIGN',
  /** There is no store in the directory, and none was to be made. */
  STORE_MISSING: 'STORE_MISSING',
  /** The directory cannot be created or written. */
  STORE_UNWRITABLE: 'STORE_UNWRITABLE',
  /** The directory was written by a newer version with another format. */
  STORE_FORMAT: 'STORE_FORMAT',
  /** No space left; the write may or may not exist. */
  STORE_FULL: 'STORE_FULL',
  /** A write or read failed otherwise; a failed write may or may not exist. */
  STORE_FAILED: 'STORE_FAILED',
  /**
   * A document's manifest or a segment of its checkpoint cannot be read: it must not be opened as if it were
   * empty.
   */
  STORE_DAMAGED: 'STORE_DAMAGED',
  /** The store was closed. */
  STORE_CLOSED: 'STORE_CLOSED',
  /** The caller broke the contract (an argument out of range). */
  STORE_ARGUMENT: 'STORE_ARGUMENT'
} as const

export type StoreErrorCode = keyof typeof storeErrorCodes

/** The only error a store throws or rejects with. `message` is fit for an operator, not for a client. */
export class StoreError extends Error {
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}

/** As `CopySource.copyTo`. Rejects with STORE_ARGUMENT where the store has no copy to give. */
export async function copyStore(
  store: Store,
  directory: string,
  onProgress?: (progress: CopyProgress) => void
): Promise<CopyProgress> {
  if (store.copyTo !== undefined) return store.copyTo(directory, onProgress)
  throw new StoreError(
    'STORE_ARGUMENT',
    'This store makes no copy of itself. Use the tools of its database: for PostgreSQL, pg_dump.'
  )
}
