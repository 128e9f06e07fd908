/** What was refused and kept, for an operator with the token: to look at, to give back to its author, to remove. */
import type { SetAsideStore, StoredSetAside } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { readObject, textOf } from './json-body.ts'
import { json, type Reply, type Route } from './router.ts'

type Parts = { readonly store: SetAsideStore; readonly limits: Limits; readonly tokens: readonly string[] }

type Body = Readonly<Record<string, unknown>>

/**
 * `POST /api/set-aside/list` with `{ document? }`, `…/show` and `…/drop` with `{ document, number }`. What is shown is
 * the update as it came, in base64.
 */
export function setAside({ store, limits, tokens }: Parts): Route[] {
  const route = (action: string, reply: (body: Body) => Reply | Promise<Reply>): Route => ({
    method: 'POST',
    path: `/api/set-aside/${action}`,
    tokens,
    reply: async request => reply(await readObject(request))
  })
  return [
    route('list', async body =>
      json(200, await list(store, textOf(body, 'document'), limits.setAsideListMax))
    ),
    route('show', body => show(store, entryOf(body))),
    route('drop', body => drop(store, entryOf(body)))
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

async function show(
  store: SetAsideStore,
  { document, number }: { document: string; number: number }
): Promise<Reply> {
  const found = (await store.listSetAside(document)).find(entry => entry.number === number)
  if (found === undefined) return none()
  const update = Buffer.from(found.bytes).toString('base64')
  return json(200, { ...described(document, found), update })
}

async function drop(
  store: SetAsideStore,
  { document, number }: { document: string; number: number }
): Promise<Reply> {
  return (await store.dropSetAside(document, number)) ? json(200, { document, number }) : none()
}

function described(document: string, { number, author, timeMs, reason, bytes }: StoredSetAside) {
  return { document, number, author, time: new Date(timeMs).toISOString(), reason, bytes: bytes.length }
}

function entryOf(body: Body): { document: string; number: number } {
  const document = textOf(body, 'document')
  const { number } = body
  if (document === undefined || typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw new Fault('ERR_BAD_MESSAGE', 'the body names no document and number')
  }
  return { document, number }
}

function none(): Reply {
  return json(404, { error: 'ERR_NOT_FOUND', message: 'nothing of that number is set aside' })
}
