/** Work in the room of a document, whichever room that is. */
import { Fault } from '../base/errors.ts'

/** How often the work is done again because the room it was done in restarted. */
const attemptsMax = 5

/** A room that restarts has thrown away what it had not written: the work is done again in a new one, and must not mind. */
export async function overRestarts<Opened, T>(
  open: () => Promise<Opened>,
  work: (opened: Opened) => Promise<T>
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const opened = await open()
    try {
      return await work(opened)
    } catch (error) {
      const isOver = error instanceof Fault && error.code === 'ERR_ROOM_RESTARTS' && attempt < attemptsMax
      if (!isOver) throw error
    }
  }
}
