/**
 * Removing what is no longer part of a document, in bounded steps that a crash may interrupt: the garbage
 * note is written with the change that makes it true, and taken away by the last step. Until then readers
 * skip what it names.
 */
import { bounds } from './bounds.ts'
import {
  allGarbage,
  decodeGarbage,
  decodeGarbageKey,
  type Garbage,
  garbagePurposes,
  garbageRange,
  kinds,
  recordRange,
  segmentRange,
  sequenceOfRecordKey,
  unsealOrThrow
} from './format.ts'
import { decodeMark, type HistoryMark } from './history-format.ts'
import { collectRange, type Operation, type OrderedEntry, type OrderedReader } from './ordered.ts'
import { isInRuns, type Run, unitedRuns } from './runs.ts'

/** A note as stored. */
export type GarbageNote = { readonly key: Buffer; readonly garbage: Garbage }

/** What stands beside a document and hides records from its readers. `history`: null: it has none. */
export type Notes = { readonly garbage: readonly GarbageNote[]; readonly history: HistoryMark | null }

export type SweepAccess = {
  read<T>(work: (reader: OrderedReader) => Promise<T>): Promise<T>
  /** Durable when resolved. */
  commit(operations: readonly Operation[]): Promise<void>
}

/**
 * Removes what the note names, then the note. Every step is durable: see README.md, "Why removals are
 * synced".
 */
export async function sweep(access: SweepAccess, note: GarbageNote): Promise<number> {
  let removed = 0
  while (true) {
    const keys = await access.read(reader => nextKeys(reader, note))
    removed += keys.length
    const operations = keys.map(key => ({ type: 'del', key }) as const)
    const isLast = keys.length < bounds.removalKeysMax
    await access.commit(isLast ? [...operations, { type: 'del', key: note.key }] : operations)
    if (isLast) return removed
  }
}

/** What is to be removed in the whole store. Rejects with STORE_DAMAGED when a note cannot be read. */
export async function readGarbage(reader: OrderedReader): Promise<GarbageNote[]> {
  const entries = await collectRange(reader, allGarbage)
  // What a history holds is none of it; if it cannot be read, its document says so.
  return entries.filter(([key]) => !isMark(key)).map(noteOfEntry)
}

/** The notes of one incarnation. Rejects with STORE_DAMAGED when one cannot be read. */
export async function readNotes(reader: OrderedReader, incarnation: number): Promise<Notes> {
  const entries = await collectRange(reader, garbageRange(incarnation))
  const garbage = entries.filter(([key]) => !isMark(key)).map(noteOfEntry)
  const mark = entries.find(([key]) => isMark(key))
  if (mark === undefined) return { garbage, history: null }
  const body = unsealOrThrow(mark[0], kinds.historyMark, mark[1], 'What the store knows of a history')
  return { garbage, history: decodeMark(incarnation, body) }
}

/** The number of the history of an incarnation, also where nothing else of it can be read; null: it has none. */
export async function readHistoryNumber(reader: OrderedReader, incarnation: number): Promise<number | null> {
  const entries = await collectRange(reader, { ...garbageRange(incarnation), values: 'omit' })
  const mark = entries.find(([key]) => isMark(key))
  return mark === undefined ? null : decodeGarbageKey(mark[0]).generation
}

/** Records that are no part of the document any more, though they are there. */
export function hiddenRuns({ garbage, history }: Notes): readonly Run[] {
  const hidden = history?.hidden ?? []
  if (garbage.length === 0) return hidden
  return garbage.reduce<readonly Run[]>((runs, note) => unitedRuns(runs, note.garbage.runs), hidden)
}

function isMark(key: Buffer): boolean {
  return decodeGarbageKey(key).purpose === garbagePurposes.history
}

function noteOfEntry([key, value]: OrderedEntry): GarbageNote {
  const body = unsealOrThrow(key, kinds.garbage, value, 'A note of what is to be removed')
  return { key, garbage: decodeGarbage(body) }
}

/** Up to `removalKeysMax` keys that are still there. */
async function nextKeys(reader: OrderedReader, { key, garbage }: GarbageNote): Promise<Buffer[]> {
  const { incarnation, firstGeneration, lastGeneration, runs } = garbage
  const keys: Buffer[] = []
  if (decodeGarbageKey(key).purpose === garbagePurposes.blobs) {
    for (const { first, last } of runs) {
      await collectKeys(reader, segmentRange(incarnation, first, last), keys, () => true)
    }
    return keys
  }
  const first = runs[0]
  const last = runs.at(-1)
  if (first !== undefined && last !== undefined) {
    const range = recordRange(incarnation, first.first, last.last)
    await collectKeys(reader, range, keys, key => isInRuns(runs, sequenceOfRecordKey(key)))
  }
  if (lastGeneration > 0) {
    await collectKeys(reader, segmentRange(incarnation, firstGeneration, lastGeneration), keys, () => true)
  }
  return keys
}

async function collectKeys(
  reader: OrderedReader,
  range: { readonly from: Buffer; readonly to: Buffer },
  keys: Buffer[],
  isGarbage: (key: Buffer) => boolean
): Promise<void> {
  if (keys.length >= bounds.removalKeysMax) return
  for await (const page of reader.range({ ...range, values: 'omit' })) {
    for (const [key] of page) {
      if (isGarbage(key)) keys.push(key)
      if (keys.length >= bounds.removalKeysMax) return
    }
  }
}
