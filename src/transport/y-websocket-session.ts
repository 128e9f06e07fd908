/** A y-websocket connection: one socket, one room, named by the URL. */
import type { Visitor } from '../access/grant.ts'
import type { Holder } from '../access/pass.ts'
import { Fault, isAboutAccess, toFault } from '../base/errors.ts'
import type { Frame } from '../dialect/frame.ts'
import { firstYWebsocket, yWebsocketEncoder } from '../dialect/y-websocket.ts'
import type { Connection } from './connection.ts'
import { Seat, type SeatParts } from './seat.ts'
import type { Session } from './session.ts'

/** What a session is told on the way in, and tells. */
export type Entrance = {
  /** Resolves when the connection has said something, so that whoever is asked about it is asked in its name. */
  decided(): Promise<void>
  /** What ends the connection before it is in its room. */
  failed(fault: Fault): void
}

export type YWebsocketParts = {
  /** Those of all seats. */
  readonly seats: SeatParts
  readonly connection: Connection
  /** Or why the URL can name none. */
  readonly document: string | Fault
  readonly visitor: Visitor
}

/** The session of a connection, in its room as soon as that is open. */
export function openYWebsocketSession(parts: YWebsocketParts, entrance: Entrance): Session {
  const session = new YWebsocketSession(parts.connection, entrance)
  void session.open(parts)
  return session
}

class YWebsocketSession implements Session, Holder {
  readonly #connection: Connection
  /** Null once it is in its room: what was needed on the way in would stay in memory as long as the connection. */
  #entrance: Entrance | null
  #seat: Seat | null = null
  /** Something came before the room was open: it waits in the connection, and what follows in the socket. */
  #isWaiting = false
  #isClosed = false

  constructor(connection: Connection, entrance: Entrance) {
    this.#connection = connection
    this.#entrance = entrance
  }

  /** Never rejects. */
  async open(parts: YWebsocketParts): Promise<void> {
    const { document, visitor, seats } = parts
    try {
      if (document instanceof Fault) throw document
      const seat = new Seat(seats, visitor, document)
      this.#seat = seat
      if (!seat.isOpen) {
        await this.#entrance?.decided()
        if (this.#isClosed) return
        await seat.admit({ token: null, dialect: 'y-websocket' }, this.#connection.id, this)
        this.#connection.admitted()
      }
      this.#enter(seat, await seat.open())
    } catch (error) {
      if (!this.#isClosed) this.refused(toFault(error))
    } finally {
      const isWaiting = this.#isWaiting
      this.#isWaiting = false
      if (isWaiting) this.#connection.release()
    }
  }

  receive(bytes: Uint8Array): number {
    const seat = this.#seat
    if (seat === null || seat.room === null || seat.member === null) {
      if (!this.#isWaiting) this.#connection.hold()
      this.#isWaiting = true
      return 0
    }
    const { message, length } = firstYWebsocket(bytes)
    if (message.type === 'unknown') this.#connection.ignored()
    else if (message.type === 'token') seat.renew({ token: message.token, dialect: 'y-websocket' })
    else seat.room.receive(seat.member, message)
    return length
  }

  drained(): void {
    const seat = this.#seat
    if (seat !== null && seat.member !== null) seat.room?.drained(seat.member)
  }

  /** It is being decided. */
  full(): void {}

  keepAlive(): Frame {
    return yWebsocketEncoder.keepAlive()
  }

  /** What waits does so in the connection. */
  linger(): void {}

  closed(): void {
    this.#isClosed = true
    this.#seat?.leave()
  }

  granted(): void {
    this.#seat?.regrant()
  }

  /** Who has not asked for acknowledgements knows no such question, and comes back with a token when it was closed. */
  expires(): void {
    if (this.#seat?.member?.acknowledgements != null) this.#connection.send(yWebsocketEncoder.tokenRequest())
  }

  /** Browsers cannot see why an upgrade was refused, and older clients cannot read a close code. */
  refused(fault: Fault): void {
    if (this.#isClosed) return
    if (isAboutAccess(fault) || isAboutName(fault))
      this.#connection.send(yWebsocketEncoder.denied(fault.publicReason))
    if (this.#entrance === null) this.#connection.end(fault)
    else this.#entrance.failed(fault)
  }

  #enter(seat: Seat, room: NonNullable<Seat['room']>): void {
    if (this.#isClosed) return
    seat.enter(room, this.#connection, yWebsocketEncoder)
    this.#entrance = null
  }
}

function isAboutName({ code }: Fault): boolean {
  return code === 'ERR_ROOM_NAME' || code === 'ERR_ROOM_IN_QUERY'
}
