/**
 * What a member is owed that has asked which of its updates are on disk. Both sides count the Updates and SyncStep2s that
 * it has sent since, from 1: a clock would not show deletions, and says nothing of an update that was not taken.
 */

/** Everything up to `number` is durable with this ticket. */
type Waiting = { readonly ticket: number; number: number }

export class Acknowledgements {
  /** In order of tickets. Bounded as receipts are: only updates that bring something new have a ticket of their own. */
  #waiting: Waiting[] = []
  #came = 0
  #acknowledged = 0

  /** How many it was last told of. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** An Update or SyncStep2 was taken, and is durable with this ticket. */
  taken(ticket: number): void {
    this.#came++
    const last = this.#waiting.at(-1)
    if (last?.ticket === ticket) last.number = this.#came
    else this.#waiting.push({ ticket, number: this.#came })
  }

  /** One was not taken. Returns its number. */
  refused(): number {
    this.#came++
    return this.#came
  }

  /** How many it may be told of, if they are more than it was; they count as told. */
  take(durableTicket: number): number | null {
    let passed = 0
    for (const { ticket, number } of this.#waiting) {
      if (ticket > durableTicket) break
      this.#acknowledged = number
      passed++
    }
    if (passed === 0) return null
    this.#waiting.splice(0, passed)
    return this.#acknowledged
  }
}
