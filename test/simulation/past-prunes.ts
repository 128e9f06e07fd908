/** An operator who prunes histories of a running server now and then, until mishaps are over. */
import { StoreError } from '../../persistence/store.ts'
import { Fault } from '../../src/base/errors.ts'
import type { Pruning } from '../../src/documents/pruning.ts'
import { Chance } from './chance.ts'
import type { PastPlan } from './past-plan.ts'
import { type Trace, Violation } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'

type Parts = {
  readonly pruning: Pick<Pruning, 'prune'>
  readonly plan: NonNullable<PastPlan['prunes']>
  readonly time: Scope
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly isCalm: () => boolean
}

export class Prunes {
  readonly #parts: Parts
  /** Its own, so that seeds of runs without prunes go on meaning what they meant. */
  readonly #chance: Chance
  #cancel: () => void = () => {}
  #running: Promise<void> = Promise.resolve()
  #isOver = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#chance = new Chance(parts.plan.seed)
    this.#later()
  }

  /** No new ones; resolves when the one that is under way is over. */
  stop(): Promise<void> {
    this.#isOver = true
    this.#cancel()
    return this.#running
  }

  #later(): void {
    const { time, plan, isCalm } = this.#parts
    if (this.#isOver || isCalm()) return
    this.#cancel = time.after(this.#chance.gapMs(plan.gapMs), () => {
      this.#running = this.#prune().finally(() => this.#later())
    })
  }

  async #prune(): Promise<void> {
    const { pruning, plan, time, clock, trace } = this.#parts
    const document = this.#chance.pick(plan.documents)
    const ageMs = this.#chance.hits(0.5) ? 0 : this.#chance.scaled(10, 20_000)
    try {
      const { beginsAt } = await pruning.prune(document, time.wallMs() - ageMs)
      trace.note('pruned', `${document} to ${beginsAt.sequence}`)
    } catch (error) {
      trace.note('prune failed', `${document} ${error instanceof Error ? error.message : error}`)
      const isExpected = error instanceof Fault && error.code !== 'ERR_DOCUMENT_DAMAGED'
      if (isExpected || (error instanceof StoreError && error.code !== 'STORE_DAMAGED')) return
      clock.fail(new Violation(`a prune of ${document} failed: ${error}`, { cause: error }))
    }
  }
}
