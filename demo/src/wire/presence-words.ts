// What an awareness message says that was not known before.
import type { AwarenessEntry } from './frame.ts'
import { authorName, type People } from './people.ts'
import { shortJson } from './words.ts'

type State = AwarenessEntry['state']

export type PresenceWords = (entries: readonly AwarenessEntry[]) => readonly string[]

/** Follows the states that passed on one wire, beginning with what was known. */
export function followPresence(known: ReadonlyMap<number, State>, people: People): PresenceWords {
  const states = new Map(known)
  return entries =>
    entries.map(({ clientID, state }) => {
      people.note(clientID, state)
      const before = states.get(clientID) ?? null
      if (state === null) states.delete(clientID)
      else states.set(clientID, state)
      const words = changeWords(before, state)
      // One alone stands in the column of authors already.
      return entries.length === 1 ? words : `${authorName(people.author(clientID))} ${words}`
    })
}

function changeWords(before: State, after: State): string {
  if (after === null) return 'left'
  if (before === null) return ['is here', ...fieldWords({}, after)].join(', ')
  const words = fieldWords(before, after)
  return words.length === 0 ? 'is still here' : words.join(', ')
}

function fieldWords(before: NonNullable<State>, after: NonNullable<State>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const changed = [...names].filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
  const isNew = Object.keys(before).length === 0
  // Who comes brings a name, which stands there anyway, and is nowhere yet.
  return changed
    .filter(name => !isNew || (name !== 'user' && after[name] !== null && after[name] !== false))
    .map(name => wordsOfField(name, after[name]))
}

function wordsOfField(name: string, value: unknown): string {
  if (name === 'user') return 'changed name or colour'
  if (name === 'cursor' || name === 'pointer') {
    return value === null || value === undefined ? `${name} gone` : `${name} moved`
  }
  return `${name}: ${shortJson(value ?? null)}`
}
