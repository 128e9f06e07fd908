/** What is to be forgotten is gone from the store, also when it was written a moment ago and is still in the log. */
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, openStore } from '../../persistence/index.ts'
import { createLevelBackend } from '../../persistence/level-backend.ts'
import { defaultLimits } from '../../src/base/limits.ts'
import { systemTime } from '../../src/base/time.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { Pruning } from '../../src/documents/pruning.ts'
import type { Histories } from '../../src/history/histories.ts'
import { barrier, connect, synced, until, untilAsync } from '../support/clients.ts'
import { buildParts } from '../support/inside.ts'
import { holdsSecret, secret } from '../support/secret.ts'
import { startServer, temporaryDirectory } from '../support/server.ts'

const first = Buffer.alloc(0)
const last = Buffer.alloc(64, 0xff)

/** How many values of a copy of the database, and how many of its files, hold the secret. */
async function placesIn(location: string): Promise<{ values: number; files: number }> {
  const copy = temporaryDirectory()
  cpSync(location, copy, { recursive: true, filter: path => !path.endsWith('LOCK') })
  const directory = join(copy, 'log')
  const database = await createLevelBackend(directory).open()
  let values = 0
  for await (const page of database.range({ from: first, to: last }))
    values += page.filter(entry => entry.some(holdsSecret)).length
  // LevelDB leaves what was removed in its files until it merges them.
  await database.compactRange(first, last)
  await database.close()
  const files = readdirSync(directory).map(name => readFileSync(join(directory, name)))
  return { values, files: files.filter(bytes => bytes.includes(secret)).length }
}

const inLog = { compactionBytesMin: 1e12, compactionRecordsAtClose: 1e9 }

test.each([
  { where: 'in the log of an open document', limits: inLog },
  { where: 'in the log of a closed document', limits: { ...inLog, roomIdleMs: 1 } },
  { where: 'sealed', limits: { ...inLog, compactionRecordsAtClose: 1, roomIdleMs: 1 } }
])(
  'a secret that was deleted is nowhere in the store after a prune: it was $where',
  async ({ where, limits }) => {
    const location = temporaryDirectory()
    const store = await openStore(location)
    onTestFinished(() => store.close())
    const server = await startServer({ store, history: [{ documents: '**' }], limits })
    const client = connect(server.url, 'a')
    onTestFinished(() => client.destroy())
    await synced(client)
    const text = client.doc.getText('t')
    for (const word of ['one ', secret, 'two']) {
      text.insert(text.length, word)
      await barrier(client)
    }
    text.delete(4, secret.length)
    await barrier(client)
    const past = server.history('a')
    if (where !== 'in the log of an open document') {
      client.destroy()
      await untilAsync(async () => /^chorus_rooms 0$/m.test(await server.metrics()), 'no open room')
    }
    expect((await store.load('a')).records.length > 0).toBe(where !== 'sealed')
    expect((await placesIn(location)).values).toBeGreaterThan(0)

    const { beginsAt } = await past.prune({ timeMs: Date.now() + 1 })

    expect(await placesIn(location)).toEqual({ values: 0, files: 0 })
    expect(beginsAt.sequence).toBeGreaterThan(3)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await past.at({ sequence: beginsAt.sequence }))
    expect(doc.getText('t').toString()).toBe('one two')
    const { bursts } = await past.activity()
    expect(bursts.length).toBe(1)
    await server.change('a', each => each.getText('t').insert(7, ' three'))
    expect(await past.contents({ timeMs: Date.now() + 1 }, { types: { t: 'text' } })).toEqual({
      t: [{ insert: 'one two three' }]
    })
  }
)

test('what is younger than the time of a prune stays as it is, and its log is not compacted', async () => {
  const location = temporaryDirectory()
  const store = await openStore(location)
  onTestFinished(() => store.close())
  const server = await startServer({ store, history: [{ documents: '**' }], limits: inLog })
  await server.change('a', doc => doc.getText('t').insert(0, secret))

  await server.history('a').prune({ timeMs: 1 })

  expect((await store.load('a')).records.length).toBe(1)
  expect((await server.history('a').extent()).beginsAt.sequence).toBe(0)
})

test('a prune whose document cannot be compacted says so, and nothing is pruned', async () => {
  const store = await openStore(temporaryDirectory())
  onTestFinished(() => store.close())
  const limits = { ...inLog, historyTriesMax: 2 }
  const server = await startServer({ store, history: [{ documents: '**' }], limits })
  await server.change('a', doc => doc.getText('t').insert(0, 'one'))
  const before = await server.history('a').extent()
  const { checkpoint } = store
  store.checkpoint = async () => ({ outcome: 'superseded' })

  const pruning = server.history('a').prune({ timeMs: Date.now() + 1 })

  await expect(pruning).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
  expect(await server.history('a').extent()).toEqual(before)
  store.checkpoint = checkpoint
  const { beginsAt } = await server.history('a').prune({ timeMs: Date.now() + 1 })
  expect(beginsAt.sequence).toBe(before.head)
})

test('a prune that waits for another node is given up when the server stops, and leaves no timer', async () => {
  const server = buildParts(createMemoryStore(), {})
  const room = await server.rooms.open('a')
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'one')
  const update = Y.encodeStateAsUpdate(doc)
  await room.writing.apply(
    { update, scan: scanUpdate(update) },
    { user: null, connection: null, origin: 'server' }
  )
  const timers = new Set<() => void>()
  const after = (_: number, run: () => void) => {
    timers.add(run)
    return () => void timers.delete(run)
  }
  let tries = 0
  const compactions = {
    // Somebody else has the lease.
    compactNow: async () => ++tries < 0
  }
  const histories = server.past?.histories as Histories
  const { rooms, store } = server
  const parts = { rooms, store, histories, compactions, limits: defaultLimits }
  const pruning = new Pruning({ ...parts, time: { ...systemTime, after } })

  const pruned = pruning.prune('a', Date.now() + 1)
  await until(() => timers.size === 1, 'the prune to wait')
  pruning.close()

  await expect(pruned).rejects.toMatchObject({ code: 'ERR_GOING_DOWN' })
  expect([timers.size, tries]).toEqual([0, 1])
})
