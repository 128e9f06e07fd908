/**
 * Whether an update touches a part of a document, from its bytes alone: what of it is deleted, and what is inserted into it.
 * When in doubt it does.
 */
import type { ClockRuns } from './clocks.ts'
import { none, structRef, UpdateReader } from './update-reader.ts'

/** A part of a document, by the ids of what it is made of. */
export type Guard = {
  /** What of it must not be deleted, the types around it included. */
  readonly deletes: ClockRuns
  /** Nothing may come right after one of these, nor right before one of those. */
  readonly origins: ClockRuns
  readonly rights: ClockRuns
  /** Nor may anything become the first of a type or of a key: something in it is empty, and has no ids. */
  readonly hasEmpty: boolean
}

/** Throws ERR_UPDATE_MALFORMED; what was taken into a document is not. O(bytes). */
export function touches(update: Uint8Array, guard: Guard): boolean {
  const reader = new UpdateReader(update, 0)
  const clients = reader.readVarUint()
  for (let i = 0; i < clients; i++) {
    const structs = reader.readBlockHeader()
    for (let k = 0; k < structs; k++) {
      reader.readStruct()
      if (isInside(reader, guard)) return true
    }
  }
  return deletesFrom(reader, guard)
}

function isInside(
  { originClient, originClock, rightClient, rightClock, info }: UpdateReader,
  { origins, rights, hasEmpty }: Guard
): boolean {
  if (originClient !== none && origins.covers(originClient, originClock, 1)) return true
  if (rightClient !== none && rights.covers(rightClient, rightClock, 1)) return true
  const ref = info & 0x1f
  const isItem = ref !== structRef.gc && ref !== structRef.skip
  return hasEmpty && isItem && originClient === none && rightClient === none
}

function deletesFrom(reader: UpdateReader, { deletes }: Guard): boolean {
  const clients = reader.readVarUint()
  for (let i = 0; i < clients; i++) {
    const client = reader.readVarUint()
    const ranges = reader.readVarUint()
    for (let k = 0; k < ranges; k++) {
      const clock = reader.readDeleteRange()
      if (deletes.touches({ client, clock, length: reader.length })) return true
    }
  }
  return false
}
