/** Those who wait until an update of theirs is durable: server-side callers, which have no connection to be closed. */
import type { Fault } from '../errors.ts'

type Waiter = {
  readonly ticket: number
  readonly resolve: () => void
  readonly reject: (fault: Fault) => void
}

export class Waiting {
  /** By ticket, ascending. Bounded by what callers may have under way, see `applyBytesMax`. */
  #waiters: Waiter[] = []

  /** Resolves at `reached` with this ticket or a later one; rejects at `failed`. Tickets never decrease. */
  until(ticket: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ ticket, resolve, reject }))
  }

  reached(ticket: number): void {
    const first = this.#waiters.findIndex(waiter => waiter.ticket > ticket)
    const done = this.#waiters.splice(0, first === -1 ? this.#waiters.length : first)
    for (const { resolve } of done) resolve()
  }

  failed(fault: Fault): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const { reject } of waiters) reject(fault)
  }
}
