/** What a reconnect costs: bytes on the socket, counted by a proxy. */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { barrier, type Client, connect, disconnect, synced, until } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { startProxy } from '../support/proxy.ts'
import { spawnServer, startServer, temporaryDirectory } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const megabyte = 1024 * 1024

/** Text, with deletions all over it, of at least `bytes` encoded. */
function editedDocument(bytes: number): Y.Doc {
  const random = randomFrom(5)
  const doc = new Y.Doc()
  const text = doc.getText('t')
  doc.transact(() => {
    for (let written = 0; written < bytes; written += 1_000) {
      text.insert(Math.floor(random() * text.length), 'lorem ipsum dolor '.repeat(60))
      if (written % 10_000 === 0) text.delete(Math.floor(random() * (text.length - 50)), 40)
    }
  })
  return doc
}

async function storedDocument(bytes: number): Promise<{ store: Store; doc: Y.Doc; bytes: number }> {
  const store = createMemoryStore()
  const doc = editedDocument(bytes)
  await storeDocument(store, 'room', doc)
  await compacted(store, 'room')
  return { store, doc, bytes: Y.encodeStateAsUpdate(doc).length }
}

function join(url: string, doc = new Y.Doc()): Client {
  const client = connect(url, 'room', { doc })
  onTestFinished(client.destroy)
  return client
}

test('[YW7] a client that returns to a 5 MB document with all of it receives under 1 % of it', async () => {
  const { store, bytes } = await storedDocument(5 * megabyte)
  const { url } = await startServer({ store })
  const proxy = await startProxy(url)
  const client = join(proxy.url)
  await synced(client)
  await disconnect(client)
  const before = proxy.downBytes()

  client.provider.connect()
  await synced(client)
  const received = proxy.downBytes() - before

  console.log(`rejoin of ${bytes} bytes: ${received} bytes received`)
  expect(bytes).toBeGreaterThan(5 * megabyte)
  expect(before).toBeGreaterThan(bytes)
  expect(received).toBeLessThan(bytes / 100)
})

test('[YW7] a client that returns after a few edits of others receives these, and the document as it is', async () => {
  const { store, bytes } = await storedDocument(3 * megabyte)
  const { url } = await startServer({ store })
  const proxy = await startProxy(url)
  const [client, writer] = [join(proxy.url), join(url)]
  await Promise.all([synced(client), synced(writer)])
  await disconnect(client)
  const before = proxy.downBytes()
  for (let i = 0; i < 100; i++) writer.doc.getText('t').insert(i * 100, 'new')
  writer.doc.getText('t').delete(1_000, 500)
  await barrier(writer)

  client.doc.getText('t').insert(0, 'offline')
  client.provider.connect()
  await synced(client)
  const atSync = client.doc.getText('t').toString()
  const received = proxy.downBytes() - before

  console.log(`rejoin of ${bytes} bytes after 101 edits: ${received} bytes received`)
  expect(atSync.replace('offline', '')).toBe(writer.doc.getText('t').toString().replace('offline', ''))
  expect(received).toBeLessThan(bytes / 100)
})

test('[YW7] a checkpoint written meanwhile does not make a rejoin dearer than what is new', async () => {
  const { store, bytes } = await storedDocument(3 * megabyte)
  const { url } = await startServer({ store })
  const proxy = await startProxy(url)
  const [client, writer] = [join(proxy.url), join(url)]
  await Promise.all([synced(client), synced(writer)])
  await disconnect(client)
  const before = proxy.downBytes()

  writer.doc.getText('t').insert(0, 'x'.repeat(2 * megabyte))
  await barrier(writer)
  const generation = (await store.load('room')).checkpoint?.generation ?? 0
  let present = generation
  const look = async () => {
    present = (await store.load('room')).checkpoint?.generation ?? 0
    if (present === generation) setTimeout(look, 100)
  }
  void look()
  await until(() => present !== generation, 'the compaction')
  client.provider.connect()
  await synced(client)
  const received = proxy.downBytes() - before

  console.log(`rejoin of ${bytes} bytes with a diff of ${2 * megabyte}: ${received} bytes received`)
  expect(client.doc.getText('t').toString()).toBe(writer.doc.getText('t').toString())
  expect(received).toBeLessThan(2.2 * megabyte)
})

test('[YW6] what was sent before an answered SyncStep1 is there after SIGKILL', async () => {
  const data = temporaryDirectory()
  let expected = ''
  for (let round = 0; round < 3; round++) {
    const server = await spawnServer(['--port', '0', '--data', data])
    const client = join(server.url)
    await synced(client)
    const found = client.doc.getText('t').toString()
    expect(found).toBe(expected)
    for (let i = 0; i < 50; i++) client.doc.getText('t').insert(0, `${i % 10}`)
    expected = client.doc.getText('t').toString()
    await barrier(client)
    await server.kill()
    client.destroy()
  }
})
