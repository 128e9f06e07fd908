/**
 * Stateless messages: what applications say to each other beside the document, over Hocuspocus connections. Nothing of
 * it is kept. A hook that throws or hangs costs a log line and a count, and nobody waits for it.
 */
import { Buffer } from 'node:buffer'
import type { User } from '../access/grant.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Frame } from '../dialect/frame.ts'
import type { HocuspocusEncoder } from '../dialect/hocuspocus.ts'

/** A client has said something that is not for the document. */
export type StatelessMessage = {
  readonly document: string
  readonly payload: string
  /** Names the connection, as in logs and in the authors of updates. */
  readonly connection: string
  readonly user: User | null
  readonly access: 'read' | 'write'
  /** Answers this client alone. */
  reply(payload: string): void
  /** To every Hocuspocus client of the document, this one included. */
  broadcast(payload: string): void
}

export type OnStateless = (message: StatelessMessage) => void | Promise<void>

/** A client of a document that can be told. */
export type Listener = {
  readonly encoder: HocuspocusEncoder
  readonly connection: string
  readonly user: User | null
  readonly access: 'read' | 'write'
  send(frame: Frame): void
}

type Parts = {
  readonly onStateless: OnStateless | null
  /** Whether a client's message goes to the others of its document. */
  readonly isRelayed: boolean
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class Stateless {
  readonly #parts: Parts
  readonly #listeners = new Map<string, Set<Listener>>()
  #running = 0
  #tellNodes: ((document: string, payload: string) => void) | null = null
  /** The timers of the calls under way. Bounded by `statelessRunningMax`. */
  readonly #timers = new Set<Cancel>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  enter(document: string, listener: Listener): void {
    const listeners = this.#listeners.get(document)
    if (listeners === undefined) this.#listeners.set(document, new Set([listener]))
    else listeners.add(listener)
  }

  leave(document: string, listener: Listener): void {
    const listeners = this.#listeners.get(document)
    if (listeners?.delete(listener) === true && listeners.size === 0) this.#listeners.delete(document)
  }

  /** What is said here to a whole document is handed on, for the clients that other servers have. */
  shareWith(tell: (document: string, payload: string) => void): void {
    this.#tellNodes = tell
  }

  /** Another server has handed it on. */
  heard(document: string, payload: string): void {
    this.#tell(document, payload, null)
  }

  received(document: string, from: Listener, payload: string): void {
    if (this.#parts.isRelayed) {
      this.#tell(document, payload, from)
      this.#tellNodes?.(document, payload)
    }
    if (this.#parts.onStateless === null) return
    if (this.#running >= this.#parts.limits.statelessRunningMax) {
      this.#parts.metrics.hookCalled('stateless', 'dropped')
      return
    }
    this.#call(this.#parts.onStateless, {
      document,
      payload,
      connection: from.connection,
      user: from.user,
      access: from.access,
      reply: answer => from.send(from.encoder.stateless(this.#checked(answer))),
      broadcast: answer => this.broadcast(document, answer)
    })
  }

  /** Throws RangeError when the payload is larger than `statelessBytesMax`. */
  broadcast(document: string, payload: string): void {
    this.#tell(document, this.#checked(payload), null)
    this.#tellNodes?.(document, payload)
  }

  /** Waits for none of the calls any longer, and leaves no timer. */
  close(): void {
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  /** Encoded once per routing key. */
  #tell(document: string, payload: string, except: Listener | null): void {
    const frames = new Map<string, Frame>()
    for (const listener of this.#listeners.get(document) ?? []) {
      if (listener === except) continue
      const { encoder } = listener
      let frame = frames.get(encoder.key)
      if (frame === undefined) {
        frame = encoder.stateless(payload)
        frames.set(encoder.key, frame)
      }
      listener.send(frame)
    }
  }

  #call(onStateless: OnStateless, message: StatelessMessage): void {
    const { time, limits } = this.#parts
    this.#running++
    let isOver = false
    const over = () => {
      if (isOver) return
      isOver = true
      this.#running--
      cancel()
      this.#timers.delete(cancel)
    }
    const cancel = time.after(limits.statelessTimeoutMs, () => {
      over()
      this.#failed(message.document, 'timed-out')
    })
    this.#timers.add(cancel)
    Promise.resolve(message)
      .then(onStateless)
      .catch((error: unknown) => this.#failed(message.document, 'failed', error))
      .finally(over)
  }

  #failed(document: string, outcome: 'failed' | 'timed-out', error?: unknown): void {
    this.#parts.metrics.hookCalled('stateless', outcome)
    this.#parts.log.warn({ document, error }, `onStateless: ${outcome}`)
  }

  #checked(payload: string): string {
    const { statelessBytesMax } = this.#parts.limits
    if (Buffer.byteLength(payload) > statelessBytesMax)
      throw new RangeError(`a stateless message may have ${statelessBytesMax} bytes`)
    return payload
  }
}
