/**
 * Work that comes in crowds, such as two hundred people who open a document at once, a little in each turn of the
 * event loop: who types meanwhile is heard in between.
 */
import type { Time } from './time.ts'

export class Pacer {
  readonly #time: Time
  readonly #budgetMs: number
  /** Bounded by its users: a connection has one upgrade and one join. */
  readonly #waiting: (() => void)[] = []
  #spentMs = 0
  #isTurnOver = false

  /** `budgetMs`: what all work of one turn may take, but for the one piece that exceeds it. */
  constructor(time: Time, budgetMs: number) {
    this.#time = time
    this.#budgetMs = budgetMs
  }

  /**
   * Runs at once, if this turn has time left and nobody waits; else in one of the next ones, in order. The work must
   * not throw: nobody would be there to catch it.
   */
  run(work: () => void): void {
    if (this.#isTurnOver) this.#waiting.push(work)
    else this.#spend(work)
  }

  #spend(work: () => void): void {
    const startMs = this.#time.nowMs()
    if (this.#spentMs === 0) this.#time.soon(() => this.#nextTurn())
    work()
    // A clock too coarse to see the work must not make a turn endless.
    this.#spentMs += Math.max(this.#time.nowMs() - startMs, 0.001)
    this.#isTurnOver = this.#spentMs >= this.#budgetMs
  }

  #nextTurn(): void {
    this.#spentMs = 0
    this.#isTurnOver = false
    while (!this.#isTurnOver) {
      const work = this.#waiting.shift()
      if (work === undefined) return
      this.#spend(work)
    }
  }
}
