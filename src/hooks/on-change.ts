/** The outlet that calls the application's own function: `onChange`. */
import type { Outlet } from '../../outlets/outlet.ts'
import type { Author } from '../../persistence/author.ts'
import type { HookOutcome } from '../base/metrics.ts'

export type Change = {
  readonly document: string
  /**
   * Who has changed it since the last call, each once, at most `changeAuthorsMax`. Somebody with two connections is two
   * authors with the same `user`.
   */
  readonly authors: readonly Author[]
  /** The durable document as one update, as `server.read` gives it; also while the server stops. */
  readonly read: () => Promise<Uint8Array | null>
  /** The same when the call is made again, because it failed or nobody knows whether it did. */
  readonly id: string
  /** How far the document had come. Opaque. */
  readonly version: string | null
}

export type OnChange = (change: Change) => unknown

/** What its deliveries are remembered under: an application has one such function. */
export const onChangeName = 'onChange'

export function onChangeOutlet(hook: OnChange): Outlet {
  return {
    name: onChangeName,
    types: ['document.created', 'document.changed'],
    deliver: async ({ event: { document, id, version }, authors, read }) => {
      // What the application itself has given for a beginning is no news to it.
      const others = authors.filter(({ origin }) => origin !== 'load')
      await hook({ document, authors: others, read, id, version })
    },
    close: async () => {}
  }
}

/** What its deliveries are counted as among the calls of the application. */
export function hookOutcome(outcome: string): HookOutcome | null {
  return outcome === 'done' || outcome === 'failed' || outcome === 'timed-out' ? outcome : null
}
