/**
 * SyncStep2s that were found to bring nothing, by their bytes. Hundreds come back after a deploy with the same deletions:
 * one of them is scanned and judged, and the rest compared. What a room knows only grows, so what was known stays known.
 */
import type { Limits } from '../base/limits.ts'
import type { ScannedUpdate } from '../document/tail.ts'

/** A shorter one is scanned in less time than it is looked for. */
const bytesMin = 128

export class KnownAnswers<Judged extends ScannedUpdate> {
  readonly #limits: Limits
  /** The one that was added last comes last. */
  #answers: Judged[] = []

  constructor(limits: Limits) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return this.#answers.length === 0
  }

  /** What was found of the same bytes, or null. */
  find(received: Uint8Array): Judged | null {
    if (received.length < bytesMin) return null
    return this.#answers.find(({ update }) => isSame(update, received)) ?? null
  }

  /** Whether it is worth judging now, to be added if it is known: it holds deletions alone. */
  mayAdd({ update, scan }: ScannedUpdate): boolean {
    const { length } = update
    return scan.structs.length === 0 && length >= bytesMin && length <= this.#limits.knownAnswerBytesMax
  }

  /** Keeps it. It was judged to be known. */
  add(judged: Judged): void {
    this.#answers.push(judged)
    if (this.#answers.length > this.#limits.knownAnswersMax) this.#answers.shift()
  }

  clear(): void {
    this.#answers = []
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && Buffer.compare(one, other) === 0
}
