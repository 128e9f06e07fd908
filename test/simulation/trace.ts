/** What happened in a run: a hash of all of it, and the last lines for people. */
import { createHash } from 'node:crypto'
import type { VirtualClock } from './virtual-time.ts'

const linesMax = Number(process.env.LINES ?? 400)

/** What a run found to be wrong. */
export class Violation extends Error {}

export class Trace {
  readonly #clock: VirtualClock
  readonly #hash = createHash('sha1')
  #lines: string[] = []
  #counts = new Map<string, number>()
  #digest: string | null = null

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  /** `what` is a word that is counted; `detail` says more. */
  note(what: string, detail = ''): void {
    this.count(what)
    const line = `${this.#clock.nowMs.toFixed(2).padStart(10)}  ${what.padEnd(18)} ${detail}`
    if (this.#digest === null) this.#hash.update(line)
    this.#lines.push(line)
    if (this.#lines.length > 2 * linesMax) this.#lines = this.#lines.slice(-linesMax)
  }

  count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  lastLines(): string {
    return this.#lines.slice(-linesMax).join('\n')
  }

  digest(): string {
    this.#digest ??= this.#hash.digest('hex')
    return this.#digest
  }
}
