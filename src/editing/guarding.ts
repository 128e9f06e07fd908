/** What an edit rests on, gathered while it is computed: see `Guard`. */
import type * as Y from 'yjs'
import { ClockRuns } from '../document/clocks.ts'
import type { Cells } from './cells.ts'
import type { GuardMessage } from './jobs.ts'
import { holdersOf } from './parts.ts'

export class Guarding {
  readonly #deletes = new ClockRuns()
  readonly #origins = new ClockRuns()
  readonly #rights = new ClockRuns()
  #hasEmpty = false

  /** It must not be deleted. */
  keep({ client, clock }: Y.ID, length = 1): void {
    this.#deletes.add(client, clock, length)
  }

  /** The type must not be deleted, nor what it is in. */
  keepType(type: { readonly _item: Y.Item | null }): void {
    for (const { id, length } of holdersOf(type)) this.keep(id, length)
  }

  /** Nothing of the passage must be deleted, and nothing come into it. */
  keepCells(cells: Cells, { from, to }: { readonly from: number; readonly to: number }): void {
    for (let i = from; i < to; i++) {
      const { client, clock } = cells.idAt(i)
      this.#deletes.add(client, clock, 1)
      if (i + 1 < to) this.#origins.add(client, clock, 1)
      if (i > from) this.#rights.add(client, clock, 1)
    }
  }

  /** Nothing must come right after it, nor take its place. */
  closeAfter({ client, clock }: Y.ID): void {
    this.#origins.add(client, clock, 1)
  }

  closeBefore({ client, clock }: Y.ID): void {
    this.#rights.add(client, clock, 1)
  }

  /** It rests on something being empty. */
  keepEmpty(): void {
    this.#hasEmpty = true
  }

  message(): GuardMessage {
    return {
      deletes: [...this.#deletes.ranges()],
      origins: [...this.#origins.ranges()],
      rights: [...this.#rights.ranges()],
      hasEmpty: this.#hasEmpty
    }
  }
}
