// What a room made up by the gallery begins with. Whoever opens it first writes it, and everybody who does so at the
// same time writes the same bytes: the clientID is made of the content, so two panes that open an empty room at once
// bring the same items, and a room that was emptied by hand stays empty.
import * as Y from 'yjs'
import type { Participant } from './participant.ts'
import { inventedPrefix, type RoomAddress } from './room.ts'

/** An origin of its own: undo takes back one's own edits, and the beginning is nobody's. */
const seedOrigin = 'seed'

export type Seed = {
  /** Tells whether the page's part of the document has never been written to. */
  isUntouched(doc: Y.Doc): boolean
  write(doc: Y.Doc): void
}

/** Writes the beginning once the server has said what there is. */
export function seedRoom(
  { doc, connection }: Participant,
  room: RoomAddress,
  { isUntouched, write }: Seed
): void {
  if (!room.name.startsWith(inventedPrefix)) return
  const stop = connection.watch(({ phase }) => {
    if (phase !== 'online') return
    stop()
    if (isUntouched(doc)) Y.applyUpdate(doc, seedUpdate(write), seedOrigin)
  })
}

/** The same for the same content, on every machine. */
export function seedUpdate(write: (doc: Y.Doc) => void): Uint8Array {
  const draft = new Y.Doc()
  draft.clientID = 0
  write(draft)
  const seed = new Y.Doc()
  seed.clientID = hash(Y.encodeStateAsUpdate(draft))
  write(seed)
  return Y.encodeStateAsUpdate(seed)
}

/** Tells whether nothing was ever written to a root type: what was deleted leaves its mark. */
export function isUntouchedType<Event>(type: Y.AbstractType<Event>): boolean {
  return type._start === null && type._map.size === 0
}

/** FNV-1a, 32 bits. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193) >>> 0
  return value
}
