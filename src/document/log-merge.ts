/**
 * A log that is read again: its small updates become a few large ones in one pass, as they come. It takes what people
 * type, and what it can append to what it has; everything else goes the long way, by `scanUpdate` and the tail.
 */
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns } from './clocks.ts'
import { sortRuns } from './runs.ts'
import type { ClockRange } from './scan.ts'
import { blockNumbers, deleteNumbers, SmallUpdate } from './small-update.ts'
import { UpdateBuilder } from './update-builder.ts'

/** Updates that follow one another in a log, as one. */
export type MergedUpdates = {
  readonly update: Uint8Array
  readonly structs: readonly ClockRange[]
  readonly deletes: ClockRuns
  /** Bytes and records of the updates it stands for. */
  readonly bytes: number
  readonly records: number
  readonly firstSequence: number
  readonly lastSequence: number
}

/** Where an update lies in a record, and the record's sequence number, which never decreases. */
export type Span = { readonly start: number; readonly end: number; readonly sequence: number }

/** Structs of one client, each following on the one before. */
type Block = {
  readonly client: number
  readonly clock: number
  readonly writer: ByteWriter
  end: number
  count: number
}

/** Above: the next one begins. Who comes back with nearly all of it is sent what it lacks of one of them. */
const mergedBytesMax = 64 * 1024
const deletesMax = 4_096

export class LogMerge {
  readonly #read = new SmallUpdate()

  #blocks = new Map<number, Block>()
  #block: Block | undefined
  /** Per client starts and ends in the order in which they came. */
  #deletes = new Map<number, number[]>()
  #deleteCount = 0
  #bytes = 0
  #records = 0
  #firstSequence = 0
  #lastSequence = 0

  /**
   * `taken`: it is part of what `finish` returns next. `full`: it would be once `finish` was called. `unusual`: never;
   * perhaps it cannot be read. Nothing is kept of the array.
   */
  take(record: Uint8Array, { start, end, sequence }: Span): 'taken' | 'full' | 'unusual' {
    if (!this.#read.read(record, start, end)) return 'unusual'
    if (this.#bytes > mergedBytesMax || this.#deleteCount > deletesMax || !this.#fits()) return 'full'
    this.#append(record)
    this.#appendDeletes()
    if (this.#bytes === 0) this.#firstSequence = sequence
    if (this.#bytes === 0 || sequence !== this.#lastSequence) this.#records++
    this.#lastSequence = sequence
    this.#bytes += end - start
    return 'taken'
  }

  /** What was taken since the last call, and begins anew; null if that is nothing. */
  finish(): MergedUpdates | null {
    if (this.#bytes === 0) return null
    const builder = new UpdateBuilder(this.#bytes)
    const structs: ClockRange[] = []
    // Yjs writes clients in descending order.
    for (const { client, clock, end, count, writer } of [...this.#blocks.values()].sort(byClient)) {
      structs.push({ client, clock, length: end - clock })
      builder.beginBlock(client, clock)
      builder.copyStructs(writer.finish(), { start: 0, end: writer.length, count })
    }
    const deletes = new ClockRuns()
    for (const [client, runs] of this.#deletes) deletes.addSorted(client, sortRuns(runs))
    const merged = {
      update: builder.finish(deletes),
      structs,
      deletes,
      bytes: this.#bytes,
      records: this.#records,
      firstSequence: this.#firstSequence,
      lastSequence: this.#lastSequence
    }
    this.#begin()
    return merged
  }

  #begin(): void {
    this.#blocks = new Map()
    this.#block = undefined
    this.#deletes = new Map()
    this.#deleteCount = 0
    this.#bytes = 0
    this.#records = 0
  }

  #blockOf(client: number): Block | undefined {
    if (this.#block?.client !== client) this.#block = this.#blocks.get(client)
    return this.#block
  }

  /** Whether what was read follows on what is there, or is there. */
  #fits(): boolean {
    const { blocks: read, blocksEnd } = this.#read
    for (let i = 0; i < blocksEnd; i += blockNumbers) {
      const block = this.#blockOf(at(read, i))
      if (block === undefined || block.end === at(read, i + 1)) continue
      if (at(read, i + 1) < block.clock || at(read, i + 2) > block.end) return false
    }
    return true
  }

  #append(record: Uint8Array): void {
    const { blocks: read, blocksEnd } = this.#read
    for (let i = 0; i < blocksEnd; i += blockNumbers) {
      const client = at(read, i)
      const clock = at(read, i + 1)
      let block = this.#blockOf(client)
      if (block === undefined) {
        block = { client, clock, writer: new ByteWriter(256), end: clock, count: 0 }
        this.#blocks.set(client, block)
        this.#block = block
      }
      if (block.end !== clock) continue
      block.writer.writeRange(record, at(read, i + 4), at(read, i + 5))
      block.end = at(read, i + 2)
      block.count += at(read, i + 3)
    }
  }

  #appendDeletes(): void {
    const { deletes: read, deletesEnd } = this.#read
    for (let i = 0; i < deletesEnd; i += deleteNumbers) {
      const client = at(read, i)
      const runs = this.#deletes.get(client)
      if (runs === undefined) this.#deletes.set(client, [at(read, i + 1), at(read, i + 2)])
      else runs.push(at(read, i + 1), at(read, i + 2))
    }
    this.#deleteCount += deletesEnd / deleteNumbers
  }
}

function byClient(one: Block, other: Block): number {
  return other.client - one.client
}

/** The index is always within the array; the fallback only satisfies the index type. */
function at(numbers: Float64Array, index: number): number {
  return numbers[index] ?? 0
}
