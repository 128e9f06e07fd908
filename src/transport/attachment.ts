/**
 * One address of a Hocuspocus socket on its way into a room and in it: authentication, the messages that wait for it,
 * the member, and the way out. A client may attach and detach an address as often as it likes.
 */
import { type Admission, type Admitted, everybody } from '../access/admission.ts'
import type { Attempt, User } from '../access/grant.ts'
import type { Frame } from '../dialect/frame.ts'
import {
  createHocuspocusEncoder,
  decodeHocuspocus,
  documentOfAddress,
  type HocuspocusEncoder,
  type HocuspocusMessage
} from '../dialect/hocuspocus.ts'
import { Fault, toFault } from '../errors.ts'
import { Member } from '../room/member.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import type { Cancel, Time } from '../time.ts'
import type { PortOwner, SharedPort, SharedSocket } from './shared-socket.ts'
import type { Listener, Stateless } from './stateless.ts'

export type AttachmentParts = {
  readonly socket: SharedSocket
  readonly rooms: Rooms
  readonly admission: Admission
  readonly stateless: Stateless
  readonly time: Time
  /** What the upgrade request says of whoever asks. */
  readonly attempt: Pick<Attempt, 'address' | 'headers' | 'url'>
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

export class Attachment implements Listener, PortOwner {
  readonly address: string
  readonly document: string
  readonly encoder: HocuspocusEncoder
  readonly #parts: AttachmentParts
  readonly #host: AttachmentHost
  #state: State
  #queue: Waiting[] = []
  /** The room holds back what this address says: it is scanning something large, or has much to write. */
  #holds = 0
  #user: User | null = null
  /** The provider states its version, as 4.x does: it knows every message. */
  #isVersioned = false
  /** A token that came while another one was being looked at; only the last counts. */
  #nextToken: string | null = null
  #isRenewing = false

  constructor(address: string, parts: AttachmentParts, host: AttachmentHost) {
    this.address = address
    this.document = documentOfAddress(address)
    this.encoder = createHocuspocusEncoder(address)
    this.#parts = parts
    this.#host = host
    const { time, socket } = parts
    const tooLate = () => this.#refuse(new Fault('ERR_AUTHENTICATION_TIMEOUT'))
    this.#state = { type: 'waiting', cancelDeadline: time.after(socket.limits.authDeadlineMs, tooLate) }
  }

  get connection(): string {
    return this.#parts.socket.connection.id
  }

  get user(): User | null {
    return this.#user
  }

  get access(): 'read' | 'write' {
    return this.#state.type === 'open' ? this.#state.member.access : 'read'
  }

  get isOpen(): boolean {
    return this.#state.type === 'open'
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

  /** Out of the room, without a word. */
  leave(): void {
    const state = this.#state
    this.#state = { type: 'detached' }
    this.#dropQueue()
    if (state.type === 'waiting') state.cancelDeadline()
    if (state.type === 'open') this.#leaveRoom(state)
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
    const { admission } = this.#parts
    if (admission.isOpen) return this.#open(everybody)
    const state: State = { type: 'authorizing' }
    this.#state = state
    const isCurrent = () => this.#state === state
    void admission.admit(this.#attempt(token)).then(
      admitted => isCurrent() && this.#open(admitted),
      (error: unknown) => isCurrent() && this.#refuse(toFault(error))
    )
  }

  #open(admitted: Admitted): void {
    const state: State = { type: 'opening' }
    this.#state = state
    this.#host.granted()
    const isCurrent = () => this.#state === state
    void this.#parts.rooms
      .open(this.document)
      .then(room => {
        if (isCurrent()) this.#enter(room, admitted)
      })
      .catch((error: unknown) => isCurrent() && this.#openingFailed(toFault(error)))
  }

  /** What will not mend by itself must not take the other rooms of the socket with it, again and again. */
  #openingFailed(fault: Fault): void {
    const isLasting = fault.closeCode >= 4400 && fault.closeCode < 4500
    if (isLasting || fault.code === 'ERR_DOCUMENT_DAMAGED') this.#refuse(fault)
    else this.#parts.socket.connection.end(fault)
  }

  #enter(room: Room, { user, access }: Admitted): void {
    const { socket, stateless, attempt } = this.#parts
    const port = socket.port(`${attempt.address} ${this.document}`, this)
    const member = new Member(port, this.encoder, access)
    room.enter(member)
    this.#user = user
    this.#state = { type: 'open', room, member, port }
    stateless.enter(this.document, this)
    port.send(this.encoder.authenticated(access))
    this.#replay()
  }

  #take(state: State & { readonly type: 'open' }, message: HocuspocusMessage): void {
    switch (message.type) {
      case 'auth':
        return this.#renew(message.token)
      case 'stateless':
        return this.#parts.stateless.received(this.document, this, message.payload)
      case 'close':
        return this.#detach()
      default:
        return state.room.receive(state.member, message)
    }
  }

  /** An Auth on an open room: what it grants applies at once, and until then what was granted before. */
  #renew(token: string): void {
    this.#nextToken = token
    if (this.#isRenewing) return
    this.#isRenewing = true
    const state = this.#state
    const isCurrent = () => this.#state === state
    void this.#renewUntilSettled(isCurrent)
      .catch((error: unknown) => isCurrent() && this.#refuse(toFault(error)))
      .finally(() => {
        this.#isRenewing = false
      })
  }

  async #renewUntilSettled(isCurrent: () => boolean): Promise<void> {
    while (this.#nextToken !== null && isCurrent()) {
      const token = this.#nextToken
      this.#nextToken = null
      const { user, access } = await this.#parts.admission.admit(this.#attempt(token))
      const state = this.#state
      if (!isCurrent() || state.type !== 'open') return
      this.#user = user
      state.room.grant(state.member, access)
      state.port.send(this.encoder.authenticated(access))
    }
  }

  #attempt(token: string | null): Attempt {
    return { ...this.#parts.attempt, document: this.document, token, dialect: 'hocuspocus' }
  }

  #refuse(fault: Fault): void {
    const state = this.#state
    if (state.type === 'detached') return
    this.#state = { type: 'refused' }
    this.#dropQueue()
    if (state.type === 'open') this.#leaveRoom(state)
    this.#parts.socket.connection.send(this.encoder.denied(fault.publicReason))
  }

  /** 2.x throws on a CLOSE if the same room has been attached again, and nobody else reads it. */
  #detach(): void {
    if (this.#isVersioned) this.#parts.socket.connection.send(this.encoder.closed())
    this.leave()
    this.#host.detached(this)
  }

  #leaveRoom({ room, member, port }: State & { readonly type: 'open' }): void {
    port.close()
    room.leave(member)
    this.#parts.stateless.leave(this.document, this)
    this.#holds = 0
  }

  #wait(frame: Uint8Array, whose: 'granted' | 'stranger'): void {
    this.#host.waits(frame.length, whose)
    // I9: the frame is a view into what the socket read.
    const decoded = decodeHocuspocus(Uint8Array.from(frame))
    if (decoded.type === 'addressed') this.#queue.push({ message: decoded.message, bytes: frame.length })
  }

  /** Hands on what waited, in order, until something makes the rest wait again. */
  #replay(): void {
    try {
      while (this.#state.type === 'open' && this.#holds === 0) {
        const next = this.#queue.shift()
        if (next === undefined) return
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
  }
}

function endsRoomOnly({ code }: Fault): boolean {
  return code === 'ERR_UPDATE_MALFORMED_AGAIN' || code === 'ERR_UPDATE_TOO_LARGE_AGAIN'
}
