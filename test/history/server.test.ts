/** A server that keeps histories: what clients see of it, what it costs where it is off, and clients that collect nothing. */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, openStore } from '../../persistence/index.ts'
import { entriesOf, KeptHistories } from '../../src/history/kept.ts'
import type { Server } from '../../src/server.ts'
import { barrier, connect, synced, untilAsync } from '../support/clients.ts'
import { randomOf } from '../support/random.ts'
import { startServer, temporaryDirectory } from '../support/server.ts'
import { type Call, watched } from './watched.ts'

const often = { compactionBytesMin: 2_000, compactionRatio: 0.1, roomIdleMs: 50, workerIdleMs: 500 }

/** Words, one after the other, each on the disk before the next. */
async function type(url: string, room: string, words: readonly string[]): Promise<string> {
  const client = connect(url, room)
  onTestFinished(() => client.destroy())
  await synced(client)
  for (const word of words) {
    client.doc.getText('t').insert(client.doc.getText('t').length, word)
    await barrier(client)
  }
  const text = client.doc.getText('t').toString()
  client.destroy()
  return text
}

function compacted(server: Server): Promise<void> {
  const isThere = async () => /compactions_total\{outcome="written"\} [1-9]/.test(await server.metrics())
  return untilAsync(isThere, 'a compaction')
}

const words = Array.from({ length: 60 }, (_, index) => `word ${index} `)

test('documents that a rule names have a history in their directory, others have none', async () => {
  const store = await openStore(temporaryDirectory())
  const calls: Call[] = []
  const history = [{ documents: 'notes/*' }]
  const server = await startServer({
    store: watched(store, call => calls.push(call)),
    history,
    limits: often
  })
  onTestFinished(() => store.close())
  await type(server.url, 'other', words)
  const text = await type(server.url, 'notes/a', words)

  const kept = new KeptHistories({
    store: historyOf(store),
    random: randomOf(1),
    limits: { historyTriesMax: 8 }
  })
  await untilAsync(
    async () => ((await kept.read('notes/a'))?.manifest.segments.length ?? 0) > 0,
    'a sealed segment'
  )
  await server.stop()

  const { manifest, incarnation } = (await kept.read('notes/a')) as NonNullable<
    Awaited<ReturnType<typeof kept.read>>
  >
  expect(manifest).toMatchObject({ holes: [], waiting: [], keyframes: [] })
  expect((await kept.blobs('notes/a', incarnation, entriesOf(manifest))).length).toBeGreaterThan(1)
  expect(await kept.read('other')).toBeNull()
  const asked = calls.filter(({ name }) => name.startsWith('history.')).map(({ given }) => given)
  expect(asked.some(given => JSON.stringify(given).includes('other'))).toBe(false)
  const again = await startServer({ store })
  const doc = new Y.Doc()
  Y.applyUpdate(doc, (await again.read('notes/a')) as Uint8Array)
  expect(doc.getText('t').toString()).toBe(text)
})

function historyOf(store: Awaited<ReturnType<typeof openStore>>) {
  if (store.history === undefined) throw new Error('the store keeps no histories')
  return store.history
}

test('where no rule names a document, opening, typing, compactions and closing ask the store for nothing more', async () => {
  const counts: Record<string, number>[] = []
  for (const history of [[], [{ documents: 'notes/*' }]]) {
    const calls: Call[] = []
    const store = watched(createMemoryStore(), call => calls.push(call))
    const server = await startServer({ store, history, limits: often })
    await type(server.url, 'other', words)
    await compacted(server)
    await server.stop()
    const names = calls.map(({ name }) => name)
    expect(names.filter(name => name.startsWith('history.'))).toEqual([])
    counts.push({ checkpoints: names.filter(name => name === 'checkpoint').length })
  }
  expect(counts[0]?.checkpoints).toBeGreaterThan(0)
})

test('a store that keeps no histories is refused where a rule asks for one', async () => {
  const { history: _, ...rest } = Object.fromEntries(
    Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(createMemoryStore()))).map(
      ([name]) => [name, () => Promise.resolve(null)]
    )
  )
  const store = { ...rest, lanes: 1, node: '' }
  const starting = startServer({ store: store as never, history: [{ documents: '**' }] })
  await expect(starting).rejects.toThrow('history needs a store that keeps histories')
})

test("gc: 'keep': a client that collects nothing sees its own snapshots after a compaction, and without it they go blank", async () => {
  for (const gc of ['keep', 'collect'] as const) {
    const history = [{ documents: '**', gc }]
    const server = await startServer({ store: createMemoryStore(), history, limits: often })
    const doc = new Y.Doc({ gc: false })
    const client = connect(server.url, 'x', { doc })
    await synced(client)
    doc.getText('t').insert(0, 'what was deleted')
    const then = Y.encodeSnapshot(Y.snapshot(doc))
    doc.getText('t').delete(0, doc.getText('t').length)
    for (const word of words) {
      doc.getText('t').insert(doc.getText('t').length, word)
      await barrier(client)
    }
    await compacted(server)
    client.destroy()

    const reloaded = new Y.Doc({ gc: false })
    const reader = connect(server.url, 'x', { doc: reloaded })
    onTestFinished(() => reader.destroy())
    await synced(reader)

    expect(reloaded.getText('t').toString()).toBe(words.join(''))
    const restored = Y.createDocFromSnapshot(reloaded, Y.decodeSnapshot(then)).getText('t').toString()
    expect(restored).toBe(gc === 'keep' ? 'what was deleted' : '')
  }
})
