// What the referee sees of everybody who has the document.
import type * as Y from 'yjs'
import type { ConnectionState } from '../connection.ts'
import type { Person } from '../person.ts'
import type { SaveState } from '../saved.ts'
import { createSignal, type Signal } from '../signal.ts'
import type { Followed } from './ledger.ts'

/** What the checks need of everybody who has the document: bots, and the two people at the panes. */
export type Replica = {
  readonly person: Person
  readonly doc: Y.Doc
  readonly connection: Signal<ConnectionState>
  /** Edits of its own that the server has not said to be saved. */
  readonly unsaved: Signal<number>
}

/** Books what an author is told to be saved; returns how many of its edits are not. */
export function bookSaved(saving: Signal<SaveState>, followed: Followed): Signal<number> {
  const unsaved = createSignal(0)
  saving.watch(state => {
    const count = 'unsavedEdits' in state ? state.unsavedEdits : 0
    followed.saved(followed.made - count)
    unsaved.set(count)
  })
  return unsaved
}
