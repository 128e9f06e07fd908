/**
 * Neighbouring strings of a client in an update as one: somebody's typing is a struct for each letter, and a history of
 * it would be ten times as long. Yjs joins them too once they are integrated. Cut again at the seam, the right part gets
 * the same origin and right origin back. A string that is the entry of a map cannot be told from one of a text by its
 * bytes: none is ever written by Yjs, and one that somebody makes by hand may look otherwise in a history.
 */
import { textStart } from '../document/struct-slice.ts'
import { UpdateBuilder } from '../document/update-builder.ts'
import { structRef, UpdateReader } from '../document/update-reader.ts'

/** A string that the next may extend. */
type Open = {
  readonly bytes: Uint8Array
  readonly start: number
  readonly contentStart: number
  readonly rightClient: number
  readonly rightClock: number
  nextClock: number
  /** Where its text lies: start, end, start, end, … */
  readonly texts: number[]
}

/** A new update without deletions. Throws ERR_UPDATE_MALFORMED. */
export function joinStrings(update: Uint8Array): Uint8Array {
  const reader = new UpdateReader(update, 0)
  const builder = new UpdateBuilder(update.length)
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    builder.beginBlock(reader.client, reader.nextClock)
    joinBlock(builder, reader, structs)
  }
  return builder.finish(undefined)
}

function joinBlock(builder: UpdateBuilder, reader: UpdateReader, structs: number): void {
  let open: Open | null = null
  for (let left = structs; left > 0; left--) {
    reader.readStruct()
    if (open !== null && continues(open, reader)) {
      open.nextClock = reader.nextClock
      open.texts.push(textStart(reader), reader.pos)
      continue
    }
    if (open !== null) write(builder, open)
    open = openOf(reader)
    if (open === null) builder.copyStructs(reader.bytes, { start: reader.start, end: reader.pos, count: 1 })
  }
  if (open !== null) write(builder, open)
}

function openOf(reader: UpdateReader): Open | null {
  if ((reader.info & 0x1f) !== structRef.string) return null
  const { bytes, start, contentStart, rightClient, rightClock, nextClock } = reader
  return {
    bytes,
    start,
    contentStart,
    rightClient,
    rightClock,
    nextClock,
    texts: [textStart(reader), reader.pos]
  }
}

function continues(open: Open, reader: UpdateReader): boolean {
  if ((reader.info & 0x1f) !== structRef.string || reader.clock !== open.nextClock) return false
  if (reader.originClient !== reader.client || reader.originClock !== reader.clock - 1) return false
  return reader.rightClient === open.rightClient && reader.rightClock === open.rightClock
}

function write(builder: UpdateBuilder, { bytes, start, contentStart, texts }: Open): void {
  const { body } = builder
  body.writeRange(bytes, start, contentStart)
  let length = 0
  for (let i = 0; i < texts.length; i += 2) length += (texts[i + 1] ?? 0) - (texts[i] ?? 0)
  body.writeVarUint(length)
  for (let i = 0; i < texts.length; i += 2) body.writeRange(bytes, texts[i] ?? 0, texts[i + 1] ?? 0)
  builder.countStructs(1)
}
