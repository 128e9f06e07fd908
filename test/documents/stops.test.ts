/** What a server that is told to stop makes of long logs while people are there. */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { barrier, connect, synced } from '../support/clients.ts'
import { startServer } from '../support/server.ts'

/** People in a room who have made so many records, and stay. */
async function typeIn(url: string, room: string, records: number): Promise<Y.Doc> {
  const client = connect(url, room)
  await synced(client)
  const text = client.doc.getText('t')
  for (let i = 0; i < records; i++) {
    text.insert(text.length, `${room} ${i} `)
    await barrier(client)
  }
  return client.doc
}

async function contentOf(store: Store, room: string): Promise<{ records: number; hasCheckpoint: boolean }> {
  const { checkpoint, records } = await store.load(room)
  return { records: records.length, hasCheckpoint: checkpoint !== null }
}

async function textOf(store: Store, room: string): Promise<string> {
  const server = await startServer({ store })
  const doc = new Y.Doc()
  Y.applyUpdate(doc, (await server.read(room)) ?? new Uint8Array())
  await server.stop()
  return doc.getText('t').toString()
}

test('a room with a long log is compacted by a server that stops, and one with a short log is not', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store, limits: { compactionRecordsAtClose: 5 } })
  const url = server.url
  const long = await typeIn(url, 'long', 6)
  await typeIn(url, 'short', 4)

  await server.stop()

  expect(await contentOf(store, 'long')).toEqual({ records: 0, hasCheckpoint: true })
  expect(await contentOf(store, 'short')).toEqual({ records: 4, hasCheckpoint: false })
  expect(await textOf(store, 'long')).toBe(long.getText('t').toString())
})

test('of rooms with long logs the longest comes first, and what there is no time for stays a log', async () => {
  const store = createMemoryStore()
  const written: string[] = []
  let compactedOne = () => {}
  const isOneWritten = new Promise<void>(resolve => {
    compactedOne = resolve
  })
  const checkpoint = store.checkpoint.bind(store)
  store.checkpoint = async request => {
    written.push(request.document)
    // The time that there is passes while the second one is written.
    if (written.length > 1) await isOneWritten
    return checkpoint(request)
  }
  const server = await startServer({
    store,
    limits: { compactionRecordsAtClose: 3, compactionStopMs: 500 }
  })
  const url = server.url
  const docs = [await typeIn(url, 'a', 5), await typeIn(url, 'b', 9), await typeIn(url, 'c', 3)]

  const stopped = server.stop()
  const late = setTimeout(compactedOne, 2_000)
  await stopped
  clearTimeout(late)

  expect(written).toEqual(['b', 'a'])
  expect(await contentOf(store, 'b')).toEqual({ records: 0, hasCheckpoint: true })
  expect(await contentOf(store, 'c')).toEqual({ records: 3, hasCheckpoint: false })
  for (const [i, room] of ['a', 'b', 'c'].entries()) {
    expect(await textOf(store, room)).toBe(docs[i]?.getText('t').toString())
  }
})
