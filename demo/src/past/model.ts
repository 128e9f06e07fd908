// What is stored of a text that has a past: the text, and who came over which connection. It knows nothing of the page.
// A server where people sign in knows who they are. On this one nobody does, so the log names connections only. Each
// person writes name and colour into the document over their own connection: the history then says which it was.
import type * as Y from 'yjs'
import { newId } from '../id.ts'
import { type Person, personFrom } from '../person.ts'
import type { Signal } from '../signal.ts'
import type { Difference } from './answers.ts'

export const textName = 'past-text'
export const peopleName = 'past-people'

/** Documents with this in front of the room's name have a history on this server: `src/command/demo-history.ts`. */
export const documentPrefix = 'demo-history-'

/** In a room where more have come, the later ones are somebody. */
const peopleMax = 500

export function textOf(doc: Y.Doc): Y.Text {
  return doc.getText(textName)
}

/** What of a participant is needed to sign what they write. */
export type Signer = {
  readonly doc: Y.Doc
  readonly connection: Signal<{ readonly phase: string }>
  readonly person: Signal<Person>
}

/** Signs each connection over which this participant writes, once, at the first word. */
export function signEdits({ doc, connection, person }: Signer): void {
  const people = doc.getMap<Person>(peopleName)
  let key: string | null = null
  /** What is written offline goes out with the next connection, and so does the signature. */
  let isSignedAway = false
  const sign = () => {
    const known = key === null ? undefined : people.get(key)
    if (known?.name === person.value.name && known.color === person.value.color) return
    if (key === null && people.size >= peopleMax) return
    key ??= newId()
    isSignedAway = connection.value.phase !== 'online'
    people.set(key, { ...person.value })
  }
  textOf(doc).observe((_event, transaction) => {
    if (transaction.local) sign()
  })
  person.watch(() => {
    if (key !== null) sign()
  })
  connection.watch(({ phase }) => {
    if (phase !== 'online') return
    if (!isSignedAway) key = null
    isSignedAway = false
  })
}

/** By connection: whoever wrote an entry is the one it names. */
export function peopleIn(people: Difference | undefined): ReadonlyMap<string, Person> {
  const found = new Map<string, Person>()
  for (const pieces of Object.values(people?.entries ?? {})) {
    for (const { value, by } of pieces) {
      const person = personFrom(value)
      const connection = by?.author?.connection
      if (person !== null && connection != null) found.set(connection, person)
    }
  }
  return found
}
