/**
 * What a store tells its owner beside the results of calls, as structured objects; the server logs them.
 */
import type { StoreError } from './store.ts'

export type StoreReport =
  /** A record that could not be read was moved to the set-aside area. */
  | {
      readonly kind: 'record-set-aside'
      readonly document: string
      readonly sequence: number
      readonly reason: string
    }
  /** After a failed write the database was closed and opened again. */
  | { readonly kind: 'reopened'; readonly cause: StoreError }
  /** The next call tries again. */
  | { readonly kind: 'reopen-failed'; readonly cause: StoreError }
  /** A crash had interrupted a checkpoint or a removal; what it left was removed at opening. */
  | { readonly kind: 'leftovers-removed'; readonly notes: number; readonly keys: number }
  /** Removing replaced data failed; it is hidden from readers and removed at the next opening. */
  | { readonly kind: 'removal-failed'; readonly document: string; readonly cause: StoreError }
  | { readonly kind: 'compacted'; readonly ranges: number; readonly freedBytes: number }
  | { readonly kind: 'compaction-failed'; readonly cause: StoreError }
  /** A database elsewhere does not answer, or not yet; calls wait for it. */
  | { readonly kind: 'database-away'; readonly cause: StoreError }
  | { readonly kind: 'database-back' }

/** Must not throw; what it throws is dropped, for a listener must not fail a write. */
export type OnReport = (report: StoreReport) => void

export function guarded(onReport: OnReport | undefined): OnReport {
  if (onReport === undefined) return () => {}
  return report => {
    try {
      onReport(report)
    } catch {
      // The listener's own fault; the store goes on.
    }
  }
}
