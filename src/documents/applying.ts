/** An update given to a document's room, whichever room that is. */
import type { Author } from '../../persistence/author.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { overRestarts } from '../room/over-restarts.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'

/** `check`: throws when it is not to be committed to the room, in the turn in which it would be. */
export type CommitOptions = { readonly author: Author; readonly check?: (room: Room) => void }

/** As `Writing.apply`, in a new room if that one restarts: applying an update twice does no harm. */
export function applyIn(
  rooms: Pick<Rooms, 'open'>,
  document: string,
  scanned: ScannedUpdate,
  { author, check }: CommitOptions
): Promise<void> {
  const open = async () => {
    const room = await rooms.open(document)
    check?.(room)
    return room
  }
  return overRestarts(open, room => room.writing.apply(scanned, author))
}
