/** An update up to a state vector: what a document that has gone no further holds of it. */
import type { ByteWriter } from '../document/byte-writer.ts'
import type { ClockRuns } from '../document/clocks.ts'
import { UpdateBuilder } from '../document/update-builder.ts'
import { structRef, UpdateReader } from '../document/update-reader.ts'

/** U+FFFD, as Yjs writes it for each half of a surrogate pair that is cut. */
const replacementCharacter = new Uint8Array([0xef, 0xbf, 0xbd])

/**
 * The structs of the update below the vector, the last of each client cut to fit, with these deletions. The update must not
 * leave out clocks of a client below the vector. A new update. Throws ERR_UPDATE_MALFORMED.
 */
export function cutUpdate(
  update: Uint8Array,
  vector: ReadonlyMap<number, number>,
  deletes: ClockRuns
): Uint8Array {
  const reader = new UpdateReader(update, 0)
  const builder = new UpdateBuilder(update.length)
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    copyBlockUpTo(builder, reader, { structs, end: vector.get(reader.client) ?? 0 })
  }
  return builder.finish(deletes)
}

function copyBlockUpTo(
  builder: UpdateBuilder,
  reader: UpdateReader,
  { structs, end }: { structs: number; end: number }
): void {
  const first = reader.nextClock
  const start = reader.pos
  let whole = 0
  let wholeEnd = start
  let left = structs
  for (; left > 0; left--) {
    reader.readStruct()
    if (reader.nextClock > end) break
    whole++
    wholeEnd = reader.pos
  }
  const isCut = left > 0 && reader.clock < end
  if (whole > 0 || isCut) {
    builder.beginBlock(reader.client, first)
    builder.copyStructs(reader.bytes, { start, end: wholeEnd, count: whole })
  }
  if (isCut) {
    writeBeginning(builder.body, reader, end - reader.clock)
    builder.countStructs(1)
  }
  for (let rest = left - 1; rest > 0; rest--) reader.readStruct()
}

/** Writes the first `length` clocks of the struct that the reader holds, which has more. */
function writeBeginning(writer: ByteWriter, reader: UpdateReader, length: number): void {
  const ref = reader.info & 0x1f
  writer.writeRange(reader.bytes, reader.start, reader.contentStart)
  if (ref === structRef.string) return writeText(writer, reader, length)
  const content = new UpdateReader(reader.bytes, reader.contentStart)
  content.readVarUint()
  writer.writeVarUint(length)
  if (ref !== structRef.any && ref !== structRef.json) return
  const elements = content.pos
  content.passElements(ref, length)
  writer.writeRange(reader.bytes, elements, content.pos)
}

function writeText(writer: ByteWriter, reader: UpdateReader, units: number): void {
  const content = new UpdateReader(reader.bytes, reader.contentStart)
  content.readVarUint()
  const start = content.pos
  let end = start
  let passed = 0
  let before = start
  while (passed < units) {
    before = end
    const lead = reader.bytes[end] ?? 0
    end += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    passed += lead < 0xf0 ? 1 : 2
  }
  if (passed === units) {
    writer.writeVarUint(end - start)
    return writer.writeRange(reader.bytes, start, end)
  }
  writer.writeVarUint(before - start + replacementCharacter.length)
  writer.writeRange(reader.bytes, start, before)
  writer.writeRange(replacementCharacter, 0, replacementCharacter.length)
}
