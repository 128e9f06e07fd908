/**
 * Reading one document from one frozen view: head, checkpoint, records; what cannot be read is told apart
 * into records that may be set aside and a checkpoint that must not be opened as if it were empty.
 */

import {
  type Head,
  kinds,
  numberMax,
  plain,
  recordRange,
  segmentKey,
  segmentRange,
  sequenceOfRecordKey,
  unseal,
  unsealOrThrow
} from './format.ts'
import { isInRuns, readNotes } from './garbage.ts'
import { readHead } from './heads.ts'
import type { OrderedDatabase, OrderedReader } from './ordered.ts'
import type { StoredRecord } from './store.ts'
import { type DamageReport, type LoadedDocument, type StoredCheckpoint, StoreError } from './store.ts'

const nothing: LoadedDocument = { incarnation: null, checkpoint: null, records: [], damaged: [] }

/** Everything of a document. Damaged records are reported and still in place. Rejects with STORE_DAMAGED. */
export async function readDocument(database: OrderedDatabase, document: string): Promise<LoadedDocument> {
  // Most documents that are opened for the first time are new, and a snapshot costs more than this look.
  if ((await readHead(database, document)) === null) return nothing
  return inSnapshot(database, async reader => {
    const head = await readHead(reader, document)
    if (head === null) return nothing
    const [checkpoint, log] = await Promise.all([
      readCheckpoint(reader, document, head),
      readRecords(reader, head.incarnation)
    ])
    return { incarnation: String(head.incarnation), checkpoint, ...log }
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

async function inSnapshot<T>(
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
  incarnation: number
): Promise<{ records: StoredRecord[]; damaged: DamageReport[] }> {
  const notes = await readNotes(reader, incarnation)
  const records: StoredRecord[] = []
  const damaged: DamageReport[] = []
  for await (const page of reader.range(recordRange(incarnation, 0, numberMax))) {
    for (const [key, value] of page) {
      const sequence = sequenceOfRecordKey(key)
      if (notes.some(note => isInRuns(note.garbage.runs, sequence))) continue
      const unsealed = unseal(key, kinds.record, value)
      if ('body' in unsealed) records.push({ sequence, record: plain(unsealed.body) })
      else damaged.push({ sequence, reason: unsealed.damage })
    }
  }
  return { records, damaged }
}
