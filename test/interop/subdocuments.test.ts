/** Subdocuments are just rooms, named by their guid: the server does nothing special for them. */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { type Client, connect, converged, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'

/** A client of the parent that opens each subdocument as its app loads it. */
function joinWithSubdocuments(url: string): { parent: Client; open: Map<string, Client> } {
  const parent = join(url, 'parent')
  const open = new Map<string, Client>()
  parent.doc.on('subdocs', ({ loaded }: { loaded: Set<Y.Doc> }) => {
    for (const doc of loaded) open.set(doc.guid, join(url, doc.guid, doc))
  })
  return { parent, open }
}

function join(url: string, room: string, doc = new Y.Doc()): Client {
  const client = connect(url, room, { doc })
  onTestFinished(client.destroy)
  return client
}

test('a subdocument is found in the parent, loaded as a room of its own, and edited by two', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store })
  const a = joinWithSubdocuments(url)
  const b = joinWithSubdocuments(url)
  await Promise.all([synced(a.parent), synced(b.parent)])

  const chapter = new Y.Doc({ guid: 'chapter-1', meta: { title: 'one' } })
  a.parent.doc.getMap('chapters').set('1', chapter)
  chapter.load()
  chapter.getText('t').insert(0, 'It was a dark night')
  await until(() => b.parent.doc.getMap('chapters').has('1'), 'the subdocument at the other')
  const copy = b.parent.doc.getMap('chapters').get('1') as Y.Doc
  const before = copy.getText('t').toString()
  copy.load()
  await synced(b.open.get('chapter-1') as Client)
  copy.getText('t').insert(0, '"')
  await converged([a.open.get('chapter-1') as Client, b.open.get('chapter-1') as Client])

  expect(before).toBe('')
  expect(copy.guid).toBe('chapter-1')
  expect(copy.meta).toEqual({ title: 'one' })
  expect(chapter.getText('t').toString()).toBe('"It was a dark night')
  expect(await store.list()).toEqual(['chapter-1', 'parent'])
})
