/**
 * What a store keeps of a document's past, if it can: one manifest, blobs that the manifest speaks of, and the records
 * that checkpoints have replaced but that are not part of a blob yet. Nothing is moved when a checkpoint replaces them:
 * they stay where they lie until the history releases them. Manifest and blobs are opaque bytes here.
 * A history belongs to one life of a document and ends with it.
 */
import type { DamageReport, Gone, RecordIdentity, RecordLimits, StoredRecord } from './log-record.ts'

/**
 * `generation` increases with each write, also from one history of a life to the next: a writer that is late never meets its
 * own base again.
 */
export type StoredHistory = {
  readonly incarnation: string
  readonly generation: number
  readonly manifest: Uint8Array
  /**
   * Records up to this sequence number are not needed any more, save `pins`: one goes for good when a checkpoint has
   * replaced it as well, and what nodes need to catch up is over. 0: none is released.
   */
  readonly releasedTo: number
  /**
   * Sequence numbers up to `releasedTo` of records that are needed all the same, ascending. A record that was released once is
   * not to be pinned again: it may be gone.
   */
  readonly pins: readonly number[]
}

/**
 * `number`: of the caller's choice, from 1 to 2 ** 48 - 1, at random: so that of two who write at once none names a blob
 * as the other does. Used once in a life.
 */
export type HistoryBlob = { readonly number: number; readonly bytes: Uint8Array }

export type HistoryRequest = {
  readonly document: string
  /** The life this belongs to. Where there is no document, there is no history. */
  readonly incarnation: string
  /** The generation of the history that this was made from; null: there is none, and this begins one. */
  readonly base: number | null
  /** Only if the document's checkpoint is this (0: it has none). Absent: whichever it is. */
  readonly checkpoint?: number
  readonly manifest: Uint8Array
  /** New ones, which are there from now on. */
  readonly blobs: readonly HistoryBlob[]
  /** Numbers of blobs that go. One that is not there is passed over. */
  readonly drops: readonly number[]
  /** Replace what was said before; `releasedTo` never goes back, nor above the head of the document: STORE_ARGUMENT. */
  readonly releasedTo: number
  readonly pins: readonly number[]
  /**
   * Of the record at `releasedTo`, where it is known: as in a CheckpointRequest, a store that was put back and has another
   * record there answers `superseded`.
   */
  readonly through?: RecordIdentity | null
  /** About how many bytes of records this releases: as in a CheckpointRequest. */
  readonly freedBytes?: number
}

/**
 * `superseded`: the life is over, the history is no longer `base`, the checkpoint is another one, or the database was put
 * back. Nothing was changed.
 */
export type HistoryResult =
  | { readonly outcome: 'written'; readonly generation: number }
  | { readonly outcome: 'superseded' }

/** `isReplaced`: a checkpoint holds it, so that `load` does not give it any more. */
export type HistoryRecord = StoredRecord & { readonly isReplaced: boolean }

export type UnreleasedRecords =
  /**
   * In order. Not up to `head`: ask again, after the last one; a page without records is the end. Numbers may be missing: of
   * records that were damaged, or gone before the history began. `damaged`: could not be read, and were left in place.
   */
  | {
      readonly outcome: 'records'
      readonly records: readonly HistoryRecord[]
      readonly damaged: readonly DamageReport[]
      readonly head: number
    }
  | Gone

export type HistoryListOptions = {
  /** Exclusive: the last name of the page before. */
  readonly after?: string
  readonly limit?: number
}

/**
 * The capability of a store to keep histories. As long as a life has a history, what `checkpoint` replaces is hidden from
 * `load` as ever, but stays until it is released. A life without one costs nothing.
 */
export type HistoryStore = {
  /** Where the history stands; null: the document has none. */
  read(document: string): Promise<StoredHistory | null>
  /**
   * Compare-and-set, durable when resolved: readers see the old or the new one whole, blobs included. A large one is
   * written in steps, between which appends go on; what a crash leaves of them is removed.
   */
  write(request: HistoryRequest): Promise<HistoryResult>
  /**
   * Blobs by their numbers, in this order; null: it is not there. Rejects with STORE_DAMAGED for one that cannot be read.
   * What is given back is the caller's to keep and to read, not to write into.
   */
  blobs(
    document: string,
    incarnation: string,
    numbers: readonly number[]
  ): Promise<readonly (Uint8Array | null)[]>
  /**
   * The records above `sequence` that are still needed: pinned ones, and all above `releasedTo`, whether a checkpoint has
   * replaced them or not. Where there is no history, all that are in the log.
   */
  unreleased(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<UnreleasedRecords>
  /** Ends the history of a life: manifest and blobs go, and the records that a checkpoint has replaced. False: it had none. */
  drop(document: string, incarnation: string): Promise<boolean>
  /** Documents that have a history, in the order of the UTF-8 bytes of their names. */
  list(options?: HistoryListOptions): Promise<readonly string[]>
}
