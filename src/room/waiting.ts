/**
 * Those who wait until something numbered is done: updates durable, for a SyncStep1 and for callers on the server; records
 * of a shared log shown.
 */

/** Exactly one of the two is called, once. */
type Waiter = {
  readonly ticket: number
  readonly pass: () => void
  readonly fail: (error: unknown) => void
}

export class Waiting {
  /** Bounded by what members may have on their way, and callers under way (`applyBytesMax`). */
  #waiters: Waiter[] = []
  #reached = 0
  #failure: { readonly error: unknown } | null = null

  /** Passes at `reached` with this ticket or a later one, fails at `failed`; at once if that has been. */
  add(waiter: Waiter): void {
    if (waiter.ticket <= this.#reached) waiter.pass()
    else if (this.#failure !== null) waiter.fail(this.#failure.error)
    else this.#waiters.push(waiter)
  }

  /** The same as a promise. */
  until(ticket: number): Promise<void> {
    return new Promise((pass, fail) => this.add({ ticket, pass, fail }))
  }

  /** Everything up to the ticket is done. */
  reached(ticket: number): void {
    this.#reached = ticket
    const isReached = (waiter: Waiter) => waiter.ticket <= ticket
    const passing = this.#waiters.filter(isReached)
    if (passing.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => !isReached(waiter))
    for (const { pass } of passing) pass()
  }

  /** Nothing more is done. */
  failed(error: unknown): void {
    this.#failure ??= { error }
    const waiters = this.#waiters
    this.#waiters = []
    for (const { fail } of waiters) fail(error)
  }
}
