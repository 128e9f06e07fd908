/** `y-chorus set-aside`: asks the running server, or, where none runs, looks into the store itself. */
import { type Author, directoryOfStore, openStore, type SetAsideStore } from '../../persistence/index.ts'
import { readControl } from '../http/control.ts'

type Entry = { readonly document: string; readonly number: number }

type Described = Entry & {
  readonly author: Author | null
  readonly time: string
  readonly reason: string
  readonly bytes: number
}

/** A table for people. */
export async function listSetAside(data: string, document: string | undefined): Promise<string> {
  const body = document === undefined ? {} : { document }
  const answer = await ask<{ entries: Described[]; isComplete: boolean }>(data, 'list', body)
  const entries = answer?.entries ?? (await inStore(data, store => described(store, document)))
  if (entries.length === 0) return 'nothing is set aside'
  const rows = entries.map(
    ({ document, number, time, bytes, author, reason }) =>
      `${JSON.stringify(document)} ${number}  ${time}  ${bytes} bytes  from ${nameOf(author)}: ${JSON.stringify(reason)}`
  )
  return [...rows, ...(answer?.isComplete === false ? ['… and more: name a document'] : [])].join('\n')
}

/** The update as it came. Throws Error when there is none of that number. */
export async function showSetAside(data: string, { document, number }: Entry): Promise<Uint8Array> {
  const answer = await ask<{ update: string }>(data, 'show', { document, number })
  if (answer !== null) return Buffer.from(answer.update, 'base64')
  const entries = await inStore(data, store => store.listSetAside(document))
  const found = entries.find(entry => entry.number === number)
  if (found === undefined) throw missing({ document, number })
  return found.bytes
}

/** Throws Error when there is none of that number. */
export async function dropSetAside(data: string, { document, number }: Entry): Promise<string> {
  const answer = await ask(data, 'drop', { document, number })
  if (answer === null && !(await inStore(data, store => store.dropSetAside(document, number)))) {
    throw missing({ document, number })
  }
  return `removed ${JSON.stringify(document)} ${number}`
}

/** Null when nobody answers: the server is gone and has left its file behind. */
async function ask<T>(data: string, action: string, body: object): Promise<T | null> {
  const directory = directoryOfStore(data)
  const control = directory === null ? null : await readControl(directory)
  if (control === null) return null
  const response = await fetch(`${control.url}/api/set-aside/${action}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${control.token}` },
    body: JSON.stringify(body)
  }).catch(() => null)
  // Another server at that address does not know the token, or nothing of this.
  if (response === null || response.status === 401) return null
  const answer = (await response.json()) as T & { message?: string }
  if (!response.ok) throw new Error(answer.message ?? `the server answered ${response.status}`)
  return answer
}

async function inStore<T>(data: string, work: (store: SetAsideStore) => Promise<T>): Promise<T> {
  const store = await openStore(data, { create: false })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

async function described(store: SetAsideStore, document: string | undefined): Promise<Described[]> {
  const documents = document === undefined ? await store.setAsideDocuments() : [document]
  const entries: Described[] = []
  for (const name of documents) {
    for (const { number, author, timeMs, reason, bytes } of await store.listSetAside(name)) {
      const time = new Date(timeMs).toISOString()
      entries.push({ document: name, number, author, time, reason, bytes: bytes.length })
    }
  }
  return entries
}

/** For people: `"ann", client AbCdEfGh-1`. */
function nameOf(author: Author | null): string {
  if (author === null) return 'an unknown author'
  const { user, connection, origin } = author
  const way = connection === null ? origin : `${origin} ${connection}`
  return user === null ? way : `${JSON.stringify(user)}, ${way}`
}

function missing({ document, number }: Entry): Error {
  return new Error(`nothing of number ${number} is set aside for ${JSON.stringify(document)}`)
}
