/** `y-chorus set-aside`: asks the running server, or, where none runs, looks into the store itself. */
import { type Author, openStore, type SetAsideStore } from '../../persistence/index.ts'
import { askServer } from './asking.ts'

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
  const answer = await askServer<{ entries: Described[]; isComplete: boolean }>(data, 'set-aside/list', body)
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
  const answer = await askServer<{ update: string }>(data, 'set-aside/show', { document, number })
  if (answer !== null) return Buffer.from(answer.update, 'base64')
  const entries = await inStore(data, store => store.listSetAside(document))
  const found = entries.find(entry => entry.number === number)
  if (found === undefined) throw missing({ document, number })
  return found.bytes
}

/** Throws Error when there is none of that number. */
export async function dropSetAside(data: string, { document, number }: Entry): Promise<string> {
  const answer = await askServer(data, 'set-aside/drop', { document, number })
  if (answer === null && !(await inStore(data, store => store.dropSetAside(document, number)))) {
    throw missing({ document, number })
  }
  return `removed ${JSON.stringify(document)} ${number}`
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
