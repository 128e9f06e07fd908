/**
 * Union and difference of Yjs V1 updates on their bytes, in place of Y.mergeUpdates and Y.diffUpdate. Structs are
 * copied, cut or joined, never decoded. Updates given to it have passed `scanUpdate`; others throw its fault.
 */
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns } from './clocks.ts'
import type { ClockRange } from './scan.ts'
import { sliceStruct } from './struct-slice.ts'
import { UpdateBuilder } from './update-builder.ts'
import { infoBit, structRef, UpdateReader } from './update-reader.ts'

/** Where a struct lies in an update, and what decides whether it continues the one before it. */
type Head = {
  readonly info: number
  readonly clock: number
  readonly length: number
  readonly start: number
  readonly end: number
  readonly contentStart: number
  /** Whether its origin is the clock right before it. */
  readonly followsOn: boolean
  readonly rightClient: number
  readonly rightClock: number
}

/** Structs of one client without a gap, side by side in one update. */
type Piece = {
  readonly bytes: Uint8Array
  readonly client: number
  readonly clock: number
  readonly clockEnd: number
  readonly count: number
  readonly first: Head
  readonly last: Head
}

/**
 * One update with everything that is in any of them: where two bring the same clocks the one that begins lower, then
 * the earlier one, wins; gaps become Skip structs; deletions are united. Neighbouring deleted content and GC of a client
 * are joined where Yjs itself would join them. A single update is returned as it is, not copied.
 * O(n log n) in the number of client blocks, linear in the bytes.
 */
export function mergeUpdates(updates: readonly Uint8Array[]): Uint8Array {
  const [first] = updates
  if (first !== undefined && updates.length === 1) return first
  const pieces: Piece[] = []
  const deletes = new ClockRuns()
  let bytes = 0
  for (const update of updates) {
    readPieces(update, pieces, deletes)
    bytes += update.length
  }
  // The sort is stable, so the earlier update comes first among equals.
  pieces.sort((a, b) => b.client - a.client || a.clock - b.clock)
  const merger = new Merger(new UpdateBuilder(bytes + 64))
  for (const piece of pieces) merger.add(piece)
  return merger.finish(deletes)
}

/**
 * What the update holds beyond the state vector (client to clock): the structs at or above it, the first of each
 * client cut to fit, and the whole delete set. Applied to a document at that vector it means what Y.diffUpdate means.
 */
export function diffUpdate(update: Uint8Array, vector: ReadonlyMap<number, number>): Uint8Array {
  const reader = new UpdateReader(update, 0)
  const builder = new UpdateBuilder(Math.min(update.length + 64, 4096))
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    copyBlockFrom(builder, reader, { structs, clock: vector.get(reader.client) ?? 0 })
  }
  return builder.finishWith(update, reader.pos)
}

/** Copies what a block holds from the clock on, beginning with a struct that is no Skip; reads the block to its end. */
function copyBlockFrom(
  builder: UpdateBuilder,
  reader: UpdateReader,
  from: { structs: number; clock: number }
): void {
  let left = from.structs
  let found = false
  while (left > 0 && !found) {
    reader.readStruct()
    left--
    found = reader.nextClock > from.clock && reader.info !== structRef.skip
  }
  if (!found) return
  const offset = Math.max(0, from.clock - reader.clock)
  builder.beginBlock(reader.client, reader.clock + offset)
  if (offset > 0) sliceStruct(builder.body, reader, offset)
  const start = offset > 0 ? reader.pos : reader.start
  if (offset > 0) builder.countStructs(1)
  const count = offset > 0 ? left : left + 1
  for (; left > 0; left--) reader.readStruct()
  builder.copyStructs(reader.bytes, { start, end: reader.pos, count })
}

/** Adds an update's structs to `pieces`, without its Skips, and its deletions to `deletes`. */
function readPieces(update: Uint8Array, pieces: Piece[], deletes: ClockRuns): void {
  const reader = new UpdateReader(update, 0)
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    readPiecesOfBlock(reader, structs, pieces)
  }
  readDeletes(reader, deletes)
}

/** Adds the delete set, at which the reader stands, to `deletes`. */
export function readDeletes(reader: UpdateReader, deletes: ClockRuns): void {
  deletes.addAll(deleteRanges(reader))
}

function* deleteRanges(reader: UpdateReader): Generator<ClockRange> {
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const client = reader.readVarUint()
    for (let ranges = reader.readVarUint(); ranges > 0; ranges--) {
      const clock = reader.readDeleteRange()
      yield { client, clock, length: reader.length }
    }
  }
}

function readPiecesOfBlock(reader: UpdateReader, structs: number, pieces: Piece[]): void {
  let first: Head | undefined
  let lastStart = 0
  let lastClock = 0
  let count = 0
  const close = () => {
    if (first === undefined) return
    const last = count === 1 ? first : readHead(reader, lastStart, lastClock)
    const { bytes, client } = reader
    pieces.push({ bytes, client, clock: first.clock, clockEnd: last.clock + last.length, count, first, last })
    first = undefined
  }
  for (let left = structs; left > 0; left--) {
    reader.readStruct()
    if (reader.info === structRef.skip) {
      close()
      continue
    }
    if (first === undefined) {
      first = headOf(reader)
      count = 0
    }
    count++
    lastStart = reader.start
    lastClock = reader.clock
  }
  close()
}

/** The head of the struct that the reader holds. */
function headOf(reader: UpdateReader): Head {
  return {
    info: reader.info,
    clock: reader.clock,
    length: reader.length,
    start: reader.start,
    end: reader.pos,
    contentStart: reader.contentStart,
    followsOn: reader.originClient === reader.client && reader.originClock === reader.clock - 1,
    rightClient: reader.rightClient,
    rightClock: reader.rightClock
  }
}

/** The head of another struct of the block that the reader is in. */
function readHead(reader: UpdateReader, start: number, clock: number): Head {
  return headOf(readerAt(reader, start, clock))
}

function readerAt(block: { bytes: Uint8Array; client: number }, start: number, clock: number): UpdateReader {
  const reader = new UpdateReader(block.bytes, start)
  reader.client = block.client
  reader.nextClock = clock
  reader.readStruct()
  return reader
}

/** Writes pieces that come in order of client, then clock. The struct written last stays open: the next may extend it. */
class Merger {
  readonly #builder: UpdateBuilder
  #client = -1
  /** The clock behind all that was written of the client. */
  #clock = 0
  #open: OpenStruct | undefined

  constructor(builder: UpdateBuilder) {
    this.#builder = builder
  }

  add(piece: Piece): void {
    if (piece.client !== this.#client) this.#beginClient(piece)
    if (piece.clockEnd <= this.#clock) return
    if (piece.clock > this.#clock) this.#writeSkip(piece.clock - this.#clock)
    this.#append(piece.clock < this.#clock ? cutPiece(piece, this.#clock) : piece)
  }

  finish(deletes: ClockRuns): Uint8Array {
    this.#close()
    return this.#builder.finish(deletes)
  }

  #beginClient(piece: Piece): void {
    this.#close()
    this.#builder.beginBlock(piece.client, piece.clock)
    this.#client = piece.client
    this.#clock = piece.clock
  }

  #writeSkip(length: number): void {
    this.#close()
    this.#builder.body.writeByte(structRef.skip)
    this.#builder.body.writeVarUint(length)
    this.#builder.countStructs(1)
  }

  #append(piece: Piece): void {
    const joined = this.#open?.join(piece.first) ?? false
    this.#clock = piece.clockEnd
    if (joined && piece.count === 1) return
    this.#close()
    const start = joined ? piece.first.end : piece.first.start
    const count = joined ? piece.count - 2 : piece.count - 1
    this.#builder.copyStructs(piece.bytes, { start, end: piece.last.start, count })
    this.#open = new OpenStruct(piece.bytes, piece.last)
  }

  #close(): void {
    if (this.#open === undefined) return
    this.#open.write(this.#builder.body)
    this.#builder.countStructs(1)
    this.#open = undefined
  }
}

/** A struct that may grow before it is written. */
class OpenStruct {
  readonly #bytes: Uint8Array
  readonly #head: Head
  #length: number

  constructor(bytes: Uint8Array, head: Head) {
    this.#bytes = bytes
    this.#head = head
    this.#length = head.length
  }

  /**
   * Takes the next struct in, if Yjs would join them after integration (GC.mergeWith, Item.mergeWith) whatever stands
   * between: cut again at the seam, the right part gets the same origin and right origin back.
   *
   * Strings are not joined, although Yjs joins those of a text: by its bytes a string cannot be told from one whose
   * origin is an entry of a map, where the next one replaces this one. No honest client writes such a string, but one
   * that does would make those who get them joined and those who do not disagree for ever.
   */
  join(next: Head): boolean {
    const ref = this.#head.info & 0x1f
    if (next.clock !== this.#head.clock + this.#length || (next.info & 0x1f) !== ref) return false
    if (ref === structRef.deleted) {
      if (!next.followsOn || (this.#head.info & infoBit.parentSub) !== 0) return false
      if (next.rightClient !== this.#head.rightClient || next.rightClock !== this.#head.rightClock)
        return false
    } else if (ref !== structRef.gc) {
      return false
    }
    this.#length += next.length
    return true
  }

  write(writer: ByteWriter): void {
    const { start, end, contentStart, length } = this.#head
    if (this.#length === length) {
      writer.writeRange(this.#bytes, start, end)
      return
    }
    writer.writeRange(this.#bytes, start, contentStart)
    writer.writeVarUint(this.#length)
  }
}

/** The piece from the clock on, which lies within it; the struct that it cuts makes new bytes necessary. */
function cutPiece(piece: Piece, clock: number): Piece {
  const reader = readerAt(piece, piece.first.start, piece.clock)
  let count = piece.count
  while (reader.nextClock <= clock) {
    reader.readStruct()
    count--
  }
  const writer = new ByteWriter(piece.last.end - reader.start + 32)
  const cut = clock > reader.clock
  if (cut) sliceStruct(writer, reader, clock - reader.clock)
  writer.writeRange(piece.bytes, cut ? reader.pos : reader.start, piece.last.end)
  const block = new UpdateReader(writer.toUint8Array(), 0)
  block.client = piece.client
  block.nextClock = clock
  const pieces: Piece[] = []
  readPiecesOfBlock(block, count, pieces)
  return pieces[0] ?? piece
}
