/**
 * One routing key of a Hocuspocus socket on its way into a room and in it: authentication, the messages that wait for it,
 * the member, and the way out. A client may attach and detach one as often as it likes.
 */
import type { Admitted, User, Visitor } from '../access/grant.ts'
import type { Holder } from '../access/pass.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import {
  createHocuspocusEncoder,
  documentOfKey,
  firstHocuspocus,
  type HocuspocusEncoder,
  type HocuspocusMessage
} from '../dialect/hocuspocus.ts'
import type { Member } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import { Seat, type SeatParts } from './seat.ts'
import type { PortOwner, SharedPort, SharedSocket } from './shared-socket.ts'
import type { Listener, Stateless } from './stateless.ts'

/** What those of all connections have in common. */
export type AttachmentCommons = SeatParts & { readonly stateless: Stateless; readonly time: Time }

export type AttachmentParts = {
  readonly commons: AttachmentCommons
  readonly socket: SharedSocket
  /** What the upgrade request says of whoever asks. */
  readonly visitor: Visitor
}

/** What an attachment tells its session. */
export type AttachmentHost = {
  /** A message waits, or waits no more. May throw a Fault: nothing more may wait without authentication. */
  waits(bytes: number, whose: 'granted' | 'stranger'): void
  waitsNoMore(bytes: number): void
  /** Somebody was let in. */
  granted(): void
  /** Nothing of it is left. */
  detached(attachment: Attachment): void
  /** Whether no other attachment of the connection is in its room, or on the way there. */
  isAlone(attachment: Attachment): boolean
}

/**
 * `waiting`: for its Auth. `authorizing`: `authorize` was asked. `opening`: the room is being loaded. `refused`: only
 * another Auth is listened to, and the client's CLOSE.
 */
type State =
  | { readonly type: 'waiting'; readonly cancelDeadline: Cancel }
  | { readonly type: 'authorizing' }
  | { readonly type: 'opening' }
  | { readonly type: 'open'; readonly room: Room; readonly member: Member; readonly port: SharedPort }
  | { readonly type: 'refused' }
  | { readonly type: 'detached' }

type Waiting = { readonly message: HocuspocusMessage; readonly bytes: number }

export class Attachment implements Listener, PortOwner, Holder {
  readonly routingKey: string
  readonly document: string
  readonly encoder: HocuspocusEncoder
  readonly #parts: AttachmentParts
  readonly #host: AttachmentHost
  #state: State
  #queue: Waiting[] = []
  /** The room holds back what this attachment says: it is scanning something large, or has much to write. */
  #holds = 0
  #seat: Seat | null = null
  /** Its socket is closed, and this is called once when nothing of it waits any more. */
  #settled: (() => void) | null = null
  /** The provider states its version, as 4.x does: it knows every message. */
  #isVersioned = false

  constructor(routingKey: string, parts: AttachmentParts, host: AttachmentHost) {
    this.routingKey = routingKey
    this.document = documentOfKey(routingKey)
    this.encoder = createHocuspocusEncoder(routingKey)
    this.#parts = parts
    this.#host = host
    const { socket } = parts
    const tooLate = () => this.#refuse(new Fault('ERR_AUTHENTICATION_TIMEOUT'))
    this.#state = {
      type: 'waiting',
      cancelDeadline: parts.commons.time.after(socket.limits.authDeadlineMs, tooLate)
    }
  }

  get connection(): string {
    return this.#parts.socket.connection.id
  }

  get user(): User | null {
    return this.#seat?.user ?? null
  }

  get access(): 'read' | 'write' {
    return this.#state.type === 'open' ? this.#state.member.access : 'read'
  }

  get isOpen(): boolean {
    return this.#state.type === 'open'
  }

  get isUnderWay(): boolean {
    return ['authorizing', 'opening', 'open'].includes(this.#state.type)
  }

  get isRefused(): boolean {
    return this.#state.type === 'refused'
  }

  send(frame: Frame): void {
    if (this.#state.type === 'open') this.#state.port.send(frame)
  }

  /** Takes one message; `frame` is the bytes it was read from, valid until this returns. Throws a Fault. */
  receive(message: HocuspocusMessage, frame: Uint8Array): void {
    switch (this.#state.type) {
      case 'waiting':
        return this.#receiveFromStranger(message, frame)
      case 'authorizing':
      case 'opening':
        return this.#wait(frame, 'granted')
      case 'open':
        if (this.#state.member.isRefused) return
        if (this.#holds > 0 || this.#queue.length > 0) this.#wait(frame, 'granted')
        else this.#take(this.#state, message)
        return
      case 'refused':
        if (message.type === 'auth') this.#authorize(message)
        else if (message.type === 'close') this.#detach()
        return
      case 'detached':
        return
      default:
        this.#state satisfies never
    }
  }

  /** The socket is closed. Whether anything of it is still on the way; if so, `settled` is called when nothing is. */
  linger(settled: () => void): boolean {
    if (!this.isUnderWay || (this.#holds === 0 && this.#queue.length === 0)) return false
    this.#settled = settled
    return true
  }

  /** Out of the room, without a word. */
  leave(): void {
    const state = this.#state
    this.#state = { type: 'detached' }
    this.#dropQueue()
    if (state.type === 'waiting') state.cancelDeadline()
    this.#leaveSeat(state)
  }

  drained(): void {
    if (this.#state.type === 'open') this.#state.room.drained(this.#state.member)
  }

  progressed(): void {
    if (this.#state.type === 'open') this.#state.room.progressed(this.#state.member)
  }

  /**
   * Providers do nothing about a room that is closed to them, and come back when their socket is: so that is what ends,
   * except for a client whose updates are refused again and again, which would come back for ever.
   */
  ended(fault: Fault): void {
    if (endsRoomOnly(fault)) this.#refuse(fault)
    else this.#parts.socket.connection.end(fault)
  }

  granted({ access }: Admitted, purpose: 'renew' | 'recheck'): void {
    const before = this.access
    this.#seat?.regrant()
    if (this.#state.type !== 'open' || (purpose === 'recheck' && access === before)) return
    this.#state.port.send(this.encoder.authenticated(access))
  }

  expires(): void {
    if (this.#state.type === 'open') this.#state.port.send(this.encoder.tokenRequest())
  }

  refused(fault: Fault): void {
    this.#notNow(fault)
  }

  /**
   * Providers do nothing about a room that is refused to them. What may be over when they come back is a reason to end
   * the connection, unless it serves others.
   */
  #notNow(fault: Fault): void {
    if (isWorthComingBack(fault) && this.#host.isAlone(this)) this.#endConnection(fault)
    else this.#refuse(fault)
  }

  held(): void {
    this.#holds++
  }

  released(): void {
    this.#holds--
    this.#replay()
  }

  #receiveFromStranger(message: HocuspocusMessage, frame: Uint8Array): void {
    if (message.type === 'auth') return this.#authorize(message)
    if (message.type === 'close') return this.#detach()
    // Every provider that sends a token sends it before its SyncStep1: who begins with that one has none.
    const isAnonymous = message.type === 'sync-step-1'
    this.#wait(frame, isAnonymous ? 'granted' : 'stranger')
    if (isAnonymous) this.#authorize({ token: null, version: null })
  }

  #authorize({ token, version }: { token: string | null; version: string | null }): void {
    if (this.#state.type === 'waiting') this.#state.cancelDeadline()
    this.#isVersioned = version !== null
    const seat = new Seat(this.#parts.commons, this.#parts.visitor, this.document)
    this.#seat = seat
    if (seat.isOpen) return this.#open(seat)
    const state: State = { type: 'authorizing' }
    this.#state = state
    const isCurrent = () => this.#state === state
    void seat.admit({ token, dialect: 'hocuspocus' }, this.connection, this).then(
      () => isCurrent() && this.#open(seat),
      (error: unknown) => isCurrent() && this.#notNow(toFault(error))
    )
  }

  #open(seat: Seat): void {
    const state: State = { type: 'opening' }
    this.#state = state
    this.#host.granted()
    const isCurrent = () => this.#state === state
    void seat
      .open()
      .then(room => {
        if (isCurrent()) this.#enter(seat, room)
      })
      .catch((error: unknown) => isCurrent() && this.#openingFailed(toFault(error)))
  }

  /** What will not mend by itself must not take the other rooms of the socket with it, again and again. */
  #openingFailed(fault: Fault): void {
    const isLasting = fault.closeCode >= 4400 && fault.closeCode < 4500
    if (isLasting || fault.code === 'ERR_DOCUMENT_DAMAGED') this.#refuse(fault)
    else if (isWorthComingBack(fault)) this.#notNow(fault)
    else this.#endConnection(fault)
  }

  #enter(seat: Seat, room: Room): void {
    const { socket, commons } = this.#parts
    const port = socket.port(this)
    const member = seat.enter(room, port, this.encoder)
    this.#state = { type: 'open', room, member, port }
    commons.stateless.enter(this.document, this)
    port.send(this.encoder.authenticated(seat.access))
    this.#replay()
  }

  #take(state: State & { readonly type: 'open' }, message: HocuspocusMessage): void {
    switch (message.type) {
      case 'auth':
        return this.#seat?.renew({ token: message.token, dialect: 'hocuspocus' })
      case 'stateless':
        return this.#parts.commons.stateless.received(this.document, this, message.payload)
      case 'close':
        return this.#detach()
      default:
        return state.room.receive(state.member, message)
    }
  }

  #refuse(fault: Fault): void {
    const state = this.#state
    if (state.type === 'detached') return
    this.#state = { type: 'refused' }
    this.#dropQueue()
    this.#leaveSeat(state)
    this.#parts.socket.connection.send(this.encoder.denied(fault.publicReason))
  }

  /** 2.x throws on a CLOSE if the same room has been attached again, and nobody else reads it. */
  #detach(): void {
    if (this.#isVersioned) this.#parts.socket.connection.send(this.encoder.closed())
    this.leave()
    this.#host.detached(this)
  }

  /** Without a PermissionDenied, which would make 2.x give up: it comes back, and its token function is asked anew. */
  #endConnection(fault: Fault): void {
    this.#parts.socket.connection.end(fault)
  }

  #leaveSeat(state: State): void {
    const seat = this.#seat
    this.#seat = null
    if (state.type === 'open') {
      state.port.close()
      this.#parts.commons.stateless.leave(this.document, this)
      this.#holds = 0
    }
    seat?.leave()
  }

  #wait(frame: Uint8Array, whose: 'granted' | 'stranger'): void {
    this.#host.waits(frame.length, whose)
    // I9: the frame is a view into what the socket read.
    const { message } = firstHocuspocus(Uint8Array.from(frame))
    if (message.type === 'routed') this.#queue.push({ message: message.message, bytes: frame.length })
  }

  /** Hands on what waited, in order, until something makes the rest wait again. */
  #replay(): void {
    try {
      while (this.#state.type === 'open' && this.#holds === 0) {
        const next = this.#queue.shift()
        if (next === undefined) return this.#settle()
        this.#host.waitsNoMore(next.bytes)
        if (!this.#state.member.isRefused) this.#take(this.#state, next.message)
      }
    } catch (error) {
      this.#parts.socket.connection.end(toFault(error))
    }
  }

  #dropQueue(): void {
    const queue = this.#queue
    this.#queue = []
    for (const { bytes } of queue) this.#host.waitsNoMore(bytes)
    this.#settle()
  }

  #settle(): void {
    const settled = this.#settled
    this.#settled = null
    settled?.()
  }
}

function isWorthComingBack({ code }: Fault): boolean {
  switch (code) {
    case 'ERR_EXPIRED':
    case 'ERR_NOT_NOW':
    case 'ERR_AUTHENTICATION_UNAVAILABLE':
    case 'ERR_OVERLOADED':
      return true
    default:
      return false
  }
}

function endsRoomOnly({ code }: Fault): boolean {
  return ['ERR_UPDATE_MALFORMED_AGAIN', 'ERR_UPDATE_TOO_LARGE_AGAIN', 'ERR_OLD_COPY'].includes(code)
}
