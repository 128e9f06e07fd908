/** The timers of one owner: those that have not run end with it. */
import type { Cancel, Time } from './time.ts'

export class Timers {
  readonly #time: Pick<Time, 'after'>
  // Made when it is needed: most owners never wait for anything.
  #cancels: Set<Cancel> | null = null

  constructor(time: Pick<Time, 'after'>) {
    this.#time = time
  }

  after(delayMs: number, run: () => void): void {
    const cancel = this.#time.after(delayMs, () => {
      this.#cancels?.delete(cancel)
      run()
    })
    this.#cancels ??= new Set()
    this.#cancels.add(cancel)
  }

  clear(): void {
    for (const cancel of this.#cancels ?? []) cancel()
    this.#cancels = null
  }
}
