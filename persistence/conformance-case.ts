/**
 * What a conformance case is and what it asks of the place it runs on.
 */
import type { Store } from './store.ts'

/**
 * `persistence`: what was written is there after close and open. `crash`: `StorePlace.crash` exists.
 * `copy`: `StorePlace.copyDirectory` and `openCopy` exist. `writers`: the place may be opened several times at once.
 * `history`: the store keeps histories. `marks`: it leaves marks of changes.
 */
export type ConformanceFeature = 'persistence' | 'crash' | 'copy' | 'writers' | 'history' | 'marks'

/**
 * One empty place to keep a store in, made anew for each case; whoever made it cleans it up after the case.
 */
export type StorePlace = {
  /** Opens the store of this place; again after `close` or `crash`. */
  open(): Promise<Store>
  /** Ends the store without closing it, as a power cut would. */
  crash?(): Promise<void>
  /** A missing or empty directory for `copyTo`. */
  copyDirectory?(): Promise<string>
  openCopy?(directory: string): Promise<Store>
}

export type ConformanceCase = {
  readonly name: string
  readonly features: readonly ConformanceFeature[]
  /** Rejects with an AssertionError when the store does not behave. */
  run(place: StorePlace): Promise<void>
}
