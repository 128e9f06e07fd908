/** A document from what a store has of it: a checkpoint and the records since. What cannot be read is left out and told. */
import { createCheckpoint, readCheckpointMeta } from './checkpoint.ts'
import { Document, rangesAtOnceMax, rangesOf, setsOf } from './document.ts'
import { LogMerge } from './log-merge.ts'
import { decodeRecord, type LoggedUpdate } from './record.ts'
import { RecordSpans } from './record-spans.ts'
import { at } from './runs.ts'
import { scanInSteps } from './scan.ts'
import { inTurns, type Steps } from './steps.ts'
import type { Tombstone } from './tombstone.ts'

/** What a store has of a document. The arrays are kept. */
export type StoredDocument = {
  /** What the store's tombstone says, if it is to count. */
  readonly deadLives?: Tombstone | null
  readonly checkpoint: {
    readonly generation: number
    readonly meta: Uint8Array
    readonly segments: readonly Uint8Array[]
  } | null
  readonly records: readonly { readonly sequence: number; readonly record: Uint8Array }[]
  /** The number of the last record, whether it is still there or not, where that is known. */
  readonly head?: number
}

/** A record, or an update in it, that lies in the store but cannot be read. */
export type Unreadable = { readonly sequence: number; readonly bytes: Uint8Array; readonly cause: unknown }

/** Bytes of small updates that are scanned in one step. */
const bytesPerStep = 4 * 1024

/**
 * A document from what the store has of it. `breathe` is awaited between slices of work. Updates that cannot be read
 * are left out and reported. Throws ERR_BAD_MESSAGE when the checkpoint's metadata cannot be read.
 */
export async function openDocument(
  name: string,
  loaded: StoredDocument,
  breathe: () => Promise<void>
): Promise<{ document: Document; unreadable: Unreadable[] }> {
  const document = new Document(name, loaded.deadLives ?? null)
  const unreadable: Unreadable[] = []
  await inTurns(fill(document, loaded, unreadable), breathe)
  return { document, unreadable }
}

function* fill(document: Document, loaded: StoredDocument, unreadable: Unreadable[]): Steps<void> {
  if (loaded.checkpoint !== null) {
    const meta = yield* readCheckpointMeta(loaded.checkpoint.meta)
    document.restore(createCheckpoint(loaded.checkpoint.generation, meta, loaded.checkpoint.segments), meta)
    yield* document.unite()
  }
  document.tail.beginsAfter(completeAfter(loaded))
  const merge = new LogMerge()
  const found = new RecordSpans()
  let bytes = 0
  for (const { sequence, record } of loaded.records) {
    if (!findSpans(found, { sequence, bytes: record }, unreadable)) continue
    for (let i = 0; i < found.length; i += 2) {
      const start = at(found.spans, i)
      const end = at(found.spans, i + 1)
      let outcome = merge.take(record, { start, end, sequence })
      if (outcome === 'full') {
        document.appendMerged(merge.finish())
        outcome = merge.take(record, { start, end, sequence })
      }
      if (outcome === 'unusual') {
        document.appendMerged(merge.finish())
        yield* appendStored(document, { sequence, bytes: record.subarray(start, end) }, unreadable)
      }
      bytes += end - start
      if (bytes < bytesPerStep) continue
      bytes = 0
      yield
    }
  }
  document.appendMerged(merge.finish())
}

/**
 * The record behind which all are there. A checkpoint does not say up to which record it goes, and earlier ones may be left
 * in the log, of updates that wait for others: only records that follow one another up to the last have none between.
 */
function completeAfter({ records, head }: StoredDocument): number {
  let first = head ?? records.at(-1)?.sequence ?? 0
  if (records.at(-1)?.sequence !== first) return first
  for (let i = records.length - 2; i >= 0 && records[i]?.sequence === first - 1; i--) first--
  return first - 1
}

function findSpans(found: RecordSpans, { sequence, bytes }: Stored, unreadable: Unreadable[]): boolean {
  try {
    found.find(bytes)
    return true
  } catch (cause) {
    unreadable.push({ sequence, bytes, cause })
    return false
  }
}

/** The updates of a record that were added to a document. `isRestore`: it brings the document back to what it was. */
export type AppendedRecord = {
  readonly updates: readonly Uint8Array[]
  readonly isRestore: boolean
  readonly unreadable: readonly Unreadable[]
}

/** Adds a record that is durable already, in slices. What came from large updates is left to be united. */
export function* appendRecord(
  document: Document,
  { sequence, record }: { readonly sequence: number; readonly record: Uint8Array }
): Steps<AppendedRecord> {
  const unreadable: Unreadable[] = []
  const updates: Uint8Array[] = []
  const logged = updatesOf({ sequence, bytes: record }, unreadable)
  for (const { update } of logged) {
    const known = unreadable.length
    yield* appendUpdate(document, { sequence, bytes: update }, unreadable)
    if (unreadable.length === known) updates.push(update)
  }
  const isRestore = logged.some(({ author }) => author?.origin === 'restore')
  return { updates, isRestore, unreadable }
}

type Stored = { readonly sequence: number; readonly bytes: Uint8Array }

function updatesOf({ sequence, bytes }: Stored, unreadable: Unreadable[]): readonly LoggedUpdate[] {
  try {
    return decodeRecord(bytes)
  } catch (cause) {
    unreadable.push({ sequence, bytes, cause })
    return []
  }
}

function* appendStored(document: Document, stored: Stored, unreadable: Unreadable[]): Steps<void> {
  yield* appendUpdate(document, stored, unreadable)
  yield* document.unite()
}

function* appendUpdate(
  document: Document,
  { sequence, bytes }: Stored,
  unreadable: Unreadable[]
): Steps<void> {
  try {
    const scan = yield* scanInSteps(bytes)
    const isSmall = rangesOf(scan) <= rangesAtOnceMax
    document.appendDurable(
      isSmall ? { update: bytes, scan } : { update: bytes, scan, sets: yield* setsOf(scan) },
      sequence
    )
  } catch (cause) {
    unreadable.push({ sequence, bytes, cause })
  }
}
