/**
 * Whose messages are handled in a turn of the event loop. One connection gets a small share of a turn, all together
 * get no more than one turn has, and the rest wait: half of a turn is for those who have just begun to, the rest for the
 * others, one after the other.
 * So whoever sends a message now and then is heard in the turn it arrives or the next, whatever others pour in.
 * (Fair queueing by time spent, with newcomers first: RFC 8290, 4.1.)
 */
import type { Limits } from '../limits.ts'
import type { Time } from '../time.ts'

export type Guest = {
  /** Handles what waits for as long as `mayHandle` allows; if something is left, it waits again. Must not throw. */
  serve(): void
}

/** Milliseconds: `shareMs` of one connection, `turnMs` of all. Each is exceeded by at most one message. */
export type TurnRates = { readonly shareMs: number; readonly turnMs: number }

export class Turns {
  readonly #time: Time
  readonly #rates: TurnRates
  /** Bounded by the connections: each waits in one place. */
  #newcomers: Guest[] = []
  #others: Guest[] = []
  #isTurn = false
  #turnSinceMs = 0
  /** Whose messages are being handled, since when, and whether it may have one whatever the time. */
  #guest: Guest | null = null
  #guestSinceMs = 0
  #isServing = false
  #isFirst = false

  constructor(time: Time, rates: TurnRates) {
    this.#time = time
    this.#rates = rates
  }

  /** Whether the guest's next message may be handled now. If not, it has to `wait`. */
  mayHandle(guest: Guest): boolean {
    const nowMs = this.#time.nowMs()
    if (!this.#isTurn) this.#begin(nowMs)
    if (this.#guest !== guest) {
      this.#guest = guest
      this.#guestSinceMs = nowMs
    }
    // Whoever is served gets on by one message at least, or nobody would where the clock is coarse.
    if (this.#isFirst) {
      this.#isFirst = false
      return true
    }
    const { shareMs, turnMs } = this.#rates
    return nowMs - this.#guestSinceMs < shareMs && nowMs - this.#turnSinceMs < turnMs
  }

  /** It is served in one of the next turns. A guest waits in one place only. */
  wait(guest: Guest): void {
    if (this.#isServing) this.#others.push(guest)
    else this.#newcomers.push(guest)
  }

  #begin(nowMs: number): void {
    this.#isTurn = true
    this.#turnSinceMs = nowMs
    this.#time.soon(() => this.#next())
  }

  #next(): void {
    this.#isTurn = false
    this.#guest = null
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
  #serve(guests: readonly Guest[], untilMs: number): readonly Guest[] {
    for (const [i, guest] of guests.entries()) {
      if (i > 0 && this.#time.nowMs() - this.#turnSinceMs >= untilMs) return guests.slice(i)
      this.#guest = null
      this.#isFirst = true
      guest.serve()
      this.#isFirst = false
    }
    return []
  }
}

/** How a turn is shared. */
export function turnRates({ messagesShareMs, messagesTurnMs }: Limits): TurnRates {
  return { shareMs: messagesShareMs, turnMs: messagesTurnMs }
}
