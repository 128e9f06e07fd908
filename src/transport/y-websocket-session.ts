/** A y-websocket connection: one socket, one room, named by the URL. */
import type { Frame } from '../dialect/frame.ts'
import { decodeYWebsocket, yWebsocketEncoder } from '../dialect/y-websocket.ts'
import { toFault } from '../errors.ts'
import { Member } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import type { Connection, Session } from './connection.ts'

/** The session of a connection, in its room as soon as that is open. */
export function openYWebsocketSession(connection: Connection, opening: Promise<Room>): Session {
  const session = new YWebsocketSession(connection)
  // What the client says meanwhile waits in its socket.
  connection.pause()
  opening
    .then(room => session.enter(room))
    .catch((error: unknown) => connection.end(toFault(error)))
    .finally(() => connection.resume())
  return session
}

class YWebsocketSession implements Session {
  readonly #member: Member
  #room: Room | null = null
  #isClosed = false

  constructor(connection: Connection) {
    this.#member = new Member(connection, yWebsocketEncoder)
  }

  enter(room: Room): void {
    if (this.#isClosed) return
    room.enter(this.#member)
    this.#room = room
  }

  receive(message: Uint8Array): void {
    this.#room?.receive(this.#member, decodeYWebsocket(message))
  }

  drained(): void {
    this.#room?.drained(this.#member)
  }

  keepAlive(): Frame {
    return yWebsocketEncoder.keepAlive()
  }

  closed(): void {
    this.#isClosed = true
    this.#room?.leave(this.#member)
  }
}
