/**
 * Whether a document can be slow to load. Yjs looks for the place of a struct among those that compete for it, and cuts
 * structs where they are deleted in part: in the worst case all others for each.
 */
import { UpdateReader } from './update-reader.ts'

/** Whether the update has at most so many structs and ranges of deletions. Throws ERR_UPDATE_MALFORMED. O(bytes). */
export function hasPartsAtMost(update: Uint8Array, partsMax: number): boolean {
  const reader = new UpdateReader(update, 0)
  let parts = 0
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    const structs = reader.readBlockHeader()
    parts += structs
    if (parts > partsMax) return false
    for (let left = structs; left > 0; left--) reader.readStruct()
  }
  for (let clients = reader.readVarUint(); clients > 0; clients--) {
    reader.readVarUint()
    const ranges = reader.readVarUint()
    parts += ranges
    if (parts > partsMax) return false
    for (let left = ranges; left > 0; left--) reader.readDeleteRange()
  }
  return true
}
