/** Unmodified y-websocket clients of every supported major version against a real server: one suite in a loop. */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { createServer } from '../../src/server.ts'
import {
  barrier,
  type Client,
  type ClientVersion,
  clientVersions,
  connect,
  converged,
  disconnect,
  synced,
  until
} from '../support/clients.ts'
import { storeWithGate } from '../support/documents.ts'
import { editAtRandom } from '../support/edits.ts'
import { startProxy } from '../support/proxy.ts'
import { seed } from '../support/seed.ts'
import { quietLog, startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

/** Before a client would tell of itself, which is after 15 s: the server does. How fast: `npm run bench -- presence`. */
const promptMs = 12_000

type Join = (url: string, room?: string, doc?: Y.Doc) => Client

function joinAs(version: ClientVersion): Join {
  return (url, room = 'room', doc = new Y.Doc()) => {
    const client = connect(url, room, { version, doc })
    onTestFinished(client.destroy)
    return client
  }
}

describe.each(clientVersions)('y-websocket %s: documents', version => {
  const join = joinAs(version)

  async function clients(count: number, room = 'room'): Promise<{ url: string; all: Client[] }> {
    const { url } = await startServer()
    const all = Array.from({ length: count }, () => join(url, room))
    await Promise.all(all.map(synced))
    return { url, all }
  }

  test('text typed by one appears at the other', async () => {
    const { all } = await clients(2)
    const [a, b] = all as [Client, Client]

    a.doc.getText('t').insert(0, 'hello')
    b.doc.getText('t').insert(0, 'world ')
    await converged(all)

    expect(b.doc.getText('t').toString()).toContain('hello')
    expect(a.doc.getText('t').toString()).toContain('world')
  })

  test('text, maps, arrays and XML, nested and formatted, arrive at a late joiner', async () => {
    const { url, all } = await clients(2)
    const [a, b] = all as [Client, Client]

    a.doc.getMap('m').set('list', Y.Array.from([1, 'two', { three: [null, true, 4.5] }]))
    a.doc.getMap('m').set('bytes', Uint8Array.of(1, 2, 3))
    b.doc.getArray('a').push(['x', 'y', 'z'])
    b.doc.getArray('a').delete(1, 1)
    a.doc.getText('t').insert(0, 'bold \u{1F642}', { bold: true })
    a.doc.getText('t').insertEmbed(0, { image: 'x' })
    const heading = new Y.XmlElement('h1')
    heading.setAttribute('id', 'first')
    b.doc.getXmlFragment('x').insert(0, [heading])
    heading.insert(0, [new Y.XmlText('title')])
    await converged(all)
    const late = join(url)
    await synced(late)

    expect(late.doc.getMap('m').toJSON()).toEqual({
      list: [1, 'two', { three: [null, true, 4.5] }],
      bytes: Uint8Array.of(1, 2, 3)
    })
    expect(late.doc.getArray('a').toJSON()).toEqual(['x', 'z'])
    expect(late.doc.getText('t').toDelta()).toEqual(a.doc.getText('t').toDelta())
    expect(late.doc.getXmlFragment('x').toString()).toBe('<h1 id="first">title</h1>')
  })

  test('edits made offline by two at once are merged when they return', async () => {
    const { all } = await clients(2)
    const [a, b] = all as [Client, Client]
    a.doc.getText('t').insert(0, 'base')
    await converged(all)

    await Promise.all(all.map(disconnect))
    a.doc.getText('t').insert(0, 'A')
    a.doc.getMap('m').set('k', 'a')
    b.doc.getText('t').delete(0, 2)
    b.doc.getMap('m').set('k', 'b')
    for (const { provider } of all) provider.connect()
    await Promise.all(all.map(synced))
    await converged(all)

    expect(a.doc.getText('t').toString()).toBe('Ase')
    expect(['a', 'b']).toContain(a.doc.getMap('m').get('k'))
  })

  test('what a page held before it connected goes to the others', async () => {
    const { url, all } = await clients(1)
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'written before')

    const b = join(url, 'room', doc)
    await synced(b)
    await converged([...all, b])

    expect(all[0]?.doc.getText('t').toString()).toBe('written before')
  })

  test(`ten clients editing at random end with the same bytes (SEED=${seed})`, async () => {
    const random = randomFrom(seed)
    const { url, all } = await clients(10)

    for (let round = 0; round < 20; round++) {
      for (const client of all) editAtRandom(client.doc, random)
      if (round % 5 === 4) reconnectOne(all, random)
      await new Promise(resolve => setImmediate(resolve))
    }
    await Promise.all(all.map(synced))
    const state = await converged(all)
    const late = join(url)
    await synced(late)

    expect(Buffer.from(Y.encodeStateAsUpdate(late.doc)).equals(state), `SEED=${seed}`).toBe(true)
  })

  test('[YW1] parameters in the query are no part of the room', async () => {
    const { url, all } = await clients(1)
    const [a] = all as [Client]
    a.doc.getText('t').insert(0, 'same room')

    const b = connect(url, 'room', { version, params: { token: 'a/b?c', yauth: '1' } })
    onTestFinished(b.destroy)

    await synced(b)
    await until(() => b.doc.getText('t').toString() === 'same room', 'the same room')
  })

  test('[YW4] sync does not fire before the stored document is loaded', async () => {
    const { store, openGate } = await storeWithGate()
    const { url } = await startServer({ store })

    const reader = join(url)
    await until(() => reader.provider.wsconnected, 'the connection')
    // Longer than any client's handshake: what could come too early has come.
    await new Promise(resolve => setTimeout(resolve, 150))
    const wasSynced = reader.provider.synced
    let atSync = ''
    reader.provider.on('sync', () => {
      atSync = reader.doc.getText('t').toString()
    })
    openGate()
    await synced(reader)

    expect(wasSynced).toBe(false)
    expect(atSync).toBe('stored')
  })

  test('[YW8] ten reconnects with nothing new leave the log as it was', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const a = join(url)
    await synced(a)
    a.doc.getText('t').insert(0, 'some text')
    a.doc.getText('t').delete(2, 3)
    const reconnect = async () => {
      await disconnect(a)
      a.provider.connect()
      await synced(a)
      await barrier(a)
    }
    await reconnect()
    const before = await store.load('room')

    for (let i = 0; i < 10; i++) await reconnect()
    const after = await store.load('room')

    expect(before.records.length).toBeGreaterThan(0)
    expect(after.records.map(each => each.sequence)).toEqual(before.records.map(each => each.sequence))
    expect(after.checkpoint?.generation).toBe(before.checkpoint?.generation)
  })

  test('[YW10] a client whose awareness is null stays connected, kept alive by empty messages', async () => {
    const { url } = await startServer({ limits: { keepAliveMs: 100, heartbeatMs: 50 } })
    const client = connect(url, 'room', { version, connect: false })
    onTestFinished(client.destroy)
    client.provider.awareness.setLocalState(null)
    client.provider.connect()
    await synced(client)
    const socket = client.provider.ws
    const heard: number[] = []
    socket?.addEventListener('message', ({ data }: { data: unknown }) => {
      if (Buffer.from(data as ArrayBuffer).equals(Buffer.from([1, 1, 0]))) heard.push(Date.now())
    })

    await until(() => heard.length >= 3, 'three keep-alive messages')

    expect(client.provider.ws).toBe(socket)
    expect(client.provider.wsconnected).toBe(true)
  })
})

describe.each(clientVersions)('y-websocket %s: awareness', version => {
  const join = joinAs(version)

  async function pair(url: string, otherUrl = url): Promise<[Client, Client]> {
    const a = join(otherUrl)
    const b = join(url)
    a.provider.awareness.setLocalState({ name: 'a' })
    b.provider.awareness.setLocalState({ name: 'b' })
    await Promise.all([synced(a), synced(b)])
    await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
    return [a, b]
  }

  test('two see each other, and each change', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    a.provider.awareness.setLocalState({ name: 'a2' })
    b.provider.awareness.setLocalStateField('name', 'b2')

    await Promise.all([sees(a, b, 'b2'), sees(b, a, 'a2')])
  })

  test('who joins later sees those who are here', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    const c = join(url)
    c.provider.awareness.setLocalState({ name: 'c' })
    await synced(c)

    await Promise.all([sees(c, a, 'a'), sees(c, b, 'b'), sees(a, c, 'c'), sees(b, c, 'c')])
  })

  test('who never sets a state is visible with the default one', async () => {
    const { url } = await startServer()
    const a = join(url)
    const b = join(url)
    await Promise.all([synced(a), synced(b)])

    await until(() => stateOf(a, b) !== undefined && stateOf(b, a) !== undefined, 'both visible', promptMs)
  })

  test('[AW9] who leaves is gone at once', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    a.provider.disconnect()

    await until(() => stateOf(b, a) === undefined, 'a gone', promptMs)
  })

  test('[AW9] whose connection breaks is gone at once', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    a.provider.shouldConnect = false
    terminate(a)

    await until(() => stateOf(b, a) === undefined, 'a gone', promptMs)
  })

  test('who reconnects is visible, and sees the others, by the server', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    for (let i = 0; i < 3; i++) {
      a.provider.disconnect()
      await until(() => stateOf(b, a) === undefined, 'a gone')
      a.provider.connect()
      await until(() => a.provider.wsconnected, 'a back')
      await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
    }
  })

  test('after a restart of the server all who are back see each other by the server', async () => {
    const store = createMemoryStore()
    const first = createServer({ store, log: quietLog, pages: null })
    const url = await first.listen()
    const [a, b] = await pair(url)
    await first.stop()

    await startServer({ store, port: Number(new URL(url).port) })
    await until(() => a.provider.wsconnected && b.provider.wsconnected, 'both back')

    await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
  })

  test('who returns while the old socket is half-open takes over by the server', async () => {
    const { url } = await startServer()
    const proxy = await startProxy(url)
    const [a, b] = await pair(url, proxy.url)

    proxy.freeze()
    a.provider.awareness.setLocalState({ name: 'a, back' })
    terminate(a)
    await until(() => a.provider.wsconnected, 'a back')

    await Promise.all([sees(b, a, 'a, back'), sees(a, b, 'b')])
    b.provider.awareness.setLocalState({ name: 'b2' })
    a.provider.awareness.setLocalState({ name: 'a3' })
    await Promise.all([sees(a, b, 'b2'), sees(b, a, 'a3')])
  })
})

test('clients of all versions edit one room together', async () => {
  const { url } = await startServer()
  const all = clientVersions.map(version => joinAs(version)(url))
  await Promise.all(all.map(synced))

  for (const [i, { doc, provider }] of all.entries()) {
    doc.getText('t').insert(0, `${i}`)
    provider.awareness.setLocalState({ name: `${i}` })
  }

  await converged(all)
  expect(all[0]?.doc.getText('t').length).toBe(all.length)
  for (const [i, other] of all.entries())
    await Promise.all(all.filter(each => each !== other).map(each => sees(each, other, `${i}`)))
})

function stateOf(viewer: Client, other: Client): unknown {
  return viewer.provider.awareness.getStates().get(other.doc.clientID)
}

function sees(viewer: Client, other: Client, name: string): Promise<void> {
  const isSeen = () => (stateOf(viewer, other) as { name?: string } | undefined)?.name === name
  return until(isSeen, `${name} to be seen`, promptMs)
}

/** As a broken network: no close frame. */
function terminate({ provider }: Client): void {
  // The clients of these tests use ws sockets, which have it.
  ;(provider.ws as unknown as { terminate(): void }).terminate()
}

function reconnectOne(all: readonly Client[], random: () => number): void {
  const client = all[Math.floor(random() * all.length)] as Client
  client.provider.disconnect()
  editAtRandom(client.doc, random)
  client.provider.connect()
}
