/**
 * The contract between the server and whatever keeps its documents. A store knows names, order and
 * durability; every value is opaque bytes to it. It imports nothing from the server.
 * The behaviour is pinned by `conformance.ts`, which every store must pass; `memory.ts` is the oracle.
 */

/**
 * One record to append: what one room commits at once. The store may keep `record` until the promise settles.
 */
export type AppendEntry = { readonly document: string; readonly record: Uint8Array }

/**
 * A record as it lies in the log. `sequence` increases within a document and is never reused, delete
 * included.
 */
export type StoredRecord = { readonly sequence: number; readonly record: Uint8Array }

/**
 * The merged state that replaced older records. `generation` increases with each checkpoint of an
 * incarnation.
 */
export type StoredCheckpoint = {
  readonly generation: number
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
}

/**
 * Identity of one life of a document: deleting and writing again begins another. Unique within the store.
 * `null` stands for a document that nothing was ever written to (or that was deleted).
 */
export type Incarnation = string | null

/**
 * Bytes that could not be read as what they should be. They were moved to the set-aside area, never dropped.
 */
export type DamageReport = { readonly sequence: number; readonly reason: string }

/** Checkpoint and log of one document in one consistent view: never an old checkpoint with a newer log. */
export type LoadedDocument = {
  readonly incarnation: Incarnation
  readonly checkpoint: StoredCheckpoint | null
  readonly records: readonly StoredRecord[]
  readonly damaged: readonly DamageReport[]
}

export type CheckpointRequest = {
  readonly document: string
  /**
   * What the caller merged: the checkpoint it started from (`null`: none) and the incarnation it belongs to.
   */
  readonly incarnation: Incarnation
  readonly base: number | null
  /** Sequence numbers of exactly the records that are contained in the new segments. */
  readonly replaces: readonly number[]
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
  /** About how many bytes this replaces: a store may give them back to the disk when it is much. */
  readonly freedBytes?: number
}

/**
 * `superseded`: the document's checkpoint is no longer `base`, or its incarnation has ended; nothing was
 * changed.
 */
export type CheckpointResult =
  | { readonly outcome: 'written'; readonly generation: number }
  | { readonly outcome: 'superseded' }

/** An update that was refused, kept for an operator. `timeMs` is milliseconds since the epoch. */
export type SetAside = {
  readonly author: string
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

export type Store = {
  /**
   * Resolves when all entries would survive a power cut, with the sequence number of each, in order.
   * All or nothing. Several entries of one document keep their order. After a rejection the caller cannot
   * know whether the entries exist: it must load the document again before it appends to it.
   */
  append(entries: readonly AppendEntry[]): Promise<number[]>
  /** What is given back is the caller's to keep and to read, not to write into. */
  load(document: string): Promise<LoadedDocument>
  /** The segments of a checkpoint read before, or `null` when it has been replaced since. */
  segments(document: string, generation: number): Promise<readonly Uint8Array[] | null>
  /**
   * Compare-and-set: see CheckpointRequest and CheckpointResult. Readers see the old or the new one whole.
   */
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult>
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
  /** Names in the order of their UTF-8 bytes. */
  list(options?: ListOptions): Promise<readonly string[]>
  /** Removes checkpoint and log; what was set aside stays. Resolves to false when there was nothing. */
  delete(document: string): Promise<boolean>
  /** Small named values of the server's own (bytes), apart from documents. */
  readMetadata(key: string): Promise<Uint8Array | null>
  writeMetadata(key: string, value: Uint8Array | null): Promise<void>
  /** A synced write and read of a probe: rejects when the store cannot be written now. For `/readyz`. */
  probe(): Promise<void>
  /** Writes a consistent copy of everything to an empty or missing directory while the store is in use. */
  copyTo(directory: string, onProgress?: (progress: CopyProgress) => void): Promise<CopyProgress>
  /** Waits for what is under way, then releases files and locks. Later calls reject with STORE_CLOSED. */
  close(): Promise<void>
}

export const storeErrorCodes = {
  /** Another process holds the directory. */
  STORE_LOCKED: 'STORE_LOCKED',
  /** The directory holds something that is not ours; nothing was written to it. */
  STORE_FOREIGN: 'STORE_FOREIGN',
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
