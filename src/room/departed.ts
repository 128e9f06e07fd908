/** Clocks of clientIDs that left a room, kept for a while so that they are visible at once when they return. */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

export class Departed {
  readonly #time: Time
  readonly #limits: Limits
  /** In order of departure. */
  readonly #entries = new Map<number, { readonly clock: number; readonly leftAtMs: number }>()

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
  }

  add(clientID: number, clock: number): void {
    this.#prune()
    this.#entries.delete(clientID)
    this.#entries.set(clientID, { clock, leftAtMs: this.#time.nowMs() })
  }

  delete(clientID: number): void {
    this.#entries.delete(clientID)
  }

  clock(clientID: number): number | null {
    return this.#entries.get(clientID)?.clock ?? null
  }

  leftAtMs(clientID: number): number | null {
    return this.#entries.get(clientID)?.leftAtMs ?? null
  }

  #prune(): void {
    const oldestMs = this.#time.nowMs() - this.#limits.awarenessDepartedMs
    for (const [clientID, { leftAtMs }] of this.#entries) {
      if (leftAtMs >= oldestMs && this.#entries.size < this.#limits.awarenessDepartedMax) return
      this.#entries.delete(clientID)
    }
  }
}
