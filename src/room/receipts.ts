/**
 * What a member is owed for the updates it sent, in a dialect whose clients count those that are not saved yet. It
 * follows the client's counter: each update adds one, a SyncStep1 sets it to one (for the SyncStep2 that will answer
 * ours), and each receipt takes one away.
 */

type Waiting = { readonly ticket: number; count: number }

export class Receipts {
  /** In order of tickets. Bounded: only updates that bring something new have a ticket of their own, and wait. */
  #waiting: Waiting[] = []
  /** Durable, and not to be told yet. */
  #settled = 0
  #hasBegun = false
  #isLive = false
  /** Nothing is told before this ticket is durable. */
  #notBefore = 0
  /** SyncStep2 messages it owes us: those its counter does not know, the one it does, and uncounted ones after. */
  #uncounted = 0
  #isCounted = false
  #uncountedAfter = 0
  /** Updates not taken, which it still counts. */
  #refused = 0

  /**
   * It sent a SyncStep1 and is sent ours. Its counter begins anew, so nothing is owed for what came before. What its
   * SyncStep2 will hold, it may have sent already: until that is durable, no receipt may make the counter zero.
   */
  counterReset(): void {
    this.#hasBegun = true
    this.#waiting = []
    this.#settled = 0
    this.#refused = 0
    this.#uncounted += this.#uncountedAfter + (this.#isCounted ? 1 : 0)
    this.#uncountedAfter = 0
    this.#isCounted = true
    this.#notBefore = Number.POSITIVE_INFINITY
  }

  /** It is sent a SyncStep1 that it did not ask for: its counter knows nothing of the answer. */
  asked(): void {
    if (this.#isCounted) this.#uncountedAfter++
    else this.#uncounted++
  }

  /** An update was taken, and is durable with this ticket. */
  updateTaken(ticket: number): void {
    if (this.#hasBegun) this.#add(ticket, 1)
  }

  /** A SyncStep2 was taken. It holds all that was refused before. */
  step2Taken(ticket: number): void {
    const count = this.#step2Came(ticket) + this.#refused
    this.#refused = 0
    if (this.#hasBegun && count > 0) this.#add(ticket, count)
  }

  updateRefused(): void {
    if (this.#hasBegun) this.#refused++
  }

  step2Refused(): void {
    this.#refused += this.#step2Came(0)
  }

  /** It has its end marker: no receipt goes out before that, as providers call themselves synced at zero. */
  memberLive(): void {
    this.#isLive = true
  }

  /** How many receipts may go out now that everything up to the ticket is durable. They count as sent. */
  take(durableTicket: number): number {
    let taken = 0
    for (const { ticket, count } of this.#waiting) {
      if (ticket > durableTicket) break
      this.#settled += count
      taken++
    }
    if (taken > 0) this.#waiting.splice(0, taken)
    if (!this.#isLive || durableTicket < this.#notBefore) return 0
    const count = this.#settled
    this.#settled = 0
    return count
  }

  /** How many the counter has for it: one, or none when it did not ask. */
  #step2Came(ticket: number): number {
    if (this.#uncounted > 0) {
      this.#uncounted--
      return 0
    }
    if (this.#isCounted) {
      this.#isCounted = false
      this.#uncounted = this.#uncountedAfter
      this.#uncountedAfter = 0
      this.#notBefore = ticket
    }
    return 1
  }

  #add(ticket: number, count: number): void {
    const last = this.#waiting.at(-1)
    if (last?.ticket === ticket) last.count += count
    else this.#waiting.push({ ticket, count })
  }
}
