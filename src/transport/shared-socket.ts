/**
 * One connection as the ports of several rooms. They share its outbox: what one of them sends while the socket is
 * full of another's join waits for its turn, in the order in which the turns were asked for.
 */

import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { type Frame, frameBytes, joinFrames } from '../dialect/frame.ts'
import type { Port } from '../room/member.ts'
import type { Connection } from './connection.ts'

/** What the owner of a port does when its room has something to say about the connection. */
export type PortOwner = {
  /** The socket takes more from this port. */
  drained(): void
  /** The socket takes more, but not from this port yet. */
  progressed(): void
  /** The room is done with this member. */
  ended(fault: Fault): void
  /** Messages to the room wait, until as many calls of `released`. */
  held(): void
  released(): void
}

export class SharedSocket {
  readonly connection: Connection
  readonly limits: Limits
  #isFull = false
  /** Ports that joins wait on, or that have something queued, in the order of their turns. */
  readonly #waiting = new Set<SharedPort>()

  constructor(connection: Connection, limits: Limits) {
    this.connection = connection
    this.limits = limits
  }

  port(owner: PortOwner): SharedPort {
    return new SharedPort(this, owner)
  }

  /** The socket takes more: each waiting port sends its next piece until it is full again. */
  drained(): void {
    this.#isFull = false
    for (const port of [...this.#waiting]) {
      if (this.#isFull) port.progressed()
      else {
        this.#waiting.delete(port)
        port.turnCame()
      }
    }
  }

  /** Sends what may be as large as a piece of a document, or says that it has to wait. */
  feed(port: SharedPort, frame: Frame): 'sent' | 'full' | 'queue' {
    if (this.#isFull) {
      this.#waiting.add(port)
      return 'queue'
    }
    this.#isFull = this.connection.feed(frame) === 'full'
    if (this.#isFull) this.#waiting.add(port)
    return this.#isFull ? 'full' : 'sent'
  }

  closed(port: SharedPort): void {
    this.#waiting.delete(port)
  }
}

export class SharedPort implements Port {
  readonly #socket: SharedSocket
  readonly #owner: PortOwner
  /** What waits for this port's turn; everything it sends meanwhile goes behind it. */
  #queue: Frame[] = []
  #queuedBytes = 0
  #isClosed = false

  constructor(socket: SharedSocket, owner: PortOwner) {
    this.#socket = socket
    this.#owner = owner
  }

  get id(): string {
    return this.#socket.connection.id
  }

  send(frame: Frame): void {
    if (this.#isClosed) return
    if (this.#queue.length === 0) return this.#socket.connection.send(frame)
    if (this.#queuedBytes > this.#socket.limits.outboxBytesMax) {
      this.end(new Fault('ERR_SLOW_CONSUMER', `${this.#queuedBytes} bytes wait for their turn`))
    } else this.#push(frame)
  }

  feed(frame: Frame): 'flowing' | 'full' {
    if (this.#isClosed) return 'flowing'
    // In the stream's order, whatever the socket could take by now.
    const outcome = this.#queue.length > 0 ? 'queue' : this.#socket.feed(this, frame)
    if (outcome === 'queue') this.#push(frame)
    return outcome === 'sent' ? 'flowing' : 'full'
  }

  end(fault: Fault): void {
    if (!this.#isClosed) this.#owner.ended(fault)
  }

  ping(): () => boolean {
    return this.#socket.connection.ping()
  }

  probe(timeoutMs: number): Promise<boolean> {
    return this.#socket.connection.probe(timeoutMs)
  }

  pause(): void {
    if (!this.#isClosed) this.#owner.held()
  }

  /** A room may let go after its member has left: what it held is over by then. */
  resume(): void {
    if (!this.#isClosed) this.#owner.released()
  }

  hold(): void {
    this.pause()
  }

  release(): void {
    this.resume()
  }

  charge(spentMs: number): void {
    this.#socket.connection.charge(spentMs)
  }

  turnCame(): void {
    const queue = this.#queue
    this.#queue = []
    this.#queuedBytes = 0
    if (queue.length > 0 && this.#socket.feed(this, joinFrames(queue)) === 'full') this.#owner.progressed()
    else this.#owner.drained()
  }

  progressed(): void {
    this.#owner.progressed()
  }

  /** Nothing leaves it any more. */
  close(): void {
    this.#isClosed = true
    this.#queue = []
    this.#socket.closed(this)
  }

  #push(frame: Frame): void {
    this.#queue.push(frame)
    this.#queuedBytes += frameBytes(frame)
  }
}
