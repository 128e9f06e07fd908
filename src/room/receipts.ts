/**
 * What a member is owed for the updates it sent, in a dialect whose clients count those that are not saved yet. It
 * follows the client's counter: each update adds one when it is made, a SyncStep1 sets it to one (for the SyncStep2
 * that will answer ours), and each receipt takes one away.
 *
 * Providers send what was made while the socket was closed on the first message they receive, which is after their
 * SyncStep1: the counter does not know of it, but the SyncStep1's state vector does. All of it comes before their first
 * SyncStep2, as that answers a message (`resolveConnectionAttempt` in 2.15, 3.4 and 4.8). Deletions are in no state
 * vector, so an update of deletions alone is taken for a counted one: a receipt too many shows the counter too low for
 * a while, in 2.15 until the next SyncStep1; one too few would leave it above zero for as long.
 */
import type { ClockRange } from '../document/scan.ts'
import { covers } from '../document/sync.ts'
import { isBeyond } from '../document/tail.ts'

/** Client to clock, as the SyncStep1 says. */
type StateVector = ReadonlyMap<number, number>

/** A client that never sends its SyncStep2 would keep a larger vector for ever; of such documents a receipt may be early. */
const keptClientsMax = 2_000

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
  /** What it had when it sent its latest SyncStep1; null once nothing made before that can come any more. */
  #hadBefore: StateVector | null = null

  /**
   * It sent a SyncStep1 and is sent ours. Its counter begins anew, so nothing is owed for what came before. What its
   * SyncStep2 will hold, it may have sent already: until that is durable, no receipt may make the counter zero.
   * A SyncStep1 that knows no more than the one before has waited, like updates: it was made first. Keeps the vector.
   */
  step1Came(vector: StateVector): void {
    if (this.#hadBefore !== null && covers(this.#hadBefore, vector)) return this.asked()
    this.#hadBefore = vector.size <= keptClientsMax ? vector : null
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

  /** An update that brings these structs was taken, and is durable with this ticket. */
  updateTaken(ticket: number, structs: readonly ClockRange[]): void {
    if (this.#hasBegun && !this.#wasMadeBefore(structs)) this.#add(ticket, 1)
  }

  /** Updates wait for the SyncStep2 that answers ours. */
  get awaitsStep2(): boolean {
    return this.#notBefore === Number.POSITIVE_INFINITY && this.#waiting.length + this.#settled > 0
  }

  /**
   * It has not come for so long that its sender may have none to send. Updates are told from now on. The SyncStep2 still
   * counts as one if it comes: until then a provider's counter stays above zero, whatever it was told of its updates.
   */
  step2Overdue(): void {
    this.#notBefore = 0
  }

  /** A SyncStep2 was taken. It holds all that was refused before. */
  step2Taken(ticket: number): void {
    const count = this.#step2Came(ticket) + this.#refused
    this.#refused = 0
    if (this.#hasBegun && count > 0) this.#add(ticket, count)
  }

  updateRefused(structs: readonly ClockRange[]): void {
    if (this.#hasBegun && !this.#wasMadeBefore(structs)) this.#refused++
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

  /** Whether all that it brings was there when the SyncStep1 was sent, so that the counter does not know of it. */
  #wasMadeBefore(structs: readonly ClockRange[]): boolean {
    return this.#hadBefore !== null && structs.length > 0 && !isBeyond(structs, this.#hadBefore)
  }

  /** How many the counter has for it: one, or none when it did not ask. */
  #step2Came(ticket: number): number {
    this.#hadBefore = null
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
