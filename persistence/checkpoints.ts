/**
 * Replacing records by a checkpoint, compare-and-set. Small ones are one batch; large ones go in steps:
 * a note that the new generation is unfinished, its segments, the switch (head, and a note of what it
 * replaces), and the removal. README.md says what a crash leaves after each step.
 */
import { checkCheckpoint } from './arguments.ts'
import { bounds } from './bounds.ts'
import {
  type Counters,
  encodeGarbage,
  type Garbage,
  type GarbagePurpose,
  garbageKey,
  type Head,
  kinds,
  recordKey,
  seal,
  segmentKey
} from './format.ts'
import { type GarbageNote, readNotes, sweep } from './garbage.ts'
import { hideReplaced, putMark } from './history-format.ts'
import type { Operation, OrderedReader } from './ordered.ts'
import { countOf, numbersIn, type Run, runsOf } from './runs.ts'
import { asStoreError, type Writer } from './session.ts'
import { type CheckpointRequest, type CheckpointResult, StoreError } from './store.ts'
import { birth, putCounters, putHead, type StoreParts } from './writing.ts'

const superseded: CheckpointResult = { outcome: 'superseded' }

/** A large checkpoint under way: the generation it writes and the opening of the database it belongs to. */
type Attempt = {
  readonly incarnation: number
  readonly generation: number
  readonly epoch: number
  readonly note: GarbageNote
}

export class Checkpoints {
  readonly #parts: StoreParts
  /** One per large checkpoint under way, so that two of one document write different generations. */
  readonly #attempts = new Set<Attempt>()

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** As `Store.checkpoint`. */
  async write(request: CheckpointRequest): Promise<CheckpointResult> {
    checkCheckpoint(request, Number.POSITIVE_INFINITY)
    if (requestBytes(request) <= bounds.batchBytesMax) {
      const result = await this.#parts.session.write(writer => this.#writeAtOnce(writer, request))
      if (result !== 'too large for one batch') return result
    }
    return this.#writeInSteps(request)
  }

  async #writeAtOnce(
    writer: Writer,
    request: CheckpointRequest
  ): Promise<CheckpointResult | 'too large for one batch'> {
    const { heads, state, tidy, session } = this.#parts
    const found = await heads.get(writer, request.document)
    if (!isCurrent(found, request)) return superseded
    const born = found === null ? bornBy(state.counters) : { head: found, counters: state.counters }
    const old = born.head
    checkCheckpoint(request, old.lastSequence)
    const { gone, marks } = await replacedBy(writer, old, request)
    if (countOf(gone) + old.segmentCount >= bounds.removalKeysMax) return 'too large for one batch'
    const generation = this.#nextGeneration(old)
    const head = { ...old, generation, segmentCount: request.segments.length }
    const put = [...generationPuts(head, request), putHead(request.document, head), ...marks]
    const operations = [...put, ...removals(old, gone)]
    if (found === null) operations.push(putCounters(born.counters))
    await writer.batch(operations, 'synced')
    state.counters = born.counters
    heads.set(request.document, head)
    tidy.freed(session, old.incarnation, request.freedBytes ?? requestBytes(request))
    return { outcome: 'written', generation }
  }

  async #writeInSteps(request: CheckpointRequest): Promise<CheckpointResult> {
    const attempt = await this.#parts.session.write(writer => this.#begin(writer, request))
    if (attempt === null) return superseded
    try {
      for (const step of steps(generationPuts(attempt, request))) await this.#commit(attempt, step)
      const replaced = await this.#parts.session.write(writer => this.#switch(writer, attempt, request))
      await this.#remove(attempt, replaced ?? attempt.note, request)
      return replaced === null ? superseded : { outcome: 'written', generation: attempt.generation }
    } catch (error) {
      // After a failed write the reopening removes the segments, and this does nothing.
      await this.#remove(attempt, attempt.note, request)
      throw error
    } finally {
      this.#attempts.delete(attempt)
    }
  }

  async #begin(writer: Writer, request: CheckpointRequest): Promise<Attempt | null> {
    const { heads, state, session } = this.#parts
    const found = await heads.get(writer, request.document)
    if (!isCurrent(found, request)) return null
    const born = found === null ? bornBy(state.counters) : { head: found, counters: state.counters }
    const { incarnation } = born.head
    const generation = this.#nextGeneration(born.head)
    const garbage = { incarnation, firstGeneration: generation, lastGeneration: generation, runs: [] }
    const note = noteOf(garbage, generation, 'unfinished')
    const attempt = { incarnation, generation, epoch: session.epoch, note }
    const counted = found === null ? [putCounters(born.counters)] : []
    await writer.batch([putNote(note), ...counted], 'synced')
    state.counters = born.counters
    this.#attempts.add(attempt)
    return attempt
  }

  /** The note of what was replaced, or null when the checkpoint was superseded meanwhile. */
  async #switch(writer: Writer, attempt: Attempt, request: CheckpointRequest): Promise<GarbageNote | null> {
    const { heads, session, state } = this.#parts
    checkEpoch(attempt, session.epoch)
    const found = await heads.get(writer, request.document)
    if (!isCurrent(found, request)) return null
    const { incarnation, generation } = attempt
    const old = found ?? { ...bornBy(state.counters).head, incarnation }
    checkCheckpoint(request, old.lastSequence)
    const head = { ...old, generation, segmentCount: request.segments.length }
    const { gone, marks } = await replacedBy(writer, old, request)
    const garbage: Garbage = {
      incarnation,
      firstGeneration: old.generation,
      lastGeneration: old.generation,
      runs: gone
    }
    const note = noteOf(garbage, generation, 'replaced')
    const finished: Operation = { type: 'del', key: attempt.note.key }
    await writer.batch([putHead(request.document, head), putNote(note), ...marks, finished], 'synced')
    heads.set(request.document, head)
    return note
  }

  /** Never rejects: what could not be removed is hidden by its note and removed at the next opening. */
  async #remove(attempt: Attempt, note: GarbageNote, request: CheckpointRequest): Promise<void> {
    const { session, tidy, onReport } = this.#parts
    if (session.epoch !== attempt.epoch) return
    try {
      const commit = (operations: readonly Operation[]) => this.#commit(attempt, operations)
      await sweep({ read: work => session.read(work), commit }, note)
      tidy.freed(session, attempt.incarnation, request.freedBytes ?? requestBytes(request))
    } catch (error) {
      if (session.epoch !== attempt.epoch) return
      onReport({ kind: 'removal-failed', document: request.document, cause: asStoreError(error) })
    }
  }

  #commit(attempt: Attempt, operations: readonly Operation[]): Promise<void> {
    const { session } = this.#parts
    return session.write(writer => {
      checkEpoch(attempt, session.epoch)
      return writer.batch(operations, 'synced')
    })
  }

  #nextGeneration(head: Head): number {
    let highest = head.generation
    for (const attempt of this.#attempts) {
      if (attempt.incarnation === head.incarnation) highest = Math.max(highest, attempt.generation)
    }
    return highest + 1
  }
}

/** A note about garbage, to be written in the batch that makes it true. */
export function noteOf(garbage: Garbage, generation: number, purpose: GarbagePurpose): GarbageNote {
  return { key: garbageKey(garbage.incarnation, generation, purpose), garbage }
}

export function putNote(note: GarbageNote): Operation {
  return { type: 'put', key: note.key, value: seal(note.key, kinds.garbage, encodeGarbage(note.garbage)) }
}

/** As `birth`; a checkpoint that begins a document takes a number, so that the head says that there is one. */
function bornBy(counters: Counters): { head: Head; counters: Counters } {
  const born = birth(counters)
  return { ...born, head: { ...born.head, lastSequence: born.head.lastSequence + 1 } }
}

function isCurrent(head: Head | null, request: CheckpointRequest): boolean {
  if (head === null) return request.incarnation === null && request.base === null
  return String(head.incarnation) === request.incarnation && head.generation === (request.base ?? 0)
}

/** Of what is replaced, the records that go; and what says of the others that the history of the document has them. */
async function replacedBy(
  reader: OrderedReader,
  { incarnation }: Head,
  { replaces }: CheckpointRequest
): Promise<{ gone: readonly Run[]; marks: readonly Operation[] }> {
  const replaced = runsOf(replaces)
  const { history } = await readNotes(reader, incarnation)
  if (history === null) return { gone: replaced, marks: [] }
  const { mark, gone } = hideReplaced(history, replaced)
  return { gone, marks: [putMark(mark)] }
}

function checkEpoch(attempt: Attempt, epoch: number): void {
  if (attempt.epoch === epoch) return
  const text =
    'The store was reopened after a failed write while a checkpoint was being written; it was undone'
  throw new StoreError('STORE_FAILED', text)
}

function requestBytes(request: CheckpointRequest): number {
  const fixed = request.meta.length + request.replaces.length * 20
  return request.segments.reduce((sum, segment) => sum + segment.length + 20, fixed)
}

function removals(old: Head, gone: readonly Run[]): Operation[] {
  const { incarnation, generation, segmentCount } = old
  const removed: Operation[] = []
  for (const sequence of numbersIn(gone)) removed.push({ type: 'del', key: recordKey(incarnation, sequence) })
  if (generation === 0) return removed
  for (let index = 0; index <= segmentCount; index++) {
    removed.push({ type: 'del', key: segmentKey(incarnation, generation, index) })
  }
  return removed
}

/** One at a time: a large checkpoint is not held in memory twice. */
function* generationPuts(
  { incarnation, generation }: { readonly incarnation: number; readonly generation: number },
  request: CheckpointRequest
): Generator<Operation> {
  let index = 0
  for (const bytes of [request.meta, ...request.segments]) {
    const key = segmentKey(incarnation, generation, index)
    yield { type: 'put', key, value: seal(key, index === 0 ? kinds.checkpointMeta : kinds.segment, bytes) }
    index++
  }
}

/** Operations in batches of about `batchBytesMax`; a larger one is a batch of its own. */
export function* steps(operations: Iterable<Operation>): Generator<Operation[]> {
  let step: Operation[] = []
  let stepBytes = 0
  for (const operation of operations) {
    const size = operation.key.length + (operation.type === 'put' ? operation.value.length : 0)
    if (step.length > 0 && stepBytes + size > bounds.batchBytesMax) {
      yield step
      step = []
      stepBytes = 0
    }
    step.push(operation)
    stepBytes += size
  }
  if (step.length > 0) yield step
}
