/** How computing an edit ends early: thrown where it is found out, caught in one place. */
import type { EditedMessage } from './jobs.ts'

export type Ending = Extract<EditedMessage, { readonly outcome: 'stale' | 'wrong' }>

export class EditEnds extends Error {
  readonly ending: Ending

  constructor(ending: Ending) {
    super(ending.outcome)
    this.ending = ending
  }
}

/** Ends the edit: the change of this index cannot be made. `reason`: a sentence for whoever asked. */
export function wrong(change: number, reason: string): never {
  throw new EditEnds({ outcome: 'wrong', change, reason })
}

/** Ends the edit: what it is about is not (or may not be) what it was. */
export function stale(ending: Omit<Extract<Ending, { readonly outcome: 'stale' }>, 'outcome'>): never {
  throw new EditEnds({ outcome: 'stale', ...ending })
}
