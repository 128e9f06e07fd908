/** Whose presence is whose among real clients of all versions, which send back what they are sent: also after a restart. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import { goneSoon, type Person, people, stateOf } from '../support/people.ts'
import { startServer } from '../support/server.ts'

const nameOf = (viewer: Person, person: Person) =>
  (stateOf(viewer, person) as { name?: string } | undefined)?.name

test('[AW11] after a restart nobody speaks for others: each is itself, and gone soon after it leaves', async () => {
  const first = await startServer()
  const port = Number(new URL(first.url).port)
  const all: Person[] = []
  for (const [name, open] of people) {
    const person = await open(first.url)
    person.awareness.setLocalState({ name })
    all.push(person)
  }
  const sees = (suffix: string) =>
    all.every(viewer => all.every((person, i) => nameOf(viewer, person) === `${people[i]?.[0]}${suffix}`))
  await until(() => sees(''), 'everybody to see everybody')

  await first.stop()
  await startServer({ port, store: createMemoryStore() })
  await until(() => sees(''), 'everybody to be back')
  for (const [i, person] of all.entries()) person.awareness.setLocalState({ name: `${people[i]?.[0]}, back` })
  await until(() => sees(', back'), 'everybody to be heard')

  for (let left = all.shift(); left !== undefined; left = all.shift()) await goneSoon(left, all)
  expect(all).toEqual([])
})
