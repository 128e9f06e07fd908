/** Reading histories of an ordered database, each question from one frozen view. */
import {
  encodeName,
  encodePrefix,
  historyKey,
  historyRange,
  kinds,
  nameOfKey,
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
import { type Notes, readNotes } from './garbage.ts'
import { readFloor, readHead, readTrueHead } from './heads.ts'
import type { HistoryRecord, StoredHistory, UnreleasedRecords } from './history.ts'
import { decodeFirstPart, decodeManifest } from './history-format.ts'
import { collectRange, type OrderedDatabase, type OrderedReader } from './ordered.ts'
import { inSnapshot, type RecordsQuery } from './reading.ts'
import { unreleasedOf } from './releasing.ts'
import { isInRuns } from './runs.ts'
import { type DamageReport, StoreError, singleWriter } from './store.ts'

/** As `HistoryStore.read`. Rejects with STORE_DAMAGED. */
export async function readHistory(
  database: OrderedDatabase,
  document: string
): Promise<StoredHistory | null> {
  const key = historyKey(encodeName(document))
  // Most documents have none, and a snapshot costs more than this look.
  if ((await database.get(key)) === undefined) return null
  return inSnapshot(database, async reader => {
    const value = await reader.get(key)
    if (value === undefined) return null
    const what = `The history of document ${JSON.stringify(document)}`
    const stored = decodeManifest(unsealOrThrow(key, kinds.historyManifest, value, what))
    const mark = (await readNotes(reader, stored.incarnation)).history
    if (mark?.generation !== stored.generation) {
      throw new StoreError('STORE_DAMAGED', `${what} cannot be read: its parts are of different times.`)
    }
    const { incarnation, generation, manifest } = stored
    const { releasedTo, pins } = mark
    return { incarnation: String(incarnation), generation, manifest, releasedTo, pins }
  })
}

/** As `HistoryStore.list`; arguments are checked already. */
export async function listHistories(
  database: OrderedDatabase,
  { after, limit }: { readonly after: string; readonly limit: number }
): Promise<string[]> {
  const range = historyRange(encodePrefix(after))
  const entries = await collectRange(database, { ...range, limit, values: 'omit' })
  return entries.map(([key]) => nameOfKey(key))
}

export type BlobsQuery = {
  readonly document: string
  readonly incarnation: string
  readonly numbers: readonly number[]
}

/** As `HistoryStore.blobs`. Rejects with STORE_DAMAGED. */
export async function readBlobs(
  database: OrderedDatabase,
  { document, incarnation, numbers }: BlobsQuery
): Promise<readonly (Uint8Array | null)[]> {
  return inSnapshot(database, async reader => {
    const head = await readHead(reader, document)
    const isPresent = head !== null && String(head.incarnation) === incarnation
    const mark = isPresent ? (await readNotes(reader, head.incarnation)).history : null
    const found: (Uint8Array | null)[] = []
    for (const number of numbers)
      found.push(mark === null ? null : await readBlob(reader, mark.history, number))
    return found
  })
}

async function readBlob(reader: OrderedReader, history: number, number: number): Promise<Uint8Array | null> {
  const what = `Blob ${number} of a history`
  const parts: Buffer[] = []
  let count = 0
  for await (const page of reader.range(segmentRange(history, number, number))) {
    for (const [key, value] of page) {
      const index = parts.length
      if (!key.equals(segmentKey(history, number, index))) throw incomplete(what, index, count)
      if (index > 0) parts.push(unsealOrThrow(key, kinds.historyBlobPart, value, what))
      else {
        const first = decodeFirstPart(unsealOrThrow(key, kinds.historyBlob, value, what))
        count = first.count
        parts.push(first.bytes)
      }
    }
  }
  if (parts.length !== count) throw incomplete(what, parts.length, count)
  if (count === 0) return null
  const [only] = parts
  return count === 1 && only !== undefined ? plain(only) : plain(Buffer.concat(parts))
}

function incomplete(what: string, found: number, count: number): StoreError {
  const text = `${what} cannot be read: ${found} of ${count} parts found, left in place.`
  return new StoreError('STORE_DAMAGED', text)
}

/** As `HistoryStore.unreleased`. Damaged records are reported and stay where they are. */
export async function readUnreleased(
  database: OrderedDatabase,
  { document, incarnation, sequence, limits }: RecordsQuery
): Promise<UnreleasedRecords> {
  return inSnapshot(database, async reader => {
    const head = await readTrueHead(reader, document)
    if (head === null || String(head.incarnation) !== incarnation) {
      return { outcome: 'gone', floor: await readFloor(reader, head) }
    }
    const notes = await readNotes(reader, head.incarnation)
    const stored = neededRecords(reader, { incarnation: head.incarnation, notes, above: sequence })
    return unreleasedOf(stored, { head: head.lastSequence, limits })
  })
}

type Needed = { readonly incarnation: number; readonly notes: Notes; readonly above: number }

async function* neededRecords(
  reader: OrderedReader,
  { incarnation, notes, above }: Needed
): AsyncGenerator<HistoryRecord | DamageReport> {
  const { garbage, history } = notes
  const isGone = (sequence: number) => garbage.some(note => isInRuns(note.garbage.runs, sequence))
  const shown = (sequence: number, key: Buffer, value: Buffer): HistoryRecord | DamageReport => {
    const unsealed = unseal(key, kinds.record, value)
    if ('damage' in unsealed) return { sequence, reason: unsealed.damage }
    const isReplaced = isInRuns(history?.hidden ?? [], sequence)
    return { sequence, identity: singleWriter, record: plain(unsealed.body), isReplaced }
  }
  const releasedTo = history?.releasedTo ?? 0
  for (const pin of history?.pins ?? []) {
    if (pin <= above || isGone(pin)) continue
    const key = recordKey(incarnation, pin)
    const value = await reader.get(key)
    if (value !== undefined) yield shown(pin, key, value)
  }
  const first = Math.max(above, releasedTo) + 1
  if (first > numberMax) return
  for await (const page of reader.range(recordRange(incarnation, first, numberMax))) {
    for (const [key, value] of page) {
      const sequence = sequenceOfRecordKey(key)
      if (!isGone(sequence)) yield shown(sequence, key, value)
    }
  }
}
