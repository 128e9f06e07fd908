/** An update up to a state vector: what a document that has gone no further holds of it. */
import type { ClockRuns } from '../document/clocks.ts'
import { writeBeginning } from '../document/struct-slice.ts'
import { UpdateBuilder } from '../document/update-builder.ts'
import { UpdateReader } from '../document/update-reader.ts'

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
