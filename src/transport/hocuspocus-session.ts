/** A Hocuspocus connection: one socket, many addresses, each with a room, a grant and an order of its own. */
import type { Frame } from '../dialect/frame.ts'
import { createHocuspocusEncoder, decodeHocuspocus, nobodysFrame, pongFrame } from '../dialect/hocuspocus.ts'
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Cancel } from '../time.ts'
import { Attachment, type AttachmentHost, type AttachmentParts } from './attachment.ts'
import type { Connection, Session } from './connection.ts'
import { SharedSocket } from './shared-socket.ts'

type Parts = Omit<AttachmentParts, 'socket'> & { readonly limits: Limits }

export class HocuspocusSession implements Session, AttachmentHost {
  readonly #connection: Connection
  readonly #limits: Limits
  readonly #socket: SharedSocket
  readonly #parts: AttachmentParts
  readonly #attachments = new Map<string, Attachment>()
  readonly #cancelDeadline: Cancel
  /** Of all messages that wait on this socket. */
  #pendingBytes = 0
  #pendingFrames = 0
  #isPaused = false
  #isClosed = false

  constructor(connection: Connection, parts: Parts) {
    this.#connection = connection
    this.#limits = parts.limits
    this.#socket = new SharedSocket(connection, parts.limits)
    this.#parts = { ...parts, socket: this.#socket }
    const tooLate = () => connection.end(new Fault('ERR_AUTHENTICATION_TIMEOUT', 'nobody came in'))
    this.#cancelDeadline = parts.time.after(parts.limits.authDeadlineMs, tooLate)
  }

  receive(frame: Uint8Array): void {
    const decoded = decodeHocuspocus(frame)
    switch (decoded.type) {
      case 'ping':
        return this.#connection.send(pongFrame)
      case 'pong':
        return
      case 'addressed': {
        const { address, message } = decoded
        if (
          message.type === 'stateless' &&
          frame.length > this.#limits.statelessBytesMax + address.length + 16
        )
          throw new Fault('ERR_BAD_MESSAGE', `a stateless message of ${frame.length} bytes`)
        const attachment = this.#attachments.get(address)
        if (attachment !== undefined) attachment.receive(message, frame)
        else if (message.type !== 'close') this.#attach(address)?.receive(message, frame)
        return
      }
      default:
        decoded satisfies never
    }
  }

  drained(): void {
    this.#socket.drained()
  }

  keepAlive(): Frame {
    for (const attachment of this.#attachments.values()) {
      if (attachment.isOpen) return attachment.encoder.keepAlive()
    }
    return nobodysFrame
  }

  closed(): void {
    this.#isClosed = true
    this.#cancelDeadline()
    for (const attachment of this.#attachments.values()) attachment.leave()
    this.#attachments.clear()
  }

  /** Who has not said who they are may not fill the memory; what waits for us keeps its sender waiting. */
  waits(bytes: number, whose: 'granted' | 'stranger'): void {
    this.#pendingBytes += bytes
    this.#pendingFrames++
    if (!this.#isOverBound()) return
    if (whose === 'stranger') throw new Fault('ERR_OVERLOADED', 'too much before authentication')
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  waitsNoMore(bytes: number): void {
    this.#pendingBytes -= bytes
    this.#pendingFrames--
    if (!this.#isPaused || this.#isOverBound()) return
    this.#isPaused = false
    if (!this.#isClosed) this.#connection.resume()
  }

  granted(): void {
    this.#cancelDeadline()
    this.#connection.admitted()
  }

  detached(attachment: Attachment): void {
    this.#attachments.delete(attachment.address)
  }

  isAlone(attachment: Attachment): boolean {
    for (const other of this.#attachments.values()) if (other !== attachment && other.isUnderWay) return false
    return true
  }

  #isOverBound(): boolean {
    return (
      this.#pendingBytes > this.#limits.pendingBytesMax || this.#pendingFrames > this.#limits.pendingFramesMax
    )
  }

  /** Refused addresses are remembered, to ignore what is said to them; they make room for others. */
  #attach(address: string): Attachment | null {
    // A name, and what tells one session from another; what is remembered of an address grows with both.
    if (address.length > 2 * this.#limits.roomNameLengthMax) {
      throw new Fault('ERR_ROOM_NAME', `an address of ${address.length}`)
    }
    if (this.#attachments.size >= this.#limits.roomsPerConnectionMax && !this.#forgetRefused()) {
      this.#connection.send(createHocuspocusEncoder(address).denied('too many documents on one connection'))
      return null
    }
    const attachment = new Attachment(address, this.#parts, this)
    this.#attachments.set(address, attachment)
    return attachment
  }

  #forgetRefused(): boolean {
    for (const [address, attachment] of this.#attachments) {
      if (attachment.isRefused) return this.#attachments.delete(address)
    }
    return false
  }
}
