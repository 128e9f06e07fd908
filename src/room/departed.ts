/** Clocks of clientIDs that left a room, kept for a while so that they are visible at once when they return. */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

/** `ageMs`: how long ago it left. */
export type DepartedClock = { readonly clientID: number; readonly clock: number; readonly ageMs: number }

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

  /** It left another node so long ago, which may be known here already. Kept up to twice as long as others. */
  learn({ clientID, clock, ageMs }: DepartedClock): void {
    const known = this.#entries.get(clientID)
    this.add(clientID, Math.max(clock, known?.clock ?? -1))
    const leftAtMs = Math.max(this.#time.nowMs() - ageMs, known?.leftAtMs ?? Number.NEGATIVE_INFINITY)
    this.#entries.set(clientID, { clock: this.clock(clientID) ?? clock, leftAtMs })
  }

  /** All that left within the time for which they are kept. */
  recent(): DepartedClock[] {
    const nowMs = this.#time.nowMs()
    const all = [...this.#entries].map(([clientID, { clock, leftAtMs }]) => {
      return { clientID, clock, ageMs: nowMs - leftAtMs }
    })
    // Of some nothing was ever published.
    return all.filter(({ clock, ageMs }) => clock >= 0 && ageMs < this.#limits.awarenessDepartedMs)
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
