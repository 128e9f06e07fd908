/** What this device keeps, against IndexedDB as fake-indexeddb has it. */
import 'fake-indexeddb/auto'
import { openDB } from 'idb'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { ChorusProvider, forgetLocalCopies } from '../../client/index.ts'
import { until, untilAsync } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { type Joined, join, shows, stored, textOf, type } from './joined.ts'

const nobody = 'ws://127.0.0.1:1'
const kept = { saved: 'kept-here' } as const

test('what is typed without a connection is kept, and sent by the next page', async () => {
  const { url } = await startServer()
  const first = join(url, 'next', { offline: true, connect: false })
  await first.provider.whenLoaded
  type(first, 'typed offline')
  const status = await shows(first, kept, 'the copy')
  first.provider.destroy()

  const second = join(url, 'next', { offline: true })
  await second.provider.whenLoaded
  const loaded = textOf(second)
  await second.provider.saved()

  expect(status.pending).toBe(1)
  expect(loaded).toBe('typed offline')
  expect(await stored(url, 'next')).toBe('typed offline')
})

test('tabs without a connection are in step, and the one that gets there first brings it all', async () => {
  const { url } = await startServer()
  const [a, b] = [0, 1].map(() => join(url, 'tabs', { offline: true, connect: false })) as [Joined, Joined]
  await Promise.all([a.provider.whenLoaded, b.provider.whenLoaded])

  type(a, 'by a')
  await until(() => textOf(b) === 'by a', 'the text at the other tab')
  a.provider.destroy()
  b.provider.connect()
  await b.provider.saved()

  expect(await stored(url, 'tabs')).toBe('by a')
})

test('tabs that ask to be apart are', async () => {
  const apart = { offline: { shareWithTabs: false }, connect: false }
  const [a, b] = [join(nobody, 'apart', apart), join(nobody, 'apart', { ...apart, offline: true })]
  await Promise.all([a.provider.whenLoaded, b.provider.whenLoaded])

  type(a, 'by a')
  await shows(a, kept, 'the copy')

  expect(textOf(b)).toBe('')
})

test('many changes become one, in step with another tab that writes meanwhile', async () => {
  const [a, b] = [0, 1].map(() =>
    join(nobody, 'many', { offline: { shareWithTabs: false }, connect: false })
  ) as [Joined, Joined]
  await Promise.all([a.provider.whenLoaded, b.provider.whenLoaded])
  for (let i = 0; i < 300; i++) {
    type(i % 3 === 0 ? b : a, `${i};`)
    await new Promise(resolve => setImmediate(resolve))
  }
  for (const each of [a, b]) await shows(each, kept, 'the copy')
  const db = await openDB(`y-chorus ${nobody}/many`)
  await untilAsync(async () => (await db.count('updates')) <= 256, 'the updates to become one')
  db.close()
  const later = join(nobody, 'many', { offline: true, connect: false })
  await later.provider.whenLoaded

  expect(new Set(textOf(later).split(';')).size).toBe(301)
})

test('a copy that is damaged is said to be, removed, and made anew from the server', async () => {
  const { url } = await startServer()
  const first = join(url, 'damaged', { offline: true })
  type(first, 'on the server')
  await first.provider.saved()
  first.provider.destroy()
  const db = await openDB(`y-chorus ${url.replace('http', 'ws')}/damaged`)
  await db.put('updates', Uint8Array.of(9, 9, 9, 9), 1)
  db.close()

  const problems: string[] = []
  const second = join(url, 'damaged', { offline: true, connect: false })
  second.provider.on('local-copy-problem', ({ problem }) => problems.push(problem))
  await second.provider.whenLoaded
  second.provider.connect()
  await shows(second, { synced: true }, 'the document')
  type(second, '!')
  await second.provider.saved()
  second.provider.destroy()
  const third = join(url, 'damaged', { offline: true, connect: false })
  await third.provider.whenLoaded

  expect(problems).toEqual(['damaged'])
  expect(textOf(third)).toBe('on the server!')
})

test('where nothing can be kept, it is said, and the document works', async () => {
  const { url } = await startServer()
  const { indexedDB } = globalThis
  Object.assign(globalThis, { indexedDB: undefined })
  const problems: string[] = []
  const client = join(url, 'denied', { offline: true })
  client.provider.on('local-copy-problem', ({ problem }) => problems.push(problem))
  await client.provider.whenLoaded
  Object.assign(globalThis, { indexedDB })

  type(client, 'x')
  const { saved } = client.provider.getSnapshot()
  await client.provider.saved()

  expect(problems).toEqual(['denied'])
  expect(saved).toBe('saving')
})

test('who signs out leaves nothing, and tabs that are open keep nothing more', async () => {
  const open = join(nobody, 'left', { offline: true, connect: false })
  await open.provider.whenLoaded
  type(open, 'x')
  await shows(open, kept, 'the copy')

  await forgetLocalCopies()

  expect(await indexedDB.databases()).toEqual([])
})

test('a document that was deleted meanwhile says so, with all of the copy', async () => {
  const server = await startServer()
  const client = join(server.url, 'gone', { offline: true })
  type(client, 'precious')
  await client.provider.saved()
  client.provider.disconnect()
  type(client, ' text')
  await server.delete('gone')
  const copies: Uint8Array[] = []
  client.provider.on('old-copy', ({ update }) => copies.push(update))

  client.provider.connect()
  await until(() => copies.length > 0, 'the event')
  await client.provider.forgetLocalCopy()

  const doc = new Y.Doc()
  Y.applyUpdate(doc, copies[0] as Uint8Array)
  expect(doc.getText('t').toString()).toBe('precious text')
  const anew = join(server.url, 'gone', { offline: true })
  await shows(anew, { synced: true }, 'the document')
  expect(textOf(anew)).toBe('')
  expect(anew.provider).toBeInstanceOf(ChorusProvider)
})
