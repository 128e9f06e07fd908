/**
 * Exactly-once writes: what each producer has sent last, by its epoch and number. Checks of one producer run one after the
 * other. A Yjs update that comes twice changes nothing, so nothing is ever left out for its number: the numbers decide what
 * the answer is, and a producer that nobody remembers is taken as it comes.
 */
import type { ProducerClaim } from '../dialect/durable-streams.ts'

/** `next`: it counts from here on. `repeated`: it was taken before. The others are not taken, and say why. */
export type Verdict =
  | { readonly type: 'next' }
  | { readonly type: 'repeated'; readonly seq: number }
  | { readonly type: 'gap'; readonly expected: number }
  | { readonly type: 'stale'; readonly epoch: number }
  | { readonly type: 'not-from-zero' }

type Producer = { epoch: number; seq: number }

type Parts = {
  readonly producersMax: number
  /** Other nodes may have taken what is missing here. */
  readonly isShared: boolean
}

export class Producers {
  readonly #parts: Parts
  /** The least recently heard first. */
  readonly #producers = new Map<string, Producer>()
  /** The last check of each that has any under way. Bounded by the requests that are. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Runs the work when all earlier work of this producer is settled, and settles as it does. */
  async inTurn<T>(producer: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(producer) ?? Promise.resolve()
    const turn = before.then(work, work)
    this.#last.set(producer, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(producer) === turn) this.#last.delete(producer)
    }
  }

  judge(producer: string, { epoch, seq }: ProducerClaim): Verdict {
    const known = this.#producers.get(producer)
    if (known === undefined) return { type: 'next' }
    if (epoch < known.epoch) return { type: 'stale', epoch: known.epoch }
    if (epoch > known.epoch) {
      return seq === 0 || this.#parts.isShared ? { type: 'next' } : { type: 'not-from-zero' }
    }
    if (seq <= known.seq) return { type: 'repeated', seq: known.seq }
    const expected = known.seq + 1
    return seq === expected || this.#parts.isShared ? { type: 'next' } : { type: 'gap', expected }
  }

  /** What it sent with this number is durable. */
  taken(producer: string, { epoch, seq }: ProducerClaim): void {
    const known = this.#producers.get(producer)
    const isOld = known !== undefined && epoch === known.epoch && seq < known.seq
    this.#producers.delete(producer)
    this.#producers.set(producer, isOld ? known : { epoch, seq })
    for (const oldest of this.#producers.keys()) {
      if (this.#producers.size <= this.#parts.producersMax) break
      this.#producers.delete(oldest)
    }
  }
}
