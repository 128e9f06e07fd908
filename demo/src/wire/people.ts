// Whose clientID is whose: from the awareness of both panes, remembered after they have left.
import type { Awareness } from 'y-protocols/awareness'
import { type Person, personFrom } from '../person.ts'

export type Author = { readonly clientID: number; readonly person: Person | null }

export type People = {
  /** Takes note of who is here now. */
  look(): void
  author(clientID: number): Author
  note(clientID: number, state: Readonly<Record<string, unknown>> | null): void
}

const peopleMax = 2000

export function createPeople(awarenesses: readonly Awareness[]): People {
  const known = new Map<number, Person>()
  const note: People['note'] = (clientID, state) => {
    const person = personFrom(state?.user)
    if (person === null) return
    known.delete(clientID)
    known.set(clientID, person)
    const oldest = known.keys().next()
    if (known.size > peopleMax && oldest.done !== true) known.delete(oldest.value)
  }
  return {
    look() {
      for (const awareness of awarenesses) {
        for (const [clientID, state] of awareness.getStates()) note(clientID, state)
      }
    },
    author: clientID => ({ clientID, person: known.get(clientID) ?? null }),
    note
  }
}

/** A name, or as much as can be said. */
export function authorName({ clientID, person }: Author): string {
  return person?.name ?? `client ${clientID}`
}
