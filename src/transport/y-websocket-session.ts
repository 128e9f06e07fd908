/** A y-websocket connection: one socket, one room, named by the URL. */
import { type Admission, type Admitted, everybody } from '../access/admission.ts'
import type { Attempt } from '../access/grant.ts'
import type { Frame } from '../dialect/frame.ts'
import { decodeYWebsocket, yWebsocketEncoder } from '../dialect/y-websocket.ts'
import { Fault, toFault } from '../errors.ts'
import { Member } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import type { Connection, Session } from './connection.ts'

export type YWebsocketParts = {
  readonly connection: Connection
  readonly rooms: Rooms
  readonly admission: Admission
  /** Null when the path names no room. */
  readonly document: string | null
  readonly attempt: Pick<Attempt, 'address' | 'headers' | 'url'>
  /** Resolves when the connection has said something, so that whoever is asked about it is asked in its name. */
  readonly decided: Promise<void>
  /** What ends the connection before it is in its room. */
  readonly fail: (fault: Fault) => void
}

/** The session of a connection, in its room as soon as that is open. */
export function openYWebsocketSession(parts: YWebsocketParts): Session {
  const session = new YWebsocketSession(parts.connection, parts.fail)
  void session.open(parts)
  return session
}

class YWebsocketSession implements Session {
  readonly #connection: Connection
  #fail: (fault: Fault) => void
  #inside: { readonly room: Room; readonly member: Member } | null = null
  /** The first message, if it came before the room was open. What follows waits in the socket. */
  #first: Uint8Array | null = null
  #isClosed = false

  constructor(connection: Connection, fail: (fault: Fault) => void) {
    this.#connection = connection
    this.#fail = fail
  }

  /** Never rejects. */
  async open({ rooms, admission, document, attempt, decided }: YWebsocketParts): Promise<void> {
    try {
      if (document === null) throw new Fault('ERR_ROOM_NAME')
      if (admission.isOpen) return this.#enter(await rooms.open(document), everybody)
      await decided
      const token = tokenOf(attempt.url)
      const admitted = await admission.admit({ ...attempt, document, token, dialect: 'y-websocket' })
      this.#enter(await rooms.open(document), admitted)
    } catch (error) {
      if (!this.#isClosed) this.#refuse(toFault(error))
    } finally {
      if (this.#first !== null) this.#connection.resume()
      this.#first = null
    }
  }

  receive(message: Uint8Array): void {
    if (this.#inside !== null) {
      this.#inside.room.receive(this.#inside.member, decodeYWebsocket(message))
      return
    }
    this.#first = Uint8Array.from(message)
    this.#connection.pause()
  }

  drained(): void {
    this.#inside?.room.drained(this.#inside.member)
  }

  keepAlive(): Frame {
    return yWebsocketEncoder.keepAlive()
  }

  closed(): void {
    this.#isClosed = true
    this.#inside?.room.leave(this.#inside.member)
  }

  #enter(room: Room, { access }: Admitted): void {
    if (this.#isClosed) return
    const member = new Member(this.#connection, yWebsocketEncoder, access)
    room.enter(member)
    this.#inside = { room, member }
    // What was needed on the way in would stay in memory for as long as the connection.
    this.#fail = ignore
    if (this.#first !== null) room.receive(member, decodeYWebsocket(this.#first))
  }

  /** Browsers cannot see why an upgrade was refused, and older clients cannot read a close code. */
  #refuse(fault: Fault): void {
    if (isAboutAccess(fault)) this.#connection.send(yWebsocketEncoder.denied(fault.publicReason))
    this.#fail(fault)
  }
}

function ignore(): void {}

function isAboutAccess({ code }: Fault): boolean {
  return code === 'ERR_NOT_AUTHENTICATED' || code === 'ERR_FORBIDDEN' || code === 'ERR_AUTHENTICATION_TIMEOUT'
}

/** `?token=`, as y-websocket's `params` writes it. */
function tokenOf(url: string): string | null {
  const query = url.indexOf('?')
  return query === -1 ? null : new URLSearchParams(url.slice(query)).get('token')
}
