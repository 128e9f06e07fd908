/** An update given to a document's room, whichever room that is. */
import type { Author } from '../../persistence/author.ts'
import { Fault } from '../base/errors.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'

/** `check`: throws when it is not to be committed to the room, in the turn in which it would be. */
export type CommitOptions = { readonly author: Author; readonly check?: (room: Room) => void }

/** How often an update is given to a new room because the one it was in restarted. */
const attemptsMax = 5

/**
 * As `Room.apply`. A room that restarts has thrown away what it had not written; applying an update twice does no harm.
 */
export async function applyIn(
  rooms: Pick<Rooms, 'open'>,
  document: string,
  scanned: ScannedUpdate,
  { author, check }: CommitOptions
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const room = await rooms.open(document)
    check?.(room)
    try {
      return await room.writing.apply(scanned, author)
    } catch (error) {
      const isOver = error instanceof Fault && error.code === 'ERR_ROOM_RESTARTS' && attempt < attemptsMax
      if (!isOver) throw error
    }
  }
}
