// What an awareness message says that was not known before.

import { authorName, type People } from './author.ts'
import type { AwarenessEntry, Direction } from './frame.ts'
import { shortJson } from './words.ts'

type State = AwarenessEntry['state']

export type PresenceWords = (entries: readonly AwarenessEntry[], direction: Direction) => readonly string[]

export type PresenceOptions = {
  /** The states when it began. */
  readonly known: ReadonlyMap<number, State>
  readonly ownClientID: number
  readonly people: People
}

/** Follows the states that pass on one wire. */
export function followPresence({ known, ownClientID, people }: PresenceOptions): PresenceWords {
  const states = new Map(known)
  return (entries, direction) =>
    entries.map(({ clientID, state }) => {
      people.note(clientID, state)
      const before = states.get(clientID) ?? null
      if (state === null) states.delete(clientID)
      else states.set(clientID, state)
      const words = changeWords(before, state) || repetitionWords(clientID === ownClientID, direction)
      // One alone stands in the column of authors already.
      return entries.length === 1 ? words : `${authorName(people.author(clientID))} ${words}`
    })
}

function changeWords(before: State, after: State): string {
  if (after === null) return 'left'
  if (before === null) return ['is here', ...fieldWords({}, after)].join(', ')
  const words = fieldWords(before, after)
  return words.join(', ')
}

/** y-websocket sends on what it receives, and the server tells an owner, too, what became of its state. */
function repetitionWords(isOwn: boolean, direction: Direction): string {
  if (isOwn === (direction === 'sent')) return 'renewed'
  return isOwn ? 'comes back to its owner' : 'echoed, as this client does'
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
