/** Everything random in a run, from its seed. */
import { randomFrom } from '../support/trace.ts'

export class Chance {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = randomFrom(seed)
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.#next() * bound)
  }

  /** A number in [low, high). */
  between(low: number, high: number): number {
    return low + this.#next() * (high - low)
  }

  /** A number in [low, high), small ones as likely as large ones: each order of magnitude gets its share. */
  scaled(low: number, high: number): number {
    return low * (high / low) ** this.#next()
  }

  /** True with this probability. */
  hits(probability: number): boolean {
    return this.#next() < probability
  }

  /** A time until the next of some events that come once per `meanMs` on average. */
  gapMs(meanMs: number): number {
    return -Math.log(1 - this.#next()) * meanMs
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)]
    if (value === undefined) throw new Error('nothing to pick from')
    return value
  }

  /** One of several calls, each as likely as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.between(
      0,
      choices.reduce((sum, [weight]) => sum + weight, 0)
    )
    for (const [weight, value] of choices) {
      at -= weight
      if (at < 0) return value
    }
    throw new Error('nothing to pick from')
  }

  /** A stream of its own, so that draws elsewhere do not shift it. */
  fork(): Chance {
    return new Chance(this.below(2 ** 32))
  }
}
