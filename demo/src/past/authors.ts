// How somebody of the past is called and coloured. It knows nothing of the page.
import type { Person } from '../person.ts'
import type { Author } from './answers.ts'

const nobodyColor = '#66736e'

const somebody: Person = { name: 'Somebody', color: nobodyColor }
const restoring: Person = { name: 'A restore', color: nobodyColor }
const serving: Person = { name: 'The server', color: nobodyColor }

/** `people`: by connection. */
export function personOf(author: Author | null | undefined, people: ReadonlyMap<string, Person>): Person {
  if (author == null) return somebody
  if (author.origin === 'restore') return restoring
  if (author.origin !== 'client') return serving
  const { user, connection } = author
  if (user !== null) return { name: user, color: nobodyColor }
  return (connection === null ? undefined : people.get(connection)) ?? somebody
}

/** A time of today by the clock; an earlier day with its date. */
export function timeWords(timeMs: number): string {
  const time = new Date(timeMs)
  const clock = time.toLocaleTimeString('en-GB')
  if (time.toDateString() === new Date().toDateString()) return clock
  return `${time.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })}, ${clock}`
}

export function durationWords(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1_000]
  ] as const
  for (const [unit, unitMs] of units) {
    const count = Math.round(ms / unitMs)
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return 'a moment'
}
