// Whose clientID is whose: from the awareness of both panes, remembered after they have left.
import type { Awareness } from 'y-protocols/awareness'
import { type Person, personFrom } from '../person.ts'
import type { People } from './author.ts'

export type PeopleHere = People & {
  /** Takes note of who is here now. */
  look(): void
}

const peopleMax = 2000

export function createPeople(awarenesses: readonly Awareness[]): PeopleHere {
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
