/** The real Durable Streams client beside clients of the two WebSocket dialects, in one room. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import { createMemoryBroker } from '../../bus/index.ts'
import { createMemoryStore } from '../../persistence/index.ts'
import { connect, converged, synced, until, untilAsync } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { provide, providerSynced } from '../support/hocuspocus.ts'
import { startNodes } from '../support/sealed-nodes.ts'
import { spawnServer, startServer, temporaryDirectory } from '../support/server.ts'
import { startPostgres } from '../support/services/postgres.ts'
import {
  connectStream,
  type LiveMode,
  messagesIn,
  rawStream,
  type StreamClient,
  type StreamClientOptions,
  streamSynced
} from '../support/streams.ts'

const liveModes: readonly LiveMode[] = ['sse', 'long-poll']

async function joined(url: string, options: StreamClientOptions = {}): Promise<StreamClient> {
  const client = connectStream(url, 'room', options)
  onTestFinished(client.destroy)
  await streamSynced(client)
  return client
}

/** The client writes what it could not do to the console. */
function quieten(): void {
  const complaints = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => complaints.mockRestore())
}

const textOf = ({ doc }: { readonly doc: Y.Doc }) => doc.getText('t').toString()

test('[DS1] the client that is tested is the one that PROTOCOL.md names', () => {
  const path = join(import.meta.dirname, '../../node_modules/@durable-streams/y-durable-streams/package.json')
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }

  expect(readFileSync(join(import.meta.dirname, '../../PROTOCOL.md'), 'utf8')).toContain(version)
})

test.each(liveModes)(
  '[DS3] clients of all dialects in one room, the stream read by %s, are equal',
  async liveMode => {
    const { url } = await startServer()
    const streams = [await joined(url, { liveMode }), await joined(url)]
    const socket = connect(url, 'room')
    const provider = provide(url, 'room', { token: 'any' })
    onTestFinished(() => [socket, provider].forEach(client => void client.destroy()))
    await Promise.all([synced(socket), providerSynced(provider)])
    const all = [...streams, socket, provider]

    for (let round = 0; round < 10; round++) {
      for (const [i, { doc }] of all.entries()) {
        const text = doc.getText('t')
        text.insert(Math.min(text.length, round), `${i}${round} `)
        if (text.length > 40) text.delete(3, 2)
        doc.getMap('m').set(`${i % 2}`, round * i)
      }
    }
    await converged(all)

    expect(textOf(socket).length).toBeGreaterThan(40)
    expect(streams.flatMap(({ errors }) => errors)).toEqual([])
  }
)

test('[DS15] everybody sees everybody, whatever the dialect, and sees them go', async () => {
  const { url } = await startServer()
  const streams = [await joined(url), await joined(url, { liveMode: 'long-poll' })]
  const socket = connect(url, 'room')
  const provider = provide(url, 'room', { token: 'any' })
  onTestFinished(() => [socket, provider].forEach(client => void client.destroy()))
  await Promise.all([synced(socket), providerSynced(provider)])
  const people = [
    ...streams.map(({ doc, awareness }) => ({ id: doc.clientID, awareness })),
    { id: socket.doc.clientID, awareness: socket.provider.awareness },
    { id: provider.doc.clientID, awareness: provider.provider.awareness as typeof socket.provider.awareness }
  ]
  const shows = (what: string) =>
    people.every(({ awareness }) =>
      people.every(({ id }, i) => awareness.getStates().get(id)?.name === `${what} ${i}`)
    )

  for (const [i, { awareness }] of people.entries()) awareness.setLocalState({ name: `here ${i}` })
  await until(() => shows('here'), 'everybody to see everybody')
  for (const [i, { awareness }] of people.entries()) awareness.setLocalState({ name: `moved ${i}` })
  await until(() => shows('moved'), 'everybody to see where they moved')

  const [leaver] = streams
  const others = people.slice(1)
  await leaver?.provider.disconnect()
  await until(
    () => others.every(({ awareness }) => !awareness.getStates().has(people[0]?.id ?? 0)),
    'it to be gone for the others'
  )
})

test('[DS4] after a SIGKILL every stream resumes without a gap, and what was answered is there', async () => {
  quieten()
  const data = temporaryDirectory()
  const first = await spawnServer(['--data', data, '--port', '0'])
  const port = new URL(first.url).port
  const reader = await joined(first.url)
  const poller = await joined(first.url, { liveMode: 'long-poll' })
  const stream = rawStream(first.url, 'room')
  const doc = new Y.Doc()
  const answered: number[] = []
  const append = async (stream: ReturnType<typeof rawStream>, number: number) => {
    const before = Y.encodeStateVector(doc)
    doc.getArray('numbers').push([number])
    const { status } = await stream.post([Y.encodeStateAsUpdate(doc, before)])
    if (status === 204) answered.push(number)
  }
  for (let i = 0; i < 20; i++) await append(stream, i)

  const last = append(stream, 20).catch(() => {})
  await first.kill()
  await last
  const second = await spawnServer(['--data', data, '--port', port])
  const again = rawStream(second.url, 'room')
  const stored = new Y.Doc()
  for (const update of messagesIn(new Uint8Array(await (await again.ask('GET')).arrayBuffer()))) {
    Y.applyUpdate(stored, update)
  }
  // What nobody answered is sent again, as a client has to.
  await again.post([Y.encodeStateAsUpdate(doc)])
  for (let i = 21; i < 30; i++) await append(again, i)
  await converged([{ doc }, reader, poller])

  const numbersOf = ({ doc }: { readonly doc: Y.Doc }) => doc.getArray('numbers').toArray()
  expect(numbersOf({ doc: stored })).toEqual(expect.arrayContaining(answered.filter(number => number < 21)))
  expect(numbersOf(reader)).toEqual(Array.from({ length: 30 }, (_, i) => i))
})

test('[DS9] a client that comes back with the same document, and counts from zero again, loses nothing', async () => {
  const { url } = await startServer()
  const client = await joined(url, { awareness: false })
  const witness = await joined(url)
  client.doc.getText('t').insert(0, 'first ')
  await converged([client, witness])

  await client.provider.disconnect()
  witness.doc.getText('t').insert(0, 'meanwhile ')
  await client.provider.connect()
  await streamSynced(client)
  client.doc.getText('t').insert(0, 'second ')
  await converged([client, witness])

  expect(textOf(witness)).toContain('second ')
  expect(textOf(client)).toContain('meanwhile ')
})

test('[DS11] a client that may only read stops when it is refused, and goes on to read', async () => {
  quieten()
  let posts = 0
  const { url } = await startServer({
    authorize: ({ token }) => {
      if (token === 'reader') posts++
      return { user: { id: token ?? '' }, access: token === 'writer' ? 'write' : 'read' }
    }
  })
  const writer = await joined(url, { headers: { authorization: 'Bearer writer' } })
  const reader = await joined(url, { headers: { authorization: 'Bearer reader' }, awareness: false })
  const asked = posts

  reader.doc.getText('t').insert(0, 'not mine to write')
  await until(() => reader.errors.length > 0, 'it to be refused')
  writer.doc.getText('t').insert(0, 'news ')
  await until(() => textOf(reader).includes('news '), 'it to read on')

  expect(textOf(writer)).toBe('news ')
  expect(posts - asked).toBeLessThan(5)
})

test.each(liveModes)(
  '[DS6] a document of some megabytes is read whole by %s, from its checkpoint and its log',
  async liveMode => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    const text = doc.getText('t')
    doc.transact(() => {
      for (let i = 0; i < 1_500; i++)
        text.insert((i * 7919) % (text.length + 1), 'lorem ipsum é '.repeat(300))
    })
    await storeDocument(store, 'room', doc)
    if (liveMode === 'sse') await compacted(store, 'room')
    const { url } = await startServer({ store })

    const client = await joined(url, { liveMode })
    client.doc.getText('t').insert(5, 'and an edit')
    const other = await joined(url)
    await converged([client, other])

    expect(Y.encodeStateAsUpdate(client.doc).length).toBeGreaterThan(5_000_000)
    expect(textOf(other)).toBe(textOf(client))
  }
)

test('[DS5] on two nodes, what one has answered is read from the other, by the same offsets', async ({
  skip
}) => {
  const postgres = await startPostgres().catch(() => null)
  if (postgres === null) return skip()
  onTestFinished(() => postgres.stop())
  const [a, b] = await startNodes(2, createMemoryBroker(), { postgres })
  if (a === undefined || b === undefined) throw new Error('two nodes')
  const [one, other] = [rawStream(a.url, 'room'), rawStream(b.url, 'room')]
  const doc = new Y.Doc()
  await one.ask('PUT')
  const reader = await joined(b.url)

  for (let i = 0; i < 10; i++) {
    const before = Y.encodeStateVector(doc)
    doc.getText('t').insert(0, `${i} `)
    const producer = { 'producer-id': 'p', 'producer-epoch': '0', 'producer-seq': String(i) }
    const posted = await (i % 2 === 0 ? one : other).post([Y.encodeStateAsUpdate(doc, before)], producer)
    const offset = posted.headers.get('stream-next-offset')
    const read = await (i % 2 === 0 ? other : one).ask('GET', '?offset=-1')
    const copy = new Y.Doc()
    for (const update of messagesIn(new Uint8Array(await read.arrayBuffer()))) Y.applyUpdate(copy, update)
    expect([posted.status, textOf({ doc: copy }), read.headers.get('stream-next-offset')]).toEqual([
      200,
      textOf({ doc }),
      offset
    ])
  }
  await converged([{ doc }, reader])
  await untilAsync(async () => (await other.ask('GET', '?offset=now')).status === 200, 'an answer')
})
