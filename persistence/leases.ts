/** Leases of a store that one process has at a time: they are kept in memory and end with it. */
import { checkLease } from './arguments.ts'
import { bounds } from './bounds.ts'
import { StoreError } from './store.ts'

type Lease = { readonly holder: string; readonly untilMs: number }

export class Leases {
  readonly #now: () => number
  readonly #leases = new Map<string, Lease>()

  /** `now`: milliseconds of any clock that does not stand still. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** As `Store.lease`. */
  take(key: string, holder: string, ms: number): boolean {
    checkLease(key, holder, ms)
    const nowMs = this.#now()
    const present = this.#leases.get(key)
    if (present !== undefined && present.holder !== holder && present.untilMs > nowMs) return false
    if (ms === 0) this.#leases.delete(key)
    else {
      if (present === undefined) this.#makeRoom(nowMs)
      this.#leases.set(key, { holder, untilMs: nowMs + ms })
    }
    return true
  }

  #makeRoom(nowMs: number): void {
    if (this.#leases.size < bounds.leasesMax) return
    for (const [key, { untilMs }] of this.#leases) if (untilMs <= nowMs) this.#leases.delete(key)
    if (this.#leases.size < bounds.leasesMax) return
    throw new StoreError('STORE_FAILED', `${bounds.leasesMax} leases are held; no more can be given`)
  }
}
