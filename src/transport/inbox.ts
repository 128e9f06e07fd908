/**
 * What has come over a connection and is not handled yet: in order, one message after the other, when it is its turn and
 * nothing holds it back. It knows neither what a message means nor whether anybody is still there.
 */
import type { Turns, TurnTaker } from './turns.ts'
import { WaitingFrames } from './waiting-frames.ts'

/** The connection, as seen by what waits. */
export type InboxOwner = {
  /** No more is to be read for now. */
  stopReading(): void
  /**
   * Handles the first message of the bytes, and returns how many of them it took. All of them when nothing is taken any
   * more; none when it cannot be taken yet. Must not throw.
   */
  take(bytes: Uint8Array): number
  /** A turn of it is over. */
  served(): void
  /** Nothing waits and nothing holds it back any more. */
  emptied(): void
  /** So many bytes wait now. */
  waits(bytes: number): void
}

export class Inbox implements TurnTaker {
  readonly #owner: InboxOwner
  readonly #turns: Turns
  #pauses = 0
  /** How many of them are for a message that is being worked on: a stop lifts the others. */
  #holds = 0
  /** It waits for its turn; in one place only. */
  #isInLine = false
  /** What is left of a frame, and what came out of the WebSocket's buffer after a pause; bounded by that buffer. */
  #waiting: WaitingFrames | null = null

  constructor(owner: InboxOwner, turns: Turns) {
    this.#owner = owner
    this.#turns = turns
  }

  get isPaused(): boolean {
    return this.#pauses > 0
  }

  /** Something of it is being worked on, or waits behind that. */
  get isAtWork(): boolean {
    return this.#holds > 0 || !this.#isEmpty
  }

  get #isEmpty(): boolean {
    return this.#waiting?.isEmpty !== false
  }

  pause(): void {
    this.#pauses++
    if (this.#pauses === 1) this.#owner.stopReading()
  }

  resume(): void {
    this.#pauses--
    while (this.#pauses === 0) {
      if (this.#isEmpty) return this.#owner.emptied()
      if (!this.#turns.mayHandle(this)) return this.#standInLine()
      this.#takeNext()
      this.#count()
    }
  }

  hold(): void {
    this.#holds++
    this.pause()
  }

  release(): void {
    this.#holds--
    this.resume()
  }

  /** Its turn has come. */
  serve(): void {
    this.#isInLine = false
    this.resume()
    this.#owner.served()
  }

  /** Messages in one piece of bytes, which are copied if they have to wait. */
  arrived(frame: Uint8Array): void {
    if (this.#pauses > 0) this.#queue().push(frame)
    else if (this.#turns.mayHandle(this)) this.#takeWhole(frame)
    else {
      this.#queue().push(frame)
      this.#standInLine()
    }
    this.#count()
  }

  /** The same of a connection that is stopped: `takeAll` follows. */
  keep(frame: Uint8Array): void {
    this.#queue().push(frame)
  }

  /** Whatever waits, in its turn, until something is worked on or cannot be taken yet. Bounded by what was read. */
  takeAll(): void {
    while (this.#holds === 0 && !this.#isEmpty && !this.#isInLine) {
      if (!this.#turns.mayHandle(this)) this.#standInLine()
      else if (this.#takeNext() === 0) break
    }
    this.#count()
  }

  /** The same at once. */
  takeRest(): void {
    while (this.#holds === 0 && this.#takeNext() > 0) {}
    this.#count()
  }

  /** Drops what waits: nothing is taken any more. */
  clear(): void {
    this.#waiting = null
    this.#count()
  }

  /** Its messages one after the other, until something makes the rest wait. */
  #takeWhole(frame: Uint8Array): void {
    this.#take(frame)
    while (!this.#isEmpty && this.#pauses === 0) {
      if (this.#turns.mayHandle(this)) this.#takeNext()
      else this.#standInLine()
    }
    this.#waiting?.own()
  }

  /** Returns how many bytes were taken. */
  #takeNext(): number {
    const bytes = this.#waiting?.shift()
    return bytes === undefined ? 0 : this.#take(bytes)
  }

  #take(bytes: Uint8Array): number {
    const taken = this.#owner.take(bytes)
    if (taken < bytes.length) this.#queue().putBack(bytes.subarray(taken))
    return taken
  }

  #standInLine(): void {
    this.#isInLine = true
    this.pause()
    this.#turns.wait(this)
  }

  #queue(): WaitingFrames {
    this.#waiting ??= new WaitingFrames()
    return this.#waiting
  }

  #count(): void {
    if (this.#isEmpty) this.#waiting = null
    this.#owner.waits(this.#waiting?.bytes ?? 0)
  }
}
