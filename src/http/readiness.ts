/** Whether the store can be written: one look at a time, whoever asks and how often. */
import { type Store, StoreError } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { Journal } from '../room/journal.ts'

/** Null: it can. Else why not, as a store's error code, or that it did not answer in time. */
export type StoreState = string | null

type Parts = {
  readonly store: Store
  readonly journal: Pick<Journal, 'lastSuccessMs'>
  readonly time: Time
  readonly limits: Limits
}

export class Readiness {
  readonly #parts: Parts
  #looking: Promise<StoreState> | null = null
  #last: { readonly state: StoreState; readonly atMs: number } | null = null

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * A probe is a synced write: there is one in `readyFreshMs` at most. An append that succeeded since says as much. Never
   * rejects.
   */
  look(): Promise<StoreState> {
    const { journal, time, limits } = this.#parts
    if (this.#last !== null && time.nowMs() - this.#last.atMs < limits.readyFreshMs) {
      return Promise.resolve(journal.lastSuccessMs > this.#last.atMs ? null : this.#last.state)
    }
    this.#looking ??= this.#look()
    return this.#looking
  }

  async #look(): Promise<StoreState> {
    let cancel = () => {}
    const { time, limits } = this.#parts
    const late = new Promise<StoreState>(resolve => {
      cancel = time.after(limits.readyTimeoutMs, () => resolve('STORE_SLOW'))
    })
    const state = await Promise.race([this.#probe(), late])
    cancel()
    this.#last = { state, atMs: time.nowMs() }
    this.#looking = null
    return state
  }

  async #probe(): Promise<StoreState> {
    try {
      await this.#parts.store.probe()
      return null
    } catch (error) {
      return error instanceof StoreError ? error.code : 'STORE_FAILED'
    }
  }
}
