/**
 * Large documents over a slow line. CHORUS_LONG=1 takes the sizes of the bar: 50 MB at 1 MB a second, cut in the
 * middle; the default is the same in small.
 */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { type Client, connect, synced, until } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { startProxy } from '../support/proxy.ts'
import { startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const megabyte = 1024 * 1024
const isLong = process.env.CHORUS_LONG === '1'
const resumed = isLong
  ? { bytes: 50 * megabyte, bytesPerSecond: megabyte }
  : { bytes: 18 * megabyte, bytesPerSecond: 4 * megabyte }

/** Text of three authors, inserted all over, of at least `bytes`. */
function largeText(bytes: number): Y.Doc {
  const random = randomFrom(7)
  const doc = new Y.Doc()
  const text = doc.getText('t')
  for (let author = 1; author <= 3; author++) {
    doc.clientID = author
    doc.transact(() => {
      for (let written = 0; written < bytes / 3; written += 4_000) {
        text.insert(Math.floor(random() * text.length), 'lorem ipsum \u00e9 '.repeat(300).slice(0, 3_900))
      }
    })
  }
  return doc
}

async function stored(bytes: number): Promise<{ store: Store; text: string; bytes: number }> {
  const store = createMemoryStore()
  const doc = largeText(bytes)
  await storeDocument(store, 'room', doc)
  await compacted(store, 'room')
  const result = { store, text: doc.getText('t').toString(), bytes: Y.encodeStateAsUpdate(doc).length }
  doc.destroy()
  return result
}

function join(url: string, doc = new Y.Doc()): Client {
  const client = connect(url, 'room', { doc })
  onTestFinished(client.destroy)
  return client
}

test(`a first sync of ${resumed.bytes / megabyte} MB goes on after a cut where it stopped`, {
  timeout: 300_000
}, async () => {
  const { store, text, bytes } = await stored(resumed.bytes)
  const { url } = await startServer({ store })
  const proxy = await startProxy(url, { bytesPerSecond: resumed.bytesPerSecond })

  const client = join(proxy.url)
  await until(() => proxy.downBytes() > bytes / 2, 'half of it', 120_000)
  const kept = client.doc.getText('t').length
  proxy.cut()
  await until(() => client.provider.synced, 'the rest', 240_000)

  const share = proxy.downBytes() / bytes
  console.log(`resume of ${bytes} bytes: ${proxy.downBytes()} received in all, ${share.toFixed(3)} of it`)
  expect(kept).toBeGreaterThan(0)
  expect(client.doc.getText('t').toString() === text).toBe(true)
  expect(share).toBeLessThan(1.3)
})

test.each([3, 10])(
  '[I13] a document of %i MB becomes visible in one transaction',
  { timeout: 120_000 },
  async megabytes => {
    const { store, text, bytes } = await stored(megabytes * megabyte)
    const { url } = await startServer({ store })
    const proxy = await startProxy(url, { bytesPerSecond: 8 * megabyte })
    const doc = new Y.Doc()
    const seen: number[] = []
    doc.getText('t').observe(() => seen.push(doc.getText('t').length))
    let visibleBeforeSync = -1

    const client = join(proxy.url, doc)
    client.provider.once('sync', () => {
      visibleBeforeSync = doc.getText('t').length
    })
    await until(() => client.provider.synced, 'sync', 60_000)

    expect(bytes).toBeGreaterThan(megabytes * megabyte)
    expect(seen).toEqual([text.length])
    expect(visibleBeforeSync).toBe(text.length)
    expect(doc.getText('t').toString() === text).toBe(true)
  }
)

test('others edit a document while someone joins it slowly, and wait for nothing of the join', {
  timeout: 120_000
}, async () => {
  const { store } = await stored(6 * megabyte)
  const { url } = await startServer({ store })
  const proxy = await startProxy(url, { bytesPerSecond: 2 * megabyte })
  const [a, b] = [join(url), join(url)]
  await Promise.all([synced(a), synced(b)])

  const slow = join(proxy.url)
  await until(() => proxy.downBytes() > megabyte / 2, 'the beginning of the join')
  proxy.hold()
  for (let i = 0; i < 20; i++) {
    a.doc.getMap('m').set('n', i)
    await until(() => b.doc.getMap('m').get('n') === i, 'the edit at the other')
  }
  const wasJoining = !slow.provider.synced
  proxy.goOn()
  await until(() => slow.provider.synced, 'the slow one', 60_000)

  expect(wasJoining).toBe(true)
  expect(slow.doc.getMap('m').get('n')).toBe(19)
})
