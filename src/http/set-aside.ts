/** What was refused and kept, for an operator with the token: to look at, to give back to its author, to remove. */
import { z } from 'zod'
import type { SetAsideStore, StoredSetAside } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { json, type Reply } from './message.ts'
import { jsonBody, type Route, route } from './route.ts'
import { count, time, words } from './schemas.ts'

type Parts = { readonly store: SetAsideStore; readonly limits: Limits }

type Place = { readonly document: string; readonly number: number }

const place = z.object({
  document: words('The name of the document.'),
  number: z.int('must be a whole number').meta({ description: 'Which of its entries.' })
})

const author = z.object({
  user: z.string().nullable(),
  connection: z.string().nullable(),
  origin: z.string()
})

const entry = place.extend({
  author: author.nullable().meta({ description: 'Whose it was, where that is known.' }),
  time,
  reason: z.string(),
  bytes: count('How long the update is.')
})

const shown = entry.extend({ update: z.base64().meta({ description: 'The update as it came.' }) })

const shared = { method: 'POST', group: 'Operation', who: 'operator' } as const

export function setAside({ store, limits }: Parts): Route[] {
  return [
    route({
      ...shared,
      path: '/api/set-aside/list',
      id: 'listSetAside',
      says: 'Lists the updates that were refused and set aside.',
      body: jsonBody(z.object({ document: words('Only those of this document.').optional() })),
      answers: {
        200: {
          says: 'The entries, of each document the oldest first.',
          content: { 'application/json': z.object({ entries: z.array(entry), isComplete: z.boolean() }) }
        }
      },
      reply: async ({ body }) => json(200, await list(store, body.document, limits.setAsideListMax))
    }),
    route({
      ...shared,
      path: '/api/set-aside/show',
      id: 'showSetAside',
      says: 'Shows one update that was set aside.',
      body: jsonBody(place),
      answers: { 200: { says: 'The entry with its update.', content: { 'application/json': shown } } },
      faults: ['ERR_NOT_FOUND'],
      reply: ({ body }) => show(store, body)
    }),
    route({
      ...shared,
      path: '/api/set-aside/drop',
      id: 'dropSetAside',
      says: 'Removes one update that was set aside for good.',
      body: jsonBody(place),
      answers: { 200: { says: 'It is gone.', content: { 'application/json': place } } },
      faults: ['ERR_NOT_FOUND'],
      reply: ({ body }) => drop(store, body)
    })
  ]
}

async function list(store: SetAsideStore, document: string | undefined, entriesMax: number) {
  const documents = document === undefined ? await store.setAsideDocuments() : [document]
  const entries: unknown[] = []
  for (const name of documents) {
    for (const entry of await store.listSetAside(name)) entries.push(described(name, entry))
    if (entries.length >= entriesMax) return { entries, isComplete: false }
  }
  return { entries, isComplete: true }
}

async function show(store: SetAsideStore, { document, number }: Place): Promise<Reply> {
  const found = (await store.listSetAside(document)).find(entry => entry.number === number)
  if (found === undefined) throw none()
  const update = Buffer.from(found.bytes).toString('base64')
  return json(200, { ...described(document, found), update })
}

async function drop(store: SetAsideStore, { document, number }: Place): Promise<Reply> {
  if (!(await store.dropSetAside(document, number))) throw none()
  return json(200, { document, number })
}

function described(document: string, { number, author, timeMs, reason, bytes }: StoredSetAside) {
  return { document, number, author, time: new Date(timeMs).toISOString(), reason, bytes: bytes.length }
}

function none(): Fault {
  const publicReason = 'nothing of that number is set aside'
  return new Fault('ERR_NOT_FOUND', publicReason, { publicReason })
}
