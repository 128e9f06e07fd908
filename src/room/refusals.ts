/**
 * Who had an update refused lately. The first refusal is worth a retry (the client may be mended by a reload); a
 * second within the memory's time is not, and every one makes the next answer slower.
 */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

type Strikes = { readonly count: number; readonly lastMs: number }

export class Refusals {
  readonly #time: Time
  readonly #limits: Limits
  readonly #strikes = new Map<string, Strikes>()

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
  }

  /** Counts a refusal and returns how many there were within the memory's time, this one included. */
  add(who: string): number {
    const count = this.#recent(who) + 1
    this.#strikes.delete(who)
    this.#strikes.set(who, { count, lastMs: this.#time.nowMs() })
    for (const oldest of this.#strikes.keys()) {
      if (this.#strikes.size <= this.#limits.refusalsMax) break
      this.#strikes.delete(oldest)
    }
    return count
  }

  /** How long a client waits for the answer to its refusal of this number: not at all for the first. */
  delayMs(count: number): number {
    if (count < 2) return 0
    return Math.min(this.#limits.refusalDelayMs * 2 ** (count - 2), this.#limits.refusalDelayMsMax)
  }

  #recent(who: string): number {
    const strikes = this.#strikes.get(who)
    if (strikes === undefined) return 0
    return this.#time.nowMs() - strikes.lastMs <= this.#limits.refusalMemoryMs ? strikes.count : 0
  }
}
