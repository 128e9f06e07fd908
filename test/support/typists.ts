/**
 * People who type words into one text and push them to one list, with real clients of every supported version of both
 * dialects. Each word is another one, so that it can be told where it went.
 */
import { onTestFinished } from 'vitest'
import type * as Y from 'yjs'
import { type Client, clientVersions, connect, disconnect, synced } from './clients.ts'
import { goOffline, provide, providerSynced, providerVersions } from './hocuspocus.ts'

export type Typist = {
  readonly name: string
  readonly doc: Y.Doc
  /** Words of this one so far. */
  readonly typed: string[]
  /** One more word, between two others. */
  type(random: () => number): void
  /** Takes out some words, of whomever. */
  remove(random: () => number): void
  goOffline(): Promise<void>
  comeBack(): Promise<void>
}

const opening = '<'
const ending = '>'

/** One for each version of each dialect, in the room of the servers in turn; synced, and its name is its token. */
export async function openTypists(urls: readonly string[], room: string): Promise<Typist[]> {
  const url = (at: number) => urls[at % urls.length] as string
  const yjs = clientVersions.map(async (version, i) => {
    const name = `y${version}`
    const client = connect(url(i), room, { version, params: { token: name } })
    onTestFinished(client.destroy)
    await synced(client)
    return typistOf(name, client.doc, wayOf(client))
  })
  const hocuspocus = providerVersions.map(async (version, i) => {
    const name = `h${version}`
    const client = provide(url(i + 1), room, { version, token: name })
    await providerSynced(client)
    const way = {
      leave: () => goOffline(client),
      enter: async () => {
        void client.websocket.connect()
        await providerSynced(client)
      }
    }
    return typistOf(name, client.doc, way)
  })
  return Promise.all([...yjs, ...hocuspocus])
}

type Way = { leave(): Promise<void>; enter(): Promise<void> }

function wayOf(client: Client): Way {
  return {
    leave: () => disconnect(client),
    enter: async () => {
      client.provider.connect()
      await synced(client)
    }
  }
}

function typistOf(name: string, doc: Y.Doc, { leave, enter }: Way): Typist {
  const text = doc.getText('text')
  const list = doc.getArray<string>('list')
  const typed: string[] = []
  return {
    name,
    doc,
    typed,
    type: random => {
      const word = `${opening}${name}:${typed.length}${ending}`
      typed.push(word)
      const places = [0, ...ends(text.toString())]
      const place = places[Math.floor(random() * places.length)] ?? 0
      doc.transact(() => {
        text.insert(place, word)
        list.insert(Math.floor(random() * (list.length + 1)), [word])
      })
    },
    remove: random => {
      const words = wordsOf(text.toString())
      const at = Math.floor(random() * words.length)
      const some = words.slice(at, at + 3).join('')
      const start = text.toString().indexOf(some)
      doc.transact(() => {
        if (some !== '' && start >= 0) text.delete(start, some.length)
        if (list.length > 0) list.delete(Math.floor(random() * list.length), 1)
      })
    },
    goOffline: leave,
    comeBack: enter
  }
}

function ends(text: string): number[] {
  return [...text.matchAll(/>/g)].map(({ index }) => index + 1)
}

/** In order, each as often as it is there. What is no whole word is one by itself. */
export function wordsOf(text: string): string[] {
  return text.match(/<[^<>]*>|[^<>]+|[<>]/g) ?? []
}
