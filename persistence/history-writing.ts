/**
 * Writing histories, compare-and-set. Small ones are one batch; large ones go in steps, between which appends are written:
 * a note that the new blobs are unfinished, the blobs, the switch (manifest, mark, and notes of what goes), and the removal.
 * README.md says what a crash leaves after each step.
 */
import { checkHistory, checkReleased } from './arguments.ts'
import { bounds } from './bounds.ts'
import { noteOf, putNote, steps } from './checkpoints.ts'
import { endOfHistory, sweepLater } from './deleting.ts'
import { recordKey, segmentKey, segmentRange } from './format.ts'
import { type GarbageNote, readNotes } from './garbage.ts'
import type { HistoryRequest, HistoryResult } from './history.ts'
import { blobPuts, type HistoryMark, putManifest, putMark, release } from './history-format.ts'
import { collectRange, type Operation, type OrderedReader } from './ordered.ts'
import { isOther } from './releasing.ts'
import { countOf, numbersIn, type Run, runsOf } from './runs.ts'
import type { Writer } from './session.ts'
import { StoreError, singleWriter } from './store.ts'
import { putCounters, type StoreParts } from './writing.ts'

const superseded: HistoryResult = { outcome: 'superseded' }
const bytesOfRecord = 200

/** A write under way: its generation, the history it goes to, and the opening of the database it belongs to. */
type Attempt = {
  readonly history: number
  readonly generation: number
  readonly numbers: ReadonlySet<number>
  readonly epoch: number
  /** Of its blobs; the numbers of those that it drops take their place at the switch. */
  readonly note: GarbageNote
}

/** What a write does to the mark, and to the records. `before`: null: it begins the history. */
type Change = {
  readonly before: HistoryMark | null
  readonly mark: HistoryMark
  readonly gone: readonly Run[]
}

export class HistoryWrites {
  readonly #parts: StoreParts
  readonly #attempts = new Set<Attempt>()

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** As `HistoryStore.write`. */
  async write(request: HistoryRequest): Promise<HistoryResult> {
    checkHistory(request)
    if (requestBytes(request) <= bounds.batchBytesMax) {
      const result = await this.#parts.session.write(writer => this.#writeAtOnce(writer, request))
      if (result !== 'too large for one batch') return result
    }
    return this.#writeInSteps(request)
  }

  /** As `HistoryStore.drop`. What only the history has kept of the log is hidden from then on, and goes. */
  async drop(document: string, incarnation: string): Promise<boolean> {
    const { session, heads } = this.#parts
    const left = await session.write(async writer => {
      const head = await heads.get(writer, document)
      if (head === null || String(head.incarnation) !== incarnation) return null
      const { history } = await readNotes(writer, head.incarnation)
      if (history === null) return null
      const end = await endOfHistory(writer, document, head.incarnation)
      const records = noteOfRecords(history, history.history, history.hidden)
      const notes = [...end.notes, ...records]
      await writer.batch([...end.operations, ...notes.map(putNote)], 'synced')
      const freed = new Map([
        [history.history, bounds.compactFreedBytesMin],
        [head.incarnation, countOf(history.hidden) * bytesOfRecord]
      ])
      return { notes, epoch: session.epoch, freed }
    })
    if (left === null) return false
    await sweepLater(this.#parts, document, left)
    return true
  }

  async #writeAtOnce(
    writer: Writer,
    request: HistoryRequest
  ): Promise<HistoryResult | 'too large for one batch'> {
    const { state, session, tidy } = this.#parts
    const generation = state.counters.nextIncarnation
    const change = await this.#change(writer, request, generation)
    if (change === null) return superseded
    await this.#checkNew(writer, request, change)
    const dropped = await keysOfBlobs(writer, change.mark.history, request.drops)
    if (dropped.length + countOf(change.gone) > bounds.removalKeysMax) return 'too large for one batch'
    const operations: Operation[] = this.#switchPuts(request, change)
    for (const { number, bytes } of request.blobs) {
      operations.push(...blobPuts(change.mark.history, number, bytes))
    }
    for (const key of dropped) operations.push({ type: 'del', key })
    for (const sequence of numbersIn(change.gone)) {
      operations.push({ type: 'del', key: recordKey(change.mark.incarnation, sequence) })
    }
    const counters = { ...state.counters, nextIncarnation: generation + 1 }
    await writer.batch([...operations, putCounters(counters)], 'synced')
    state.counters = counters
    for (const [incarnation, bytes] of freedBy(request, change, dropped.length)) {
      tidy.freed(session, incarnation, bytes)
    }
    return { outcome: 'written', generation }
  }

  async #writeInSteps(request: HistoryRequest): Promise<HistoryResult> {
    const { session } = this.#parts
    const attempt = await session.write(writer => this.#begin(writer, request))
    if (attempt === null) return superseded
    const undo = { notes: [attempt.note], epoch: attempt.epoch, freed: new Map<number, number>() }
    try {
      for (const step of steps(allPuts(attempt.history, request))) await this.#commit(attempt, step)
      const left = await session.write(writer => this.#switch(writer, attempt, request))
      await sweepLater(this.#parts, request.document, left ?? undo)
      return left === null ? superseded : { outcome: 'written', generation: attempt.generation }
    } catch (error) {
      // After a failed write the reopening removes the blobs, and this does nothing.
      if (session.epoch === attempt.epoch) await sweepLater(this.#parts, request.document, undo)
      throw error
    } finally {
      this.#attempts.delete(attempt)
    }
  }

  async #begin(writer: Writer, request: HistoryRequest): Promise<Attempt | null> {
    const { state, session } = this.#parts
    const generation = state.counters.nextIncarnation
    const change = await this.#change(writer, request, generation)
    if (change === null) return null
    await this.#checkNew(writer, request, change)
    const { history } = change.mark
    const numbers = request.blobs.map(each => each.number)
    const note = noteOfBlobs(history, generation, numbers)
    const counters = { ...state.counters, nextIncarnation: generation + 1 }
    await writer.batch([putNote(note), putCounters(counters)], 'synced')
    state.counters = counters
    const attempt = { history, generation, numbers: new Set(numbers), epoch: session.epoch, note }
    this.#attempts.add(attempt)
    return attempt
  }

  /** What is to be removed then, or null when the write was superseded meanwhile. */
  async #switch(writer: Writer, attempt: Attempt, request: HistoryRequest) {
    checkEpoch(attempt, this.#parts.session.epoch)
    const { generation, history, epoch } = attempt
    const change = await this.#change(writer, request, generation)
    if (change === null) return null
    const dropped = noteOfBlobs(history, generation, request.drops)
    const notes = [dropped, ...noteOfRecords(change.mark, generation, change.gone)]
    // The note of the drops takes the place of the one that said that the blobs are unfinished.
    await writer.batch([...this.#switchPuts(request, change), ...notes.map(putNote)], 'synced')
    return { notes, epoch, freed: freedBy(request, change, 0) }
  }

  /** Null: superseded. Throws STORE_ARGUMENT. */
  async #change(reader: Writer, request: HistoryRequest, generation: number): Promise<Change | null> {
    const head = await this.#parts.heads.get(reader, request.document)
    if (head === null || String(head.incarnation) !== request.incarnation) return null
    const { history: before } = await readNotes(reader, head.incarnation)
    if ((before?.generation ?? null) !== request.base) return null
    if (request.checkpoint !== undefined && request.checkpoint !== head.generation) return null
    if (isOther(request.through, singleWriter)) return null
    checkReleased(request, { before: before?.releasedTo ?? 0, head: head.lastSequence })
    const { incarnation } = head
    const { releasedTo, pins } = request
    const { history, hidden } = before ?? { history: generation, hidden: [] }
    const { mark, gone } = release({ incarnation, history, generation, releasedTo, pins, hidden })
    return { before, mark, gone }
  }

  #switchPuts(request: HistoryRequest, { mark }: Change): Operation[] {
    const { incarnation, history, generation } = mark
    const stored = { incarnation, history, generation, manifest: request.manifest }
    return [putManifest(request.document, stored), putMark(mark)]
  }

  /** A number names one blob in all of a life. */
  async #checkNew(reader: OrderedReader, { blobs }: HistoryRequest, { before, mark }: Change): Promise<void> {
    if (before === null) return
    const { history } = mark
    const underWay = [...this.#attempts].filter(each => each.history === history)
    const found = await reader.getMany(blobs.map(({ number }) => segmentKey(history, number, 0)))
    for (const [index, { number }] of blobs.entries()) {
      if (found[index] === undefined && !underWay.some(each => each.numbers.has(number))) continue
      throw new StoreError('STORE_ARGUMENT', `There is a blob ${number} already`)
    }
  }

  #commit(attempt: Attempt, operations: readonly Operation[]): Promise<void> {
    const { session } = this.#parts
    return session.write(writer => {
      checkEpoch(attempt, session.epoch)
      return writer.batch(operations, 'synced')
    })
  }
}

function checkEpoch(attempt: Attempt, epoch: number): void {
  if (attempt.epoch === epoch) return
  const text = 'The store was reopened after a failed write while a history was being written; it was undone'
  throw new StoreError('STORE_FAILED', text)
}

function requestBytes({ manifest, blobs }: HistoryRequest): number {
  return blobs.reduce((sum, { bytes }) => sum + bytes.length + 40, manifest.length)
}

function noteOfBlobs(history: number, generation: number, numbers: readonly number[]): GarbageNote {
  const garbage = { incarnation: history, firstGeneration: 0, lastGeneration: 0, runs: runsOf(numbers) }
  return noteOf(garbage, generation, 'blobs')
}

/** None where there is nothing to note. */
function noteOfRecords(
  { incarnation }: Pick<HistoryMark, 'incarnation'>,
  generation: number,
  runs: readonly Run[]
): GarbageNote[] {
  if (runs.length === 0) return []
  const garbage = { incarnation, firstGeneration: 0, lastGeneration: 0, runs }
  return [noteOf(garbage, generation, 'released')]
}

function* allPuts(history: number, { blobs }: HistoryRequest): Generator<Operation> {
  for (const { number, bytes } of blobs) yield* blobPuts(history, number, bytes)
}

/** Not more than one above what one batch removes. */
async function keysOfBlobs(
  reader: OrderedReader,
  history: number,
  numbers: readonly number[]
): Promise<Buffer[]> {
  const keys: Buffer[] = []
  for (const number of numbers) {
    const limit = bounds.removalKeysMax + 1 - keys.length
    if (limit <= 0) break
    const found = await collectRange(reader, {
      ...segmentRange(history, number, number),
      limit,
      values: 'omit'
    })
    for (const [key] of found) keys.push(key)
  }
  return keys
}

/**
 * About what goes: of records as the caller says, of blobs those parts that are full. Small ones are left to LevelDB's own
 * merging: a history is large, and would be written anew for each of them.
 */
function freedBy(request: HistoryRequest, { mark, gone }: Change, droppedKeys: number): Map<number, number> {
  const full = Math.max(0, droppedKeys - request.drops.length)
  const freed = new Map<number, number>()
  if (full > 0) freed.set(mark.history, full * bounds.batchBytesMax)
  if (gone.length > 0) freed.set(mark.incarnation, request.freedBytes ?? countOf(gone) * bytesOfRecord)
  return freed
}
