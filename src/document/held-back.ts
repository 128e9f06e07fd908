/**
 * One update as several frames that a Yjs client shows at once: until the last frame everything waits as pending,
 * because each client's first struct is held back for it. It must not know what carries the frames.
 */
import { UpdateBuilder } from './update-builder.ts'
import { UpdateReader } from './update-reader.ts'

/**
 * Splits an update into valid updates of about `frameBytesMax` bytes, to be applied in order. The first struct of each
 * client and the whole delete set are in the last one, which may exceed the size, as may a single struct. Frames before
 * the last change nothing that an observer sees; the last integrates all in one transaction. The update itself is
 * answered, not copied, when it fits one frame. Linear in the bytes.
 */
export function heldBackFrames(update: Uint8Array, frameBytesMax: number): Uint8Array[] {
  if (update.length <= frameBytesMax) return [update]
  const frames: Uint8Array[] = []
  const reader = new UpdateReader(update, 0)
  const last = new UpdateBuilder(frameBytesMax)
  let rest = new UpdateBuilder(frameBytesMax)
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    holdBackFirst(last, reader)
    let left = structs - 1
    while (left > 0) {
      left -= copyStructs(rest, reader, { count: left, until: reader.pos + frameBytesMax - rest.body.length })
      if (rest.body.length < frameBytesMax) continue
      frames.push(rest.finish(undefined))
      rest = new UpdateBuilder(frameBytesMax)
    }
  }
  if (!rest.isEmpty) frames.push(rest.finish(undefined))
  frames.push(last.finishWith(update, reader.pos))
  return frames
}

function holdBackFirst(last: UpdateBuilder, reader: UpdateReader): void {
  reader.readStruct()
  last.beginBlock(reader.client, reader.clock)
  last.copyStructs(reader.bytes, { start: reader.start, end: reader.pos, count: 1 })
}

/** Copies structs up to the first that ends at or beyond the byte `until`, at least one; answers how many. */
function copyStructs(
  rest: UpdateBuilder,
  reader: UpdateReader,
  bound: { count: number; until: number }
): number {
  const start = reader.pos
  rest.beginBlock(reader.client, reader.nextClock)
  let count = 0
  do {
    reader.readStruct()
    count++
  } while (count < bound.count && reader.pos < bound.until)
  rest.copyStructs(reader.bytes, { start, end: reader.pos, count })
  return count
}
