/**
 * Parts an update that hangs on something unknown: what Yjs would integrate of it by now, and what would wait. A struct is
 * integrated when all clocks of its client before it are, and its origins and its parent.
 */

import { UpdateBuilder } from '../document/update-builder.ts'
import { none, structRef, UpdateReader } from '../document/update-reader.ts'

/** A client's block, read up to its next struct, which lies open in the reader. */
type Block = {
  readonly reader: UpdateReader
  /** Structs that are left, the open one included. */
  left: number
  /** What was taken of it: structs side by side, from this clock on. */
  readonly takenStart: number
  readonly takenClock: number
  takenEnd: number
  taken: number
}

/** The parts are updates without deletions, or null where there is nothing. Known clocks are left out of `taken`. */
export type Split = { readonly taken: Uint8Array | null; readonly rest: Uint8Array | null }

/** `vector`: the end of each client's clocks that are known. */
export function splitAtUnknown(update: Uint8Array, vector: ReadonlyMap<number, number>): Split {
  const blocks = openBlocks(update, vector)
  const ends = new Map(vector)
  // What one block brings may be what another waits for, in either direction.
  for (let isMoving = true; isMoving; ) {
    isMoving = false
    for (const block of blocks) if (takeFrom(block, ends)) isMoving = true
  }
  return { taken: takenOf(blocks), rest: restOf(blocks) }
}

/** Each block from its first struct on that is not known. One that begins before that is left whole to `takenOf`. */
function openBlocks(update: Uint8Array, vector: ReadonlyMap<number, number>): Block[] {
  const reader = new UpdateReader(update, 0)
  const blocks: Block[] = []
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    let left = reader.readBlockHeader()
    const own = new UpdateReader(update, reader.pos)
    own.client = reader.client
    own.nextClock = reader.nextClock
    const known = vector.get(reader.client) ?? 0
    for (let structs = left; structs > 0; structs--) reader.readStruct()
    own.readStruct()
    while (left > 0 && (own.nextClock <= known || own.info === structRef.skip)) {
      left--
      if (left > 0) own.readStruct()
    }
    if (left > 0)
      blocks.push({
        reader: own,
        left,
        takenStart: own.start,
        takenClock: own.clock,
        takenEnd: own.start,
        taken: 0
      })
  }
  return blocks
}

function takeFrom(block: Block, ends: Map<number, number>): boolean {
  const { reader } = block
  let isMoved = false
  while (block.left > 0 && isKnown(reader, ends)) {
    ends.set(reader.client, Math.max(reader.nextClock, ends.get(reader.client) ?? 0))
    block.taken++
    block.takenEnd = reader.pos
    isMoved = true
    block.left--
    if (block.left > 0) reader.readStruct()
  }
  return isMoved
}

function isKnown(reader: UpdateReader, ends: ReadonlyMap<number, number>): boolean {
  const end = (client: number) => ends.get(client) ?? 0
  if (reader.info === structRef.skip || reader.clock > end(reader.client)) return false
  const { originClient, originClock, rightClient, rightClock, parentClient, parentClock } = reader
  if (originClient !== none && originClock >= end(originClient)) return false
  if (rightClient !== none && rightClock >= end(rightClient)) return false
  return parentClient === none || parentClock < end(parentClient)
}

function takenOf(blocks: readonly Block[]): Uint8Array | null {
  const builder = new UpdateBuilder(256)
  for (const { reader, taken, takenStart, takenEnd, takenClock } of blocks) {
    if (taken === 0) continue
    builder.beginBlock(reader.client, takenClock)
    builder.copyStructs(reader.bytes, { start: takenStart, end: takenEnd, count: taken })
  }
  return builder.isEmpty ? null : builder.finish(undefined)
}

function restOf(blocks: readonly Block[]): Uint8Array | null {
  const builder = new UpdateBuilder(256)
  for (const { reader, left } of blocks) {
    let structs = left
    // A block does not begin with what is left out.
    while (structs > 0 && reader.info === structRef.skip) {
      structs--
      if (structs > 0) reader.readStruct()
    }
    if (structs === 0) continue
    const { client, clock, start } = reader
    for (let more = structs - 1; more > 0; more--) reader.readStruct()
    builder.beginBlock(client, clock)
    builder.copyStructs(reader.bytes, { start, end: reader.pos, count: structs })
  }
  return builder.isEmpty ? null : builder.finish(undefined)
}
