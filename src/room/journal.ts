/**
 * Group commit. As many batches are being made durable at a time as the store has lanes, a document in one of them;
 * the next one gathers meanwhile. It knows rooms only as writers and documents only as names.
 */
import type {
  AppendAnswer,
  AppendEntry,
  Floor,
  Incarnation,
  RecordIdentity,
  Store
} from '../../persistence/store.ts'
import type { LoadWindow } from '../base/load-window.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'

/** The life of a document that a writer's records belong to. */
export type Life = {
  /** Null: none was found, and the writer begins one or takes part in what began since. The journal learns it. */
  incarnation: Incarnation
  /** What is written is the document's beginning, or nothing. */
  isPlanting: boolean
  /** What the store said when the document was opened: what is known of its deletions ends there. Null: it says none. */
  readonly floor: Floor
}

export type Refused = Extract<AppendAnswer, { readonly outcome: 'gone' | 'conflict' }>

/** A room, as the journal sees it. The calls come in turn: take, then exactly one of durable, refused and failed. */
export type BatchWriter = {
  readonly name: string
  readonly life: Life
  /** Everything gathered so far as one record, or null when there is nothing (any more). */
  takeBatch(): Uint8Array | null
  /** Only if the document's head is this is what was taken last to be written; null: whatever it is. */
  readonly takenIfHead: number | null
  batchDurable(sequence: number, identity: RecordIdentity): void
  /** Nothing was written: the document is not (any more) what the writer took it for. */
  batchRefused(answer: Refused): void
  /** It may have been written or not. */
  batchFailed(cause: unknown): void
}

type Result = { readonly answers: readonly AppendAnswer[] } | { readonly cause: unknown }

/** Rooms beyond this many bytes wait for the next batch, so that one huge update delays the others once only. */
const batchBytesMax = 16 * 1024 * 1024

export class Journal {
  readonly #store: Store
  readonly #time: Time
  readonly #metrics: Metrics
  readonly #window: Pick<LoadWindow, 'writingMs'>
  /** Whether what is written leaves marks for the change feed. */
  readonly #leavesMarks: boolean
  readonly #waiting = new Set<BatchWriter>()
  #isScheduled = false
  /** Batches under way, at most as many as the store has lanes, and by document the one that it is in. */
  #appending = 0
  readonly #underWay = new Map<string, Promise<unknown>>()
  #onIdle: (() => void)[] = []
  #lastFailureMs: number | null = null
  #lastSuccessMs = Number.NEGATIVE_INFINITY
  #writtenAtMs = Number.NEGATIVE_INFINITY

  /** `window`: how long after the one before a batch begins; a lone one begins at once. */
  constructor(
    store: Store,
    {
      time,
      metrics,
      window,
      leavesMarks = false
    }: { time: Time; metrics: Metrics; window: Pick<LoadWindow, 'writingMs'>; leavesMarks?: boolean }
  ) {
    this.#leavesMarks = leavesMarks
    this.#store = store
    this.#window = window
    this.#time = time
    this.#metrics = metrics
  }

  /** When the last append failed, if none has succeeded since. */
  get lastFailureMs(): number | null {
    return this.#lastFailureMs
  }

  /** When an append succeeded last; minus infinity: none has. */
  get lastSuccessMs(): number {
    return this.#lastSuccessMs
  }

  /** The writer has something to take. Bounded by the number of rooms: a writer waits once. */
  enqueue(writer: BatchWriter): void {
    this.#waiting.add(writer)
    this.#schedule()
  }

  /** Resolves when everything enqueued has been written or has failed. */
  idle(): Promise<void> {
    if (!this.#isBusy()) return Promise.resolve()
    return new Promise(resolve => this.#onIdle.push(resolve))
  }

  /** Resolves when the write of the document that is under way now, if any, has ended one way or the other. */
  async written(document: string): Promise<void> {
    await this.#underWay.get(document)
  }

  #isBusy(): boolean {
    return this.#appending > 0 || this.#waiting.size > 0
  }

  #schedule(): void {
    if (this.#isScheduled || this.#appending >= this.#store.lanes) return
    this.#isScheduled = true
    const write = () => {
      this.#isScheduled = false
      void this.#write()
    }
    const waitMs = this.#writtenAtMs + this.#window.writingMs() - this.#time.nowMs()
    // Not now but when this turn's sockets have been read: what they brought belongs into the same batch.
    if (waitMs > 0) this.#time.after(waitMs, write)
    else this.#time.soon(write)
  }

  /** Never rejects: a failed append is handed to the rooms it concerns. */
  async #write(): Promise<void> {
    const { writers, entries } = this.#gather()
    // What still waits then is under way, and the end of that batch looks again.
    if (writers.length === 0 && this.#appending > 0) return
    if (writers.length > 0) {
      this.#writtenAtMs = this.#time.nowMs()
      this.#appending++
      const appending = this.#append(entries)
      for (const { name } of writers) this.#underWay.set(name, appending)
      // With lanes left, what could not go with this batch need not wait for its end.
      if (this.#waiting.size > 0) this.#schedule()
      const result = await appending
      this.#appending--
      for (const writer of writers) this.#underWay.delete(writer.name)
      this.#settle(writers, result)
    }
    if (this.#waiting.size > 0) this.#schedule()
    else if (this.#appending === 0) this.#resolveIdle()
  }

  #gather(): { writers: BatchWriter[]; entries: AppendEntry[] } {
    const writers: BatchWriter[] = []
    const entries: AppendEntry[] = []
    let bytes = 0
    for (const writer of this.#waiting) {
      if (bytes > batchBytesMax) break
      if (this.#underWay.has(writer.name)) continue
      this.#waiting.delete(writer)
      const record = writer.takeBatch()
      if (record === null) continue
      bytes += record.length
      writers.push(writer)
      const entry = entryOf(writer, record)
      entries.push(this.#leavesMarks ? { ...entry, leavesMark: true } : entry)
    }
    return { writers, entries }
  }

  async #append(entries: readonly AppendEntry[]): Promise<Result> {
    const startMs = this.#time.nowMs()
    try {
      const answers = await this.#store.append(entries)
      const nowMs = this.#time.nowMs()
      this.#metrics.batchWritten(entries.length, nowMs - startMs)
      this.#lastFailureMs = null
      this.#lastSuccessMs = nowMs
      return { answers }
    } catch (cause) {
      this.#metrics.batchFailed()
      this.#lastFailureMs = this.#time.nowMs()
      return { cause }
    }
  }

  #settle(writers: readonly BatchWriter[], result: Result): void {
    for (const [i, writer] of writers.entries()) {
      if ('cause' in result) writer.batchFailed(result.cause)
      else this.#deliver(writer, result.answers[i] as AppendAnswer)
    }
  }

  /** A bug in one room must not reach the others (I5): the room ends, and its members find it in the store. */
  #deliver(writer: BatchWriter, answer: AppendAnswer): void {
    if (answer.outcome === 'failed') {
      this.#metrics.batchFailed()
      return writer.batchFailed(answer.cause)
    }
    if (answer.outcome !== 'written') return writer.batchRefused(answer)
    try {
      writer.life.incarnation = answer.incarnation
      writer.batchDurable(answer.sequence, answer.identity)
    } catch (error) {
      writer.batchFailed(error)
    }
  }

  #resolveIdle(): void {
    const waiting = this.#onIdle
    this.#onIdle = []
    for (const resolve of waiting) resolve()
  }
}

function entryOf({ name, life, takenIfHead }: BatchWriter, record: Uint8Array): AppendEntry {
  if (life.isPlanting) return { document: name, record, ifHead: 0 }
  const { incarnation, floor } = life
  // What a room of no life knows of deletions ends at its floor: it must not begin a life with an old copy of a later one.
  const isBirth = incarnation === null && floor !== null
  const entry = { document: name, record, incarnation }
  const bound = isBirth ? { ...entry, ifFloor: floor } : entry
  return takenIfHead === null ? bound : { ...bound, ifHead: takenIfHead }
}
