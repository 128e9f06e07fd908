/**
 * How much somebody may send: a bucket of messages and one of bytes, filled at a rate up to a bound. What is sent is
 * always taken, also on credit; whoever is in debt waits until it is paid.
 */

/** Messages and bytes per second, and how many of each may come at once after a rest. */
export type Rates = {
  readonly messagesPerSecond: number
  readonly messagesMax: number
  readonly bytesPerSecond: number
  readonly bytesMax: number
}

/** A message that costs less time is paid for by its bytes alone. */
export const freeMs = 1

/** A bucket of milliseconds, in the place of bytes. */
export function workRates(limits: { workMsPerSecondMax: number; workMsBurstMax: number }): Rates {
  const { workMsPerSecondMax: bytesPerSecond, workMsBurstMax: bytesMax } = limits
  return { messagesPerSecond: 1e6, messagesMax: 1e6, bytesPerSecond, bytesMax }
}

export class Budget {
  readonly #rates: Rates
  #messages: number
  #bytes: number
  #atMs: number

  constructor(rates: Rates, nowMs: number) {
    this.#rates = rates
    this.#messages = rates.messagesMax
    this.#bytes = rates.bytesMax
    this.#atMs = nowMs
  }

  /** Pays for one message. Returns in how many whole milliseconds nothing is owed any more: 0 when nothing is. */
  take(bytes: number, nowMs: number): number {
    this.#fill(nowMs)
    this.#messages -= 1
    this.#bytes -= bytes
    return this.#owedMs()
  }

  /** The same without paying for anything. */
  owedMs(nowMs: number): number {
    this.#fill(nowMs)
    return this.#owedMs()
  }

  /** Whether less than half is left of one of the two. */
  isLow(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#messages < this.#rates.messagesMax / 2 || this.#bytes < this.#rates.bytesMax / 2
  }

  /** Whether nothing is missing: it is as good as a new one. */
  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#messages === this.#rates.messagesMax && this.#bytes === this.#rates.bytesMax
  }

  #fill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000
    const { messagesPerSecond, messagesMax, bytesPerSecond, bytesMax } = this.#rates
    this.#messages = Math.min(messagesMax, this.#messages + seconds * messagesPerSecond)
    this.#bytes = Math.min(bytesMax, this.#bytes + seconds * bytesPerSecond)
    this.#atMs = nowMs
  }

  #owedMs(): number {
    const { messagesPerSecond, bytesPerSecond } = this.#rates
    const seconds = Math.max(-this.#messages / messagesPerSecond, -this.#bytes / bytesPerSecond, 0)
    return Math.ceil(seconds * 1000)
  }
}
