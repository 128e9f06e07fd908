/**
 * A connection on a path that names a room, before its first message: y-websocket, unless that message is a Hocuspocus
 * frame (HP2). A y-websocket client does not wait for the decision: its room is opened and it is greeted meanwhile, and
 * a Hocuspocus client takes the greeting for a message to nobody.
 */

import type { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import { firstHocuspocus } from '../dialect/hocuspocus.ts'
import { firstYWebsocket, yWebsocketEncoder } from '../dialect/y-websocket.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'
import type { Entrance } from './y-websocket-session.ts'

type Parts = {
  readonly connection: Connection
  readonly time: Time
  readonly limits: Limits
  /** Nobody is asked who they are, so nothing waits for the decision. */
  readonly isOpen: boolean
  /** Begins the y-websocket session, which reports what ends it before it is in its room. */
  readonly yWebsocket: (entrance: Entrance) => Session
  readonly hocuspocus: () => Session
}

export class UndecidedSession implements Session, Entrance {
  readonly #parts: Parts
  readonly #session: Session
  /** Made when somebody waits for it: where everybody may, nobody does. */
  #decision: { readonly made: Promise<void>; readonly make: () => void } | null = null
  #cancelWait: Cancel | null = null
  #isDecided = false
  #fault: Fault | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    this.#session = parts.yWebsocket(this)
    // A silent connection may stay where everybody may.
    if (parts.isOpen) return
    this.#cancelWait = parts.time.after(parts.limits.authDeadlineMs, () => this.#decide())
  }

  decided(): Promise<void> {
    if (this.#isDecided) return Promise.resolve()
    this.#decision ??= decision()
    return this.#decision.made
  }

  receive(bytes: Uint8Array): number {
    const { connection, hocuspocus } = this.#parts
    this.#cancelWait?.()
    if (isHocuspocus(bytes)) {
      this.#session.closed()
      const session = hocuspocus()
      connection.handOver(session)
      return session.receive(bytes)
    }
    connection.handOver(this.#session)
    this.#decide()
    if (this.#fault === null) return this.#session.receive(bytes)
    connection.end(this.#fault)
    return bytes.length
  }

  drained(): void {
    this.#session.drained()
  }

  /**
   * The first message is longer than what is read before: of a Hocuspocus client it would be its Auth, which is short. So
   * whoever is there is asked about as a y-websocket client.
   */
  full(): void {
    this.#cancelWait?.()
    this.#decide()
    if (this.#fault !== null) this.#parts.connection.end(this.#fault)
  }

  keepAlive(): Frame {
    return this.#session.keepAlive()
  }

  /** Nothing has come of it. */
  linger(): void {}

  closed(): void {
    this.#cancelWait?.()
    this.#session.closed()
  }

  /** The first message is waited for: it may be one for which none of this matters. */
  failed(fault: Fault): void {
    const { time, limits, connection } = this.#parts
    if (this.#isDecided) return connection.end(fault)
    this.#fault = fault
    this.#cancelWait?.()
    this.#cancelWait = time.after(limits.firstFrameMs, () => connection.end(fault))
  }

  #decide(): void {
    this.#isDecided = true
    this.#decision?.make()
  }
}

function decision(): { readonly made: Promise<void>; readonly make: () => void } {
  let make = () => {}
  const made = new Promise<void>(resolve => {
    make = resolve
  })
  return { made, make }
}

/** A y-websocket message is never taken for anything else, save an Auth frame, which no client of that dialect sends. */
function isHocuspocus(bytes: Uint8Array): boolean {
  // An empty routing key. Every y-websocket client begins with this, and an exception costs more than its whole message.
  if (bytes[0] === 0) return false
  try {
    const { message: first, length } = firstHocuspocus(bytes)
    // An unknown type of the other dialect may look like one message of this by chance, and hardly like two.
    if (length < bytes.length) firstHocuspocus(bytes.subarray(length))
    return first.type === 'routed' && (first.message.type === 'auth' || !isYWebsocket(bytes))
  } catch {
    // Whatever is wrong with it is reported by the dialect that has to make sense of it.
    return false
  }
}

/** Of a type that it knows, from the beginning to the end. */
function isYWebsocket(bytes: Uint8Array): boolean {
  try {
    const { message, length } = firstYWebsocket(bytes)
    return message.type !== 'unknown' && length === bytes.length
  } catch {
    // It is asked only whether it is one.
    return false
  }
}

/**
 * A connection at the path that names no room: Hocuspocus clients name theirs in each frame. A y-websocket client here has
 * lost its room on the way into the URL, and would be told of an empty key in words that it does not understand.
 */
export class RootSession implements Session {
  readonly #connection: Connection
  readonly #session: Session
  readonly #fault: Fault

  /** `fault`: what a y-websocket client is told. */
  constructor(connection: Connection, session: Session, fault: Fault) {
    this.#connection = connection
    this.#session = session
    this.#fault = fault
  }

  receive(bytes: Uint8Array): number {
    if (!isGreeting(bytes)) {
      this.#connection.handOver(this.#session)
      return this.#session.receive(bytes)
    }
    this.#connection.send(yWebsocketEncoder.denied(this.#fault.publicReason))
    this.#connection.end(this.#fault)
    return bytes.length
  }

  drained(): void {
    this.#session.drained()
  }

  full(): void {
    this.#session.full()
  }

  keepAlive(): Frame {
    return this.#session.keepAlive()
  }

  /** Nothing has come of it. */
  linger(): void {}

  closed(): void {
    this.#session.closed()
  }
}

/** The SyncStep1 that y-websocket clients begin with. To an empty key of Hocuspocus, it would be one without a vector. */
function isGreeting(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[1] !== 0) return false
  try {
    const { message } = firstYWebsocket(bytes)
    return message.type === 'sync-step-1' && message.stateVector.length > 0
  } catch {
    // It is asked only whether it is one.
    return false
  }
}
