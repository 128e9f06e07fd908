/**
 * What a caller may pass to a store, checked in one place for all stores here. Everything throws
 * STORE_ARGUMENT.
 */
import { bounds } from './bounds.ts'
import { encodeName, encodePrefix, numberMax } from './format.ts'
import type { HistoryRequest } from './history.ts'
import type { MarkWrite } from './marks.ts'
import {
  type AppendEntry,
  type CheckpointRequest,
  type Deletion,
  type HeadQuery,
  type ListOptions,
  type RecordLimits,
  StoreError
} from './store.ts'

export function checkAppend(entries: readonly AppendEntry[]): void {
  if (entries.length > bounds.appendEntriesMax) {
    throw new StoreError('STORE_ARGUMENT', `An append has at most ${bounds.appendEntriesMax} entries`)
  }
  for (const entry of entries) {
    encodeName(entry.document)
    checkValue(entry.record)
  }
  checkConditions(entries)
}

/**
 * Entries of one document name the same life, and one with `ifHead` is alone: so a document's entries are all written
 * or none. Entries with neither cost a look each.
 */
export function checkConditions(entries: readonly AppendEntry[]): void {
  if (entries.length < 2) {
    for (const { ifHead, ifFloor } of entries) {
      checkNumber(ifHead ?? 0, 'A head')
      checkNumber(ifFloor ?? 0, 'A floor')
    }
    return
  }
  const first = new Map<string, AppendEntry>()
  for (const entry of entries) {
    checkNumber(entry.ifHead ?? 0, 'A head')
    checkNumber(entry.ifFloor ?? 0, 'A floor')
    const before = first.get(entry.document)
    if (before === undefined) first.set(entry.document, entry)
    else if (!agree(before, entry)) {
      const text =
        'Entries of one document name the same life and floor, and one that says ifHead is the only one'
      throw new StoreError('STORE_ARGUMENT', text)
    }
  }
}

function agree(before: AppendEntry, entry: AppendEntry): boolean {
  if (before.ifHead !== undefined || entry.ifHead !== undefined) return false
  return (before.incarnation ?? null) === (entry.incarnation ?? null) && before.ifFloor === entry.ifFloor
}

/** `what` begins the message: a sequence number, a head or a count. */
export function checkNumber(value: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  throw new StoreError('STORE_ARGUMENT', `${what} is a whole number from 0, not ${value}`)
}

export function checkDeletion({ incarnation, tombstone }: Deletion): void {
  if (incarnation === '') throw new StoreError('STORE_ARGUMENT', 'A life has a name, or is null')
  if (tombstone != null) checkValue(tombstone.bytes)
}

export function checkHeads(queries: readonly HeadQuery[]): void {
  if (queries.length > bounds.headQueriesMax) {
    throw new StoreError('STORE_ARGUMENT', `At most ${bounds.headQueriesMax} heads are asked for at once`)
  }
  for (const { document, at } of queries) {
    encodeName(document)
    checkNumber(at ?? 0, 'A sequence number')
  }
}

export function checkRecordsAfter(document: string, sequence: number, limits: RecordLimits): void {
  encodeName(document)
  checkNumber(sequence, 'A sequence number')
  for (const limit of [limits.records, limits.bytes]) {
    checkNumber(limit, 'A limit')
    if (limit < 1) throw new StoreError('STORE_ARGUMENT', 'A limit is at least 1')
  }
}

export function checkLease(key: string, holder: string, ms: number): void {
  encodeName(key)
  encodeName(holder)
  checkNumber(ms, 'The time of a lease')
  if (ms > bounds.leaseMsMax) {
    throw new StoreError('STORE_ARGUMENT', `A lease is at most ${bounds.leaseMsMax} ms long`)
  }
}

/** The documents of the writes, each once. */
export function checkMarkWrites(writes: readonly MarkWrite[]): void {
  if (writes.length > bounds.markWritesMax) {
    throw new StoreError('STORE_ARGUMENT', `At most ${bounds.markWritesMax} marks are written at once`)
  }
  const documents = new Set<string>()
  for (const { present, next } of writes) {
    encodeName(present.document)
    documents.add(present.document)
    if (next === null) continue
    checkNumber(next.after, 'A sequence number')
    checkValue(next.value)
  }
  if (documents.size < writes.length)
    throw new StoreError('STORE_ARGUMENT', 'A mark is written once at a time')
}

export function checkValue(bytes: Uint8Array): void {
  if (bytes.length > bounds.valueBytesMax) {
    throw new StoreError('STORE_ARGUMENT', `A value is at most ${bounds.valueBytesMax} bytes`)
  }
}

/**
 * `sequenceMax`: the highest number the document has given out. A record not written yet cannot be contained.
 */
export function checkCheckpoint(request: CheckpointRequest, sequenceMax: number): void {
  encodeName(request.document)
  checkValue(request.meta)
  if (request.segments.length > bounds.segmentsMax) {
    throw new StoreError('STORE_ARGUMENT', `A checkpoint has at most ${bounds.segmentsMax} segments`)
  }
  for (const segment of request.segments) checkValue(segment)
  for (const sequence of request.replaces) {
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > sequenceMax) {
      const text = `Record ${sequence} does not exist, so no segment can contain it`
      throw new StoreError('STORE_ARGUMENT', text)
    }
  }
}

/** All that can be said of it without the store: see HistoryRequest. */
export function checkHistory(request: HistoryRequest): void {
  const { document, incarnation, base, checkpoint, manifest, blobs, drops, releasedTo, pins } = request
  encodeName(document)
  if (incarnation === '') throw new StoreError('STORE_ARGUMENT', 'A life has a name')
  checkNumber(base ?? 0, 'A generation')
  checkNumber(checkpoint ?? 0, 'A generation')
  checkValue(manifest)
  for (const { bytes } of blobs) checkValue(bytes)
  checkBlobNumbers(drops)
  const numbers = blobs.map(each => each.number)
  checkBlobNumbers(numbers)
  if (new Set([...numbers, ...drops]).size < numbers.length + drops.length) {
    throw new StoreError('STORE_ARGUMENT', 'A blob is written or dropped once')
  }
  checkNumber(releasedTo, 'A sequence number')
  checkPins(pins, releasedTo)
}

/** `before`: what was released so far. `head`: a record not written yet cannot be released. */
export function checkReleased(
  { releasedTo }: Pick<HistoryRequest, 'releasedTo'>,
  { before, head }: { readonly before: number; readonly head: number }
): void {
  if (releasedTo >= before && releasedTo <= head) return
  const text = `Records are released up to ${before} or further, at most to ${head}, not to ${releasedTo}`
  throw new StoreError('STORE_ARGUMENT', text)
}

export function checkBlobNumbers(numbers: readonly number[]): void {
  checkCount(numbers, 'blobs')
  for (const number of numbers) {
    if (Number.isSafeInteger(number) && number >= 1 && number <= numberMax) continue
    throw new StoreError('STORE_ARGUMENT', `The number of a blob is from 1 to ${numberMax}, not ${number}`)
  }
}

function checkPins(pins: readonly number[], releasedTo: number): void {
  checkCount(pins, 'pins')
  for (const [index, pin] of pins.entries()) {
    if (Number.isSafeInteger(pin) && pin > (pins[index - 1] ?? 0) && pin <= releasedTo) continue
    const text = 'Pins are sequence numbers in ascending order, at most what is released'
    throw new StoreError('STORE_ARGUMENT', text)
  }
}

function checkCount(numbers: readonly number[], what: string): void {
  if (numbers.length <= bounds.historyNumbersMax) return
  throw new StoreError('STORE_ARGUMENT', `At most ${bounds.historyNumbersMax} ${what} at once`)
}

/** The order of names: that of their UTF-8 bytes. */
export function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'))
}

/** The options with their defaults; the empty string stands for no prefix and for the beginning. */
export function checkList(options: ListOptions | undefined): Required<ListOptions> {
  const { prefix = '', after = '', limit = bounds.listLimit } = options ?? {}
  encodePrefix(prefix)
  encodePrefix(after)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > bounds.listLimitMax) {
    throw new StoreError('STORE_ARGUMENT', `A page of names holds 1 to ${bounds.listLimitMax}`)
  }
  return { prefix, after, limit }
}
