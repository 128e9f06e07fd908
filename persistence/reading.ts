/**
 * Reading one document from one frozen view: head, checkpoint, records; what cannot be read is told apart
 * into records that may be set aside and a checkpoint that must not be opened as if it were empty.
 */

import { following } from './following.ts'
import {
  type Head,
  kinds,
  numberMax,
  plain,
  recordKey,
  recordRange,
  segmentKey,
  segmentRange,
  sequenceOfRecordKey,
  unseal,
  unsealOrThrow
} from './format.ts'
import { hiddenRuns, readNotes } from './garbage.ts'
import { readFloor, readHead, readTrueHead } from './heads.ts'
import type { OrderedDatabase, OrderedReader } from './ordered.ts'
import { gapsBetween, isInRuns } from './runs.ts'
import {
  type DamageReport,
  type DocumentHead,
  type HeadQuery,
  type LoadedDocument,
  type RecordLimits,
  type RecordsAfter,
  type StoredCheckpoint,
  type StoredRecord,
  StoreError,
  singleWriter
} from './store.ts'
import { readTombstone } from './tombstones.ts'

/** To begin a walk anew costs about as much as to read so many records. */
const steppedOver = 50

// The floor is not the document's own here, and one writer has no use for it.
const floor = null
const nothing = { incarnation: null, head: 0, checkpoint: null, records: [], damaged: [], floor } as const

/** Everything of a document. Damaged records are reported and still in place. Rejects with STORE_DAMAGED. */
export async function readDocument(database: OrderedDatabase, document: string): Promise<LoadedDocument> {
  // Most documents that are opened for the first time are new, and a snapshot costs more than this look.
  const [found, buried] = await Promise.all([readHead(database, document), readTombstone(database, document)])
  if (found === null) return { ...nothing, tombstone: buried }
  return inSnapshot(database, async reader => {
    const [head, tombstone] = await Promise.all([readHead(reader, document), readTombstone(reader, document)])
    if (head === null) return { ...nothing, tombstone }
    const [checkpoint, log] = await Promise.all([
      readCheckpoint(reader, document, head),
      readRecords(reader, head)
    ])
    return { incarnation: String(head.incarnation), checkpoint, ...log, tombstone, floor }
  })
}

/** The segments of a generation, or null when it is not the current one. Rejects with STORE_DAMAGED. */
export async function readSegments(
  database: OrderedDatabase,
  document: string,
  generation: number
): Promise<readonly Uint8Array[] | null> {
  return inSnapshot(database, async reader => {
    const head = await readHead(reader, document)
    if (head === null || head.generation !== generation) return null
    const checkpoint = await readCheckpoint(reader, document, head)
    return checkpoint?.segments ?? null
  })
}

/** As `Store.recordsAfter`. A damaged record ends what is given back: `load` moves it out of the way. */
export async function readRecordsAfter(
  database: OrderedDatabase,
  { document, incarnation, sequence, limits }: RecordsQuery
): Promise<RecordsAfter> {
  return inSnapshot(database, async reader => {
    const head = await readTrueHead(reader, document)
    if (head === null || String(head.incarnation) !== incarnation) {
      return { outcome: 'gone', floor: await readFloor(reader, head) }
    }
    const stored = recordsAbove(reader, head.incarnation, sequence)
    return following(stored, { after: sequence, head: head.lastSequence, limits })
  })
}

export type RecordsQuery = {
  readonly document: string
  readonly incarnation: string
  readonly sequence: number
  readonly limits: RecordLimits
}

async function* recordsAbove(
  reader: OrderedReader,
  incarnation: number,
  sequence: number
): AsyncGenerator<StoredRecord> {
  const hidden = hiddenRuns(await readNotes(reader, incarnation))
  for await (const page of reader.range(recordRange(incarnation, sequence + 1, numberMax))) {
    for (const [key, value] of page) {
      const sequence = sequenceOfRecordKey(key)
      const unsealed = unseal(key, kinds.record, value)
      if ('damage' in unsealed || isInRuns(hidden, sequence)) return
      yield { sequence, identity: singleWriter, record: plain(unsealed.body) }
    }
  }
}

/** As `Store.heads`: all of them in one view. */
export async function readHeads(
  database: OrderedDatabase,
  queries: readonly HeadQuery[]
): Promise<DocumentHead[]> {
  return inSnapshot(database, async reader => {
    const found: DocumentHead[] = []
    for (const { document, at } of queries) {
      const head = await readTrueHead(reader, document)
      if (head === null) {
        const floor = await readFloor(reader, head)
        found.push({ incarnation: null, generation: 0, head: 0, identity: null, floor })
        continue
      }
      const { incarnation, generation, lastSequence } = head
      const isThere = at !== undefined && (await hasRecord(reader, incarnation, at))
      found.push({
        incarnation: String(incarnation),
        generation,
        head: lastSequence,
        identity: isThere ? singleWriter : null,
        floor: await readFloor(reader, head)
      })
    }
    return found
  })
}

async function hasRecord(reader: OrderedReader, incarnation: number, sequence: number): Promise<boolean> {
  if (sequence > numberMax || (await reader.get(recordKey(incarnation, sequence))) === undefined) return false
  return !isInRuns(hiddenRuns(await readNotes(reader, incarnation)), sequence)
}

/** One frozen view for all of `work`. */
export async function inSnapshot<T>(
  database: OrderedDatabase,
  work: (reader: OrderedReader) => Promise<T>
): Promise<T> {
  const snapshot = database.snapshot()
  try {
    return await work(snapshot)
  } finally {
    await snapshot.release()
  }
}

async function readCheckpoint(
  reader: OrderedReader,
  document: string,
  head: Head
): Promise<StoredCheckpoint | null> {
  const { incarnation, generation, segmentCount } = head
  if (generation === 0) return null
  const what = `Checkpoint ${generation} of document ${JSON.stringify(document)}`
  const bodies: Uint8Array[] = []
  // Checked as they come, a page in each turn of the event loop: a large document's checksums take a while.
  for await (const page of reader.range(segmentRange(incarnation, generation, generation))) {
    for (const [key, value] of page) {
      const index = bodies.length
      if (!key.equals(segmentKey(incarnation, generation, index))) throw incomplete(what, index - 1, head)
      const kind = index === 0 ? kinds.checkpointMeta : kinds.segment
      bodies.push(plain(unsealOrThrow(key, kind, value, what)))
    }
  }
  const [meta, ...segments] = bodies
  if (meta === undefined || segments.length !== segmentCount) throw incomplete(what, segments.length, head)
  return { generation, meta, segments }
}

function incomplete(what: string, found: number, head: Head): StoreError {
  const text = `${what} cannot be read: ${found} of ${head.segmentCount} segments found, left in place.`
  return new StoreError('STORE_DAMAGED', text)
}

async function readRecords(
  reader: OrderedReader,
  { incarnation, lastSequence }: Head
): Promise<{ head: number; records: StoredRecord[]; damaged: DamageReport[] }> {
  const hidden = hiddenRuns(await readNotes(reader, incarnation))
  const records: StoredRecord[] = []
  const damaged: DamageReport[] = []
  let head = lastSequence
  // What is hidden may be far more than the rest: it is stepped over, not read.
  for (const { first, last } of gapsBetween(hidden, { max: numberMax, least: steppedOver })) {
    for await (const page of reader.range(recordRange(incarnation, first, last))) {
      for (const [key, value] of page) {
        const sequence = sequenceOfRecordKey(key)
        head = Math.max(head, sequence)
        if (isInRuns(hidden, sequence)) continue
        const unsealed = unseal(key, kinds.record, value)
        if ('body' in unsealed)
          records.push({ sequence, identity: singleWriter, record: plain(unsealed.body) })
        else damaged.push({ sequence, reason: unsealed.damage })
      }
    }
  }
  return { head, records, damaged }
}
