/**
 * Removing what is no longer part of a document, in bounded steps that a crash may interrupt: the garbage
 * note is written with the change that makes it true, and taken away by the last step. Until then readers
 * skip what it names.
 */
import { bounds } from './bounds.ts'
import {
  allGarbage,
  decodeGarbage,
  type Garbage,
  garbageRange,
  kinds,
  type Run,
  recordRange,
  segmentRange,
  sequenceOfRecordKey,
  unsealOrThrow
} from './format.ts'
import { collectRange, type Operation, type OrderedReader } from './ordered.ts'

/** A note as stored. */
export type GarbageNote = { readonly key: Buffer; readonly garbage: Garbage }

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
    const keys = await access.read(reader => nextKeys(reader, note.garbage))
    removed += keys.length
    const operations = keys.map(key => ({ type: 'del', key }) as const)
    const isLast = keys.length < bounds.removalKeysMax
    await access.commit(isLast ? [...operations, { type: 'del', key: note.key }] : operations)
    if (isLast) return removed
  }
}

/** All notes of the store, or of one incarnation. Rejects with STORE_DAMAGED when one cannot be read. */
export async function readNotes(reader: OrderedReader, incarnation: number | 'all'): Promise<GarbageNote[]> {
  const entries = await collectRange(reader, incarnation === 'all' ? allGarbage : garbageRange(incarnation))
  return entries.map(([key, value]) => {
    const body = unsealOrThrow(key, kinds.garbage, value, 'A note of what is to be removed')
    return { key, garbage: decodeGarbage(body) }
  })
}

/** Ascending runs of the numbers given, in any order and with repetitions. */
export function runsOf(sequences: readonly number[]): Run[] {
  const runs: { first: number; last: number }[] = []
  for (const sequence of Float64Array.from(sequences).sort()) {
    const run = runs.at(-1)
    if (run !== undefined && sequence <= run.last + 1) run.last = sequence
    else runs.push({ first: sequence, last: sequence })
  }
  return runs
}

/** Whether ascending runs contain a number; O(log runs). */
export function isInRuns(runs: readonly Run[], sequence: number): boolean {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((runs[middle]?.last ?? 0) < sequence) low = middle + 1
    else high = middle
  }
  const run = runs[low]
  return run !== undefined && run.first <= sequence
}

/** Up to `removalKeysMax` keys that are still there. */
async function nextKeys(reader: OrderedReader, garbage: Garbage): Promise<Buffer[]> {
  const { incarnation, firstGeneration, lastGeneration, runs } = garbage
  const keys: Buffer[] = []
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
