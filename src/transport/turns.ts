/**
 * Whose messages are handled in a turn of the event loop. One connection gets a small share of a turn, all together
 * get no more than one turn has, and the rest wait: half of a turn is for those who have just begun to, the rest for the
 * others, one after the other.
 * So whoever sends a message now and then is heard in the turn it arrives or the next, whatever others pour in.
 * (Fair queueing by time spent, with newcomers first: RFC 8290, 4.1.)
 */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

export type TurnTaker = {
  /** Handles what waits for as long as `mayHandle` allows; if something is left, it waits again. Must not throw. */
  serve(): void
}

/** Milliseconds: `shareMs` of one connection, `turnMs` of all. Each is exceeded by at most one message. */
export type TurnRates = { readonly shareMs: number; readonly turnMs: number }

export class Turns {
  readonly #time: Time
  readonly #rates: TurnRates
  /** Bounded by the connections: each waits in one place. */
  #newcomers: TurnTaker[] = []
  #others: TurnTaker[] = []
  #isTurn = false
  #turnSinceMs = 0
  /** Whose messages are being handled, since when, and whether it may have one whatever the time. */
  #taker: TurnTaker | null = null
  #takerSinceMs = 0
  #isServing = false
  #isFirst = false

  constructor(time: Time, rates: TurnRates) {
    this.#time = time
    this.#rates = rates
  }

  /** Whether the taker's next message may be handled now. If not, it has to `wait`. */
  mayHandle(taker: TurnTaker): boolean {
    const nowMs = this.#time.nowMs()
    if (!this.#isTurn) this.#begin(nowMs)
    if (this.#taker !== taker) {
      this.#taker = taker
      this.#takerSinceMs = nowMs
    }
    // Whoever is served gets on by one message at least, or nobody would where the clock is coarse.
    if (this.#isFirst) {
      this.#isFirst = false
      return true
    }
    const { shareMs, turnMs } = this.#rates
    return nowMs - this.#takerSinceMs < shareMs && nowMs - this.#turnSinceMs < turnMs
  }

  /** It is served in one of the next turns. A taker waits in one place only. */
  wait(taker: TurnTaker): void {
    if (this.#isServing) this.#others.push(taker)
    else this.#newcomers.push(taker)
  }

  #begin(nowMs: number): void {
    this.#isTurn = true
    this.#turnSinceMs = nowMs
    this.#time.soon(() => this.#next())
  }

  #next(): void {
    this.#isTurn = false
    this.#taker = null
    if (this.#newcomers.length + this.#others.length === 0) return
    this.#begin(this.#time.nowMs())
    const newcomers = this.#newcomers
    const others = this.#others
    this.#newcomers = []
    this.#others = []
    this.#isServing = true
    const { turnMs } = this.#rates
    const late = this.#serve(newcomers, others.length > 0 ? turnMs / 2 : turnMs)
    const unserved = [...this.#serve(others, turnMs), ...late]
    this.#isServing = false
    this.#others = [...unserved, ...this.#others]
  }

  /** One of them at least. Returns those for whom no time was left, `untilMs` from the beginning of the turn on. */
  #serve(takers: readonly TurnTaker[], untilMs: number): readonly TurnTaker[] {
    for (const [i, taker] of takers.entries()) {
      if (i > 0 && this.#time.nowMs() - this.#turnSinceMs >= untilMs) return takers.slice(i)
      this.#taker = null
      this.#isFirst = true
      taker.serve()
      this.#isFirst = false
    }
    return []
  }
}

/** How a turn is shared. */
export function turnRates({ messagesShareMs, messagesTurnMs }: Limits): TurnRates {
  return { shareMs: messagesShareMs, turnMs: messagesTurnMs }
}
