/**
 * Assembles a Yjs V1 update from bytes of structs: client blocks first, whose struct counts are known only once the
 * block is complete, then the delete set. It trusts its callers for the order of clients and clocks.
 */
import { ByteWriter } from './byte-writer.ts'
import type { ClockRuns } from './clocks.ts'
import { writeDeleteSet } from './delete-set.ts'

export class UpdateBuilder {
  /** Where struct bytes go; tell `countStructs` how many were written. */
  readonly body: ByteWriter
  /** Per block: client, clock, number of structs, where its bytes begin in the body. */
  readonly #blocks: number[] = []

  constructor(capacity: number) {
    this.body = new ByteWriter(capacity)
  }

  /** Whether no block was begun. */
  get isEmpty(): boolean {
    return this.#blocks.length === 0
  }

  beginBlock(client: number, clock: number): void {
    this.#blocks.push(client, clock, 0, this.body.length)
  }

  countStructs(count: number): void {
    const at = this.#blocks.length - 2
    this.#blocks[at] = (this.#blocks[at] ?? 0) + count
  }

  /** Copies the bytes of `count` whole structs. */
  copyStructs(source: Uint8Array, range: { start: number; end: number; count: number }): void {
    this.body.writeRange(source, range.start, range.end)
    this.countStructs(range.count)
  }

  /** The update with these deletions, normalised; a new array. */
  finish(deletes: ClockRuns | undefined): Uint8Array {
    const out = this.#writeBlocks((deletes?.runCount ?? 0) * 6)
    if (deletes === undefined) out.writeByte(0)
    else writeDeleteSet(out, deletes)
    return out.toUint8Array()
  }

  /** The update with a delete set that is encoded already, at the end of `source`; a new array. */
  finishWith(source: Uint8Array, deleteSetStart: number): Uint8Array {
    const out = this.#writeBlocks(source.length - deleteSetStart)
    out.writeRange(source, deleteSetStart, source.length)
    return out.toUint8Array()
  }

  #writeBlocks(deleteSetBytes: number): ByteWriter {
    const blocks = this.#blocks
    const body = this.body.finish()
    const out = new ByteWriter(body.length + deleteSetBytes + 16 + blocks.length * 5)
    out.writeVarUint(blocks.length / 4)
    for (let i = 0; i < blocks.length; i += 4) {
      out.writeVarUint(blocks[i + 2] ?? 0)
      out.writeVarUint(blocks[i] ?? 0)
      out.writeVarUint(blocks[i + 1] ?? 0)
      out.writeRange(body, blocks[i + 3] ?? 0, blocks[i + 7] ?? body.length)
    }
    return out
  }
}
