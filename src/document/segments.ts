/**
 * A document's update cut in causal order into segments that can be sent, stored and applied one after the other, and
 * joined again. Structs are read from the bytes as they come up; nothing recurses.
 */
import { ByteWriter } from './byte-writer.ts'
import { ClockRuns } from './clocks.ts'
import { utf16Units } from './content-check.ts'
import { mergeUpdates, readDeletes } from './splice.ts'
import { textStart, writeTextPiece } from './struct-slice.ts'
import { UpdateBuilder } from './update-builder.ts'
import { none, structRef, UpdateReader } from './update-reader.ts'

export type Segment = {
  /** A Yjs V1 update with the deletions of its own structs. */
  readonly update: Uint8Array
  /**
   * For each client with structs in it, the clock after its last one. Taken together with all earlier segments' it is
   * the state vector; alone it tells whether a document at some vector has the segment already.
   */
  readonly ends: ReadonlyMap<number, number>
}

export const segmentBytesDefault = 262_144

/** Smaller segments would not pay for their headers, and could not hold one code point. */
const segmentBytesMin = 32

/**
 * Cuts the update of a document without gaps (as Y.encodeStateAsUpdate gives it) into segments of about
 * `segmentBytes`. A struct's origin, right origin, parent and predecessor stand in the same or an earlier segment.
 * Strings are cut between code points; any other struct larger than a segment stays whole. Deletions of structs that
 * the update does not hold go with the last segment. At least one segment; linear in the bytes.
 */
export function cutSegments(update: Uint8Array, options: { segmentBytes?: number } = {}): Segment[] {
  const { blocks, deletes } = readBlocks(update)
  const cutter = new SegmentCutter(deletes, options.segmentBytes ?? segmentBytesDefault)
  const byClient = new Map(blocks.map(block => [block.client, block]))
  for (const block of blocks) emitAll(block, byClient, cutter)
  return cutter.finish()
}

/** One update of all segments' updates, in whatever layout; strings that were cut are whole again. */
export function joinSegments(updates: readonly Uint8Array[]): Uint8Array {
  return mergeUpdates(updates)
}

/** A client's structs in the update; the one that comes next lies open in the reader. */
type Block = {
  readonly client: number
  readonly reader: UpdateReader
  /** Structs left, the open one included. */
  left: number
  /** Stands on the stack of `emitAll`. */
  isWaiting: boolean
}

function readBlocks(update: Uint8Array): { blocks: Block[]; deletes: ClockRuns } {
  const reader = new UpdateReader(update, 0)
  const blocks: Block[] = []
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    blocks.push({ client: reader.client, reader: readerOfBlock(reader), left: structs, isWaiting: false })
    for (let left = structs; left > 0; left--) reader.readStruct()
  }
  const deletes = new ClockRuns()
  readDeletes(reader, deletes)
  return { blocks, deletes }
}

/** A reader of its own for the block whose header was just read, with the first struct open. */
function readerOfBlock(reader: UpdateReader): UpdateReader {
  const own = new UpdateReader(reader.bytes, reader.pos)
  own.client = reader.client
  own.nextClock = reader.nextClock
  own.readStruct()
  return own
}

/**
 * Emits a block to its end. Where a struct hangs on another client's, that client's block is emitted first, so far as
 * needed: the stack holds each block at most once, as clocks that hang on one another in a circle do not exist in a
 * document (and would be emitted as they come).
 */
function emitAll(block: Block, blocks: ReadonlyMap<number, Block>, cutter: SegmentCutter): void {
  const stack: Block[] = []
  let current: Block | undefined = block
  while (current !== undefined) {
    const needed: Block | undefined = current.left > 0 ? firstNeeded(current, blocks) : undefined
    if (needed !== undefined) {
      current.isWaiting = true
      stack.push(current)
      current = needed
      continue
    }
    if (current.left > 0) emitOne(current, cutter)
    // A block that was needed goes on for as long as the one waiting for it still waits.
    const waiting = stack.at(-1)
    if (waiting === undefined ? current.left > 0 : firstNeeded(waiting, blocks) === current) continue
    current = stack.pop()
    if (current !== undefined) current.isWaiting = false
  }
}

function emitOne(block: Block, cutter: SegmentCutter): void {
  if (block.reader.info !== structRef.skip) cutter.add(block.reader)
  block.left--
  if (block.left > 0) block.reader.readStruct()
}

/** The block that holds a struct on which the block's open struct hangs and that is not emitted yet. */
function firstNeeded(block: Block, blocks: ReadonlyMap<number, Block>): Block | undefined {
  const { client, originClient, originClock, rightClient, rightClock, parentClient, parentClock } =
    block.reader
  const origin = originClient === client ? undefined : unmet(blocks, originClient, originClock)
  if (origin !== undefined) return origin
  const right = rightClient === client ? undefined : unmet(blocks, rightClient, rightClock)
  if (right !== undefined) return right
  return parentClient === client ? undefined : unmet(blocks, parentClient, parentClock)
}

function unmet(blocks: ReadonlyMap<number, Block>, client: number, clock: number): Block | undefined {
  if (client === none) return undefined
  const block = blocks.get(client)
  if (block === undefined || block.left === 0 || block.isWaiting || block.reader.clock > clock)
    return undefined
  return block
}

/** Struct bytes of one client in the segment being filled. */
type Part = {
  readonly client: number
  readonly clock: number
  clockEnd: number
  count: number
  chunks: Chunk[]
}

/** bytes[start, end): whole structs. */
type Chunk = { readonly bytes: Uint8Array; readonly start: number; end: number }

/** Gathers structs, in the order in which they may be applied, into segments. */
class SegmentCutter {
  readonly #deletes: ClockRuns
  readonly #segmentBytes: number
  readonly #segments: Segment[] = []
  /** What was emitted so far, to tell which deletions no segment took. */
  readonly #emitted = new ClockRuns()
  #parts = new Map<number, Part[]>()
  #bytes = 0

  constructor(deletes: ClockRuns, segmentBytes: number) {
    this.#deletes = deletes
    this.#segmentBytes = Math.max(segmentBytes, segmentBytesMin)
  }

  /** Takes the struct that lies open in the reader. */
  add(reader: UpdateReader): void {
    const size = reader.pos - reader.start
    if (this.#bytes > 0 && this.#bytes + size > this.#segmentBytes) this.#close()
    if (size > this.#segmentBytes && (reader.info & 0x1f) === structRef.string) this.#addInPieces(reader)
    else this.#addWhole(reader)
  }

  #addWhole(reader: UpdateReader): void {
    const chunk = { bytes: reader.bytes, start: reader.start, end: reader.pos }
    this.#addChunk(reader.client, chunk, { clock: reader.clock, clockEnd: reader.nextClock })
  }

  finish(): Segment[] {
    const rest = this.#deletes.subtract(this.#emitted)
    if (this.#bytes > 0 || this.#segments.length === 0 || rest.clientCount > 0) this.#close(rest)
    return this.#segments
  }

  /** A string larger than a segment: pieces between code points, each but the last one a segment. */
  #addInPieces(reader: UpdateReader): void {
    let start = textStart(reader)
    let clock = reader.clock
    while (start < reader.pos) {
      const bound = start + this.#segmentBytes
      const end = bound < reader.pos ? codePointStart(reader.bytes, bound) : reader.pos
      const clockEnd = clock + utf16Units(reader.bytes, start, end)
      const piece = new ByteWriter(end - start + 64)
      writeTextPiece(piece, reader, { offset: clock - reader.clock, start, end })
      const bytes = piece.finish()
      this.#addChunk(reader.client, { bytes, start: 0, end: bytes.length }, { clock, clockEnd })
      clock = clockEnd
      start = end
      if (start < reader.pos) this.#close()
    }
  }

  #addChunk(client: number, chunk: Chunk, struct: { clock: number; clockEnd: number }): void {
    this.#bytes += chunk.end - chunk.start
    const part = this.#partAt(client, struct.clock)
    part.clockEnd = struct.clockEnd
    part.count++
    const last = part.chunks.at(-1)
    if (last !== undefined && last.bytes === chunk.bytes && last.end === chunk.start) last.end = chunk.end
    else part.chunks.push(chunk)
  }

  /** The part of the segment that ends at this clock, else a new one. */
  #partAt(client: number, clock: number): Part {
    const parts = this.#parts.get(client)
    const last = parts?.at(-1)
    if (last?.clockEnd === clock) return last
    const part = { client, clock, clockEnd: clock, count: 0, chunks: [] }
    if (parts === undefined) this.#parts.set(client, [part])
    else parts.push(part)
    return part
  }

  #close(alsoDeleted: ClockRuns = new ClockRuns()): void {
    const builder = new UpdateBuilder(this.#bytes + 64)
    const deletes = alsoDeleted
    const ends = new Map<number, number>()
    for (const client of [...this.#parts.keys()].sort((a, b) => b - a)) {
      const parts = this.#parts.get(client) ?? []
      this.#writeParts(builder, parts, deletes)
      ends.set(client, parts.at(-1)?.clockEnd ?? 0)
    }
    this.#segments.push({ update: builder.finish(deletes), ends })
    this.#parts = new Map()
    this.#bytes = 0
  }

  #writeParts(builder: UpdateBuilder, parts: readonly Part[], deletes: ClockRuns): void {
    let end = none
    for (const part of parts) {
      if (end === none) builder.beginBlock(part.client, part.clock)
      else writeSkip(builder, part.clock - end)
      end = part.clockEnd
      for (const chunk of part.chunks) builder.body.writeRange(chunk.bytes, chunk.start, chunk.end)
      builder.countStructs(part.count)
      this.#emitted.add(part.client, part.clock, end - part.clock)
      this.#deletes.copyCovered(deletes, part.client, part.clock, end - part.clock)
    }
  }
}

/** Only an update with gaps comes here; a document has none. */
function writeSkip(builder: UpdateBuilder, length: number): void {
  builder.body.writeByte(structRef.skip)
  builder.body.writeVarUint(length)
  builder.countStructs(1)
}

/** The start of the code point that the byte belongs to. */
function codePointStart(bytes: Uint8Array, at: number): number {
  let start = at
  while (((bytes[start] ?? 0) & 0xc0) === 0x80) start--
  return start
}
