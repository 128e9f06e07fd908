/** A Hocuspocus connection: one socket, many routing keys, each with a room, a grant and an order of its own. */

import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import {
  createHocuspocusEncoder,
  firstHocuspocus,
  nobodysFrame,
  pongFrame,
  type RoutedMessage
} from '../dialect/hocuspocus.ts'
import { Attachment, type AttachmentHost, type AttachmentParts } from './attachment.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'
import { SharedSocket } from './shared-socket.ts'

type Parts = Omit<AttachmentParts, 'socket'>

/** An answer repeats its routing key: one that is more than so many of the longest names is answered by the end. */
const answeredLengthsMax = 16

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
    const { limits, time } = parts.commons
    this.#limits = limits
    this.#socket = new SharedSocket(connection, limits)
    this.#parts = { ...parts, socket: this.#socket }
    const tooLate = () => connection.end(new Fault('ERR_AUTHENTICATION_TIMEOUT', 'nobody came in'))
    this.#cancelDeadline = time.after(limits.authDeadlineMs, tooLate)
  }

  receive(bytes: Uint8Array): number {
    const { message: decoded, length } = firstHocuspocus(bytes)
    switch (decoded.type) {
      case 'ping':
        this.#connection.send(pongFrame)
        break
      case 'pong':
        break
      case 'routed':
        this.#receive(decoded, bytes.subarray(0, length))
        break
      default:
        decoded satisfies never
    }
    return length
  }

  #receive({ routingKey, message }: RoutedMessage, bytes: Uint8Array): void {
    if (
      message.type === 'stateless' &&
      bytes.length > this.#limits.statelessBytesMax + routingKey.length + 16
    )
      throw new Fault('ERR_BAD_MESSAGE', `a stateless message of ${bytes.length} bytes`)
    const attachment = this.#attachments.get(routingKey)
    if (attachment !== undefined) attachment.receive(message, bytes)
    else if (message.type !== 'close') this.#attach(routingKey)?.receive(message, bytes)
  }

  drained(): void {
    this.#socket.drained()
  }

  /** Nobody is asked about before their Auth, and what is not whole behind it would keep that from ever being read. */
  full(): void {
    for (const attachment of this.#attachments.values()) if (attachment.isUnderWay) return
    const publicReason = 'too much was sent before an Auth message'
    this.#connection.end(new Fault('ERR_NOT_AUTHENTICATED', publicReason, { publicReason }))
  }

  keepAlive(): Frame {
    for (const attachment of this.#attachments.values()) {
      if (attachment.isOpen) return attachment.encoder.keepAlive()
    }
    return nobodysFrame
  }

  linger(): void {
    for (const attachment of this.#attachments.values()) {
      if (attachment.linger(() => this.#connection.release())) this.#connection.hold()
    }
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
    this.#connection.keeps(bytes)
    if (!this.#isOverBound()) return
    if (whose === 'stranger') throw new Fault('ERR_OVERLOADED', 'too much before authentication')
    if (this.#isPaused) return
    this.#isPaused = true
    this.#connection.pause()
  }

  waitsNoMore(bytes: number): void {
    this.#pendingBytes -= bytes
    this.#pendingFrames--
    this.#connection.keeps(-bytes)
    if (!this.#isPaused || this.#isOverBound()) return
    this.#isPaused = false
    if (!this.#isClosed) this.#connection.resume()
  }

  granted(): void {
    this.#cancelDeadline()
    this.#connection.admitted()
  }

  detached(attachment: Attachment): void {
    this.#attachments.delete(attachment.routingKey)
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

  /** Refused keys are remembered, to ignore what is said to them; they make room for others. */
  #attach(routingKey: string): Attachment | null {
    // A name, and what tells one session from another. Of a longer one nothing is remembered.
    if (routingKey.length > 2 * this.#limits.roomNameLengthMax) return this.#refuseLong(routingKey)
    if (this.#attachments.size >= this.#limits.roomsPerConnectionMax && !this.#forgetRefused()) {
      this.#connection.send(
        createHocuspocusEncoder(routingKey).denied('too many documents on one connection')
      )
      return null
    }
    const attachment = new Attachment(routingKey, this.#parts, this)
    this.#attachments.set(routingKey, attachment)
    return attachment
  }

  /** It is refused like every name that no document can have, unless even saying so would be a burden. */
  #refuseLong(routingKey: string): null {
    const fault = new Fault('ERR_ROOM_NAME', `a routing key of ${routingKey.length}`)
    if (routingKey.length > answeredLengthsMax * this.#limits.roomNameLengthMax) throw fault
    this.#connection.send(createHocuspocusEncoder(routingKey).denied(fault.publicReason))
    return null
  }

  #forgetRefused(): boolean {
    for (const [routingKey, attachment] of this.#attachments) {
      if (attachment.isRefused) return this.#attachments.delete(routingKey)
    }
    return false
  }
}
