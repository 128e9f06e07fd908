/** Calls of the embedding application's functions: what they throw, and how long they take, is their own affair. */
import { Fault } from './errors.ts'
import type { Cancel, Time } from './time.ts'

/** The function was called and has not answered in time. It may still do so; nobody listens any more. */
export class TimedOut extends Error {}

export class TimedCalls {
  readonly #time: Time
  readonly #timeoutMs: number
  /** Ends a call that is under way. Bounded by how many the caller has under way at once. */
  readonly #abandon = new Set<(reason: Error) => void>()
  #isClosed = false

  constructor(time: Time, timeoutMs: number) {
    this.#time = time
    this.#timeoutMs = timeoutMs
  }

  /** Resolves to what the function returns or resolves to; rejects with what it throws, TimedOut or ERR_GOING_DOWN. */
  call<T>(work: () => T | PromiseLike<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new Fault('ERR_GOING_DOWN'))
    return new Promise((resolve, reject) => {
      let cancel: Cancel = () => {}
      const over = () => {
        cancel()
        this.#abandon.delete(abandon)
      }
      const abandon = (reason: Error) => {
        over()
        reject(reason)
      }
      this.#abandon.add(abandon)
      cancel = this.#time.after(this.#timeoutMs, () => {
        abandon(new TimedOut(`no answer within ${this.#timeoutMs} ms`))
      })
      // Both handlers are attached for good: what comes too late is heard and ignored.
      new Promise<T>(answer => answer(work())).then(resolve, reject).finally(over)
    })
  }

  /** Waits for none of them any longer, and leaves no timer. */
  close(): void {
    this.#isClosed = true
    for (const abandon of [...this.#abandon]) abandon(new Fault('ERR_GOING_DOWN'))
  }
}
