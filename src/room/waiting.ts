/** Those who wait until updates are durable: a SyncStep1 for what its sender sent before, callers on the server. */
import type { Fault } from '../errors.ts'

/** Exactly one of the two is called, once. */
type Waiter = {
  readonly ticket: number
  readonly pass: () => void
  readonly fail: (fault: Fault) => void
}

export class Waiting {
  /** Bounded by what members may have on their way, and callers under way (`applyBytesMax`). */
  #waiters: Waiter[] = []
  #reached = 0

  /** Passes at `reached` with this ticket or a later one, at once if that has been; fails at `failed`. */
  add(waiter: Waiter): void {
    if (waiter.ticket <= this.#reached) waiter.pass()
    else this.#waiters.push(waiter)
  }

  /** The same as a promise. */
  until(ticket: number): Promise<void> {
    return new Promise((pass, fail) => this.add({ ticket, pass, fail }))
  }

  /** Everything up to the ticket is durable and has been sent. */
  reached(ticket: number): void {
    this.#reached = ticket
    const isReached = (waiter: Waiter) => waiter.ticket <= ticket
    const passing = this.#waiters.filter(isReached)
    if (passing.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => !isReached(waiter))
    for (const { pass } of passing) pass()
  }

  failed(fault: Fault): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { fail } of waiters) fail(fault)
  }
}
