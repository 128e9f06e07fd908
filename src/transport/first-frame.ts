/**
 * A connection on a path that names a room, before its first message: y-websocket, unless that message is a Hocuspocus
 * frame (HP2). A y-websocket client does not wait for the decision: its room is opened and it is greeted meanwhile, and
 * a Hocuspocus client takes the greeting for a message to nobody.
 */
import type { Frame } from '../dialect/frame.ts'
import { decodeHocuspocus } from '../dialect/hocuspocus.ts'
import { decodeYWebsocket } from '../dialect/y-websocket.ts'
import type { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Cancel, Time } from '../time.ts'
import type { Connection, Session } from './connection.ts'

type Host = { readonly decided: Promise<void>; readonly fail: (fault: Fault) => void }

type Parts = {
  readonly connection: Connection
  readonly time: Time
  readonly limits: Limits
  /** Nobody is asked who they are, so nothing waits for the decision. */
  readonly isOpen: boolean
  /** Begins the y-websocket session, which reports what ends it before it is in its room. */
  readonly yWebsocket: (host: Host) => Session
  readonly hocuspocus: () => Session
}

export class UndecidedSession implements Session {
  readonly #parts: Parts
  readonly #session: Session
  readonly #decide: () => void
  #cancelWait: Cancel = () => {}
  #isDecided = false
  #fault: Fault | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    let decide = () => {}
    const decided = new Promise<void>(resolve => {
      decide = resolve
    })
    this.#decide = decide
    this.#session = parts.yWebsocket({ decided, fail: fault => this.#failed(fault) })
    // A silent connection may stay where everybody may.
    if (parts.isOpen) return
    this.#cancelWait = parts.time.after(parts.limits.authDeadlineMs, () => this.#decided())
  }

  receive(message: Uint8Array): void {
    const { connection, hocuspocus } = this.#parts
    this.#cancelWait()
    if (isHocuspocus(message)) {
      this.#session.closed()
      const session = hocuspocus()
      connection.handOver(session)
      session.receive(message)
      return
    }
    connection.handOver(this.#session)
    this.#decided()
    if (this.#fault !== null) connection.end(this.#fault)
    else this.#session.receive(message)
  }

  drained(): void {
    this.#session.drained()
  }

  keepAlive(): Frame {
    return this.#session.keepAlive()
  }

  closed(): void {
    this.#cancelWait()
    this.#session.closed()
  }

  /** The first message is waited for: it may be one for which none of this matters. */
  #failed(fault: Fault): void {
    const { time, limits, connection } = this.#parts
    if (this.#isDecided) return connection.end(fault)
    this.#fault = fault
    this.#cancelWait()
    this.#cancelWait = time.after(limits.firstFrameMs, () => connection.end(fault))
  }

  #decided(): void {
    this.#isDecided = true
    this.#decide()
  }
}

/** A y-websocket message is never taken for anything else, save an Auth frame, which no client of that dialect sends. */
function isHocuspocus(message: Uint8Array): boolean {
  // An empty address. Every y-websocket client begins with this, and an exception costs more than its whole message.
  if (message[0] === 0) return false
  try {
    const frame = decodeHocuspocus(message)
    return frame.type === 'addressed' && (frame.message.type === 'auth' || !isYWebsocket(message))
  } catch {
    // Whatever is wrong with it is reported by the dialect that has to make sense of it.
    return false
  }
}

function isYWebsocket(message: Uint8Array): boolean {
  try {
    decodeYWebsocket(message)
    return true
  } catch {
    // It is asked only whether it is one.
    return false
  }
}
