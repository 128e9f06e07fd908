/**
 * Group commit. One batch for all rooms is being made durable at a time; the next one gathers meanwhile. It knows
 * rooms only as writers and documents only as names.
 */
import type { Store } from '../../persistence/store.ts'
import type { Metrics } from '../metrics.ts'
import type { Time } from '../time.ts'

/** A room, as the journal sees it. The calls come in turn: take, then exactly one of durable and failed. */
export type BatchWriter = {
  readonly name: string
  /** Everything gathered so far as one record, or null when there is nothing (any more). */
  takeBatch(): Uint8Array | null
  batchDurable(sequence: number): void
  batchFailed(cause: unknown): void
}

/** Rooms beyond this many bytes wait for the next batch, so that one huge update delays the others once only. */
const batchBytesMax = 16 * 1024 * 1024

export class Journal {
  readonly #store: Store
  readonly #time: Time
  readonly #metrics: Metrics
  readonly #spacingMs: number
  readonly #waiting = new Set<BatchWriter>()
  #isScheduled = false
  #isWriting = false
  #onIdle: (() => void)[] = []
  #appending: Promise<unknown> = Promise.resolve()
  #lastFailureMs: number | null = null
  #writtenAtMs = Number.NEGATIVE_INFINITY

  /** `spacingMs`: while there is much to write, a batch begins so long after the one before; a lone one at once. */
  constructor(
    store: Store,
    { time, metrics, spacingMs }: { time: Time; metrics: Metrics; spacingMs: number }
  ) {
    this.#store = store
    this.#spacingMs = spacingMs
    this.#time = time
    this.#metrics = metrics
  }

  /** When the last append failed, if none has succeeded since. */
  get lastFailureMs(): number | null {
    return this.#lastFailureMs
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

  /** Resolves when the write that is under way now, if any, has ended one way or the other. */
  async written(): Promise<void> {
    await this.#appending
  }

  #isBusy(): boolean {
    return this.#isWriting || this.#waiting.size > 0
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWriting) return
    this.#isScheduled = true
    const write = () => {
      this.#isScheduled = false
      void this.#write()
    }
    const waitMs = this.#writtenAtMs + this.#spacingMs - this.#time.nowMs()
    // Not now but when this turn's sockets have been read: what they brought belongs into the same batch.
    if (waitMs > 0) this.#time.after(waitMs, write)
    else this.#time.soon(write)
  }

  /** Never rejects: a failed append is handed to the rooms it concerns. */
  async #write(): Promise<void> {
    const { writers, records } = this.#gather()
    if (writers.length > 0) {
      this.#writtenAtMs = this.#time.nowMs()
      this.#isWriting = true
      const appending = this.#append(writers, records)
      this.#appending = appending
      const result = await appending
      this.#isWriting = false
      this.#settle(writers, result)
    }
    if (this.#waiting.size > 0) this.#schedule()
    else this.#resolveIdle()
  }

  #gather(): { writers: BatchWriter[]; records: Uint8Array[] } {
    const writers: BatchWriter[] = []
    const records: Uint8Array[] = []
    let bytes = 0
    for (const writer of this.#waiting) {
      if (bytes > batchBytesMax) break
      this.#waiting.delete(writer)
      const record = writer.takeBatch()
      if (record === null) continue
      bytes += record.length
      writers.push(writer)
      records.push(record)
    }
    return { writers, records }
  }

  async #append(
    writers: readonly BatchWriter[],
    records: readonly Uint8Array[]
  ): Promise<{ sequences: number[] } | { cause: unknown }> {
    const startMs = this.#time.nowMs()
    try {
      const entries = writers.map((writer, i) => ({
        document: writer.name,
        record: records[i] as Uint8Array
      }))
      const sequences = await this.#store.append(entries)
      this.#metrics.batchWritten(writers.length, this.#time.nowMs() - startMs)
      this.#lastFailureMs = null
      return { sequences }
    } catch (cause) {
      this.#metrics.batchFailed()
      this.#lastFailureMs = this.#time.nowMs()
      return { cause }
    }
  }

  #settle(writers: readonly BatchWriter[], result: { sequences: number[] } | { cause: unknown }): void {
    for (const [i, writer] of writers.entries()) {
      if ('cause' in result) writer.batchFailed(result.cause)
      else this.#deliver(writer, result.sequences[i] as number)
    }
  }

  /** A bug in one room must not reach the others (I5): the room ends, and its members find it in the store. */
  #deliver(writer: BatchWriter, sequence: number): void {
    try {
      writer.batchDurable(sequence)
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
