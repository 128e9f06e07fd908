/**
 * How much is read in one turn of the event loop. Messages take turns when they are handled, but ws takes apart at once
 * whatever a socket brings: of many sockets that bring ten thousand frames each, that alone is a long turn.
 */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

type TurnTaker = { pause(): void; resume(): void }

/** A frame takes as long to read as so many bytes, however short it is. */
const frameBytes = 1024

/** So little never waits: it is what people send. */
const alwaysReadBytes = 1024

/** What costs no more than this share of a turn goes before what costs more, for half of the turn. */
const smallShare = 1 / 8

export class ReadingTurns {
  readonly #time: Time
  readonly #costMax: number
  /** In the order in which they came, with what each has to read. Bounded by the connections. */
  readonly #waiting = new Map<TurnTaker, number>()
  #cost = 0
  #isTurn = false

  constructor(time: Time, { readBytesTurnMax }: Limits) {
    this.#time = time
    this.#costMax = readBytesTurnMax
  }

  /**
   * Whether so much may be read now. If not, the taker is paused until one of the next turns; then it reads this without
   * asking again.
   */
  mayRead(taker: TurnTaker, { bytes, frames }: { bytes: number; frames: number }): boolean {
    if (bytes <= alwaysReadBytes) return true
    this.#begin()
    const cost = bytes + frames * frameBytes
    // One of them at least.
    if (this.#cost === 0 || this.#cost + cost <= this.#costMax) {
      this.#cost += cost
      return true
    }
    this.#waiting.set(taker, cost)
    taker.pause()
    return false
  }

  /** It is over. */
  leave(taker: TurnTaker): void {
    this.#waiting.delete(taker)
  }

  #begin(): void {
    if (this.#isTurn) return
    this.#isTurn = true
    this.#cost = 0
    this.#time.soon(() => this.#next())
  }

  #next(): void {
    this.#isTurn = false
    if (this.#waiting.size === 0) return
    this.#begin()
    for (const [taker, cost] of this.#waiting) {
      if (this.#cost >= this.#costMax / 2) break
      if (cost <= this.#costMax * smallShare) this.#readOn(taker, cost)
    }
    // The first of the line in any case: else those who bring little could keep it waiting for ever.
    let isFirst = true
    for (const [taker, cost] of this.#waiting) {
      if (!isFirst && this.#cost + cost > this.#costMax) break
      isFirst = false
      this.#readOn(taker, cost)
    }
  }

  #readOn(taker: TurnTaker, cost: number): void {
    this.#cost += cost
    this.#waiting.delete(taker)
    taker.resume()
  }
}
