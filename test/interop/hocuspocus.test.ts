/** Unmodified Hocuspocus providers of every supported major version against a real server: one suite in a loop. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { createServer } from '../../src/server.ts'
import { connect, converged, synced, until } from '../support/clients.ts'
import { storeWithGate } from '../support/documents.ts'
import { editAtRandom } from '../support/edits.ts'
import {
  breakOff,
  goOffline,
  type HocuspocusClient,
  type ProviderVersion,
  provide,
  providerSynced,
  providerVersions,
  saved
} from '../support/hocuspocus.ts'
import { startProxy } from '../support/proxy.ts'
import { seed } from '../support/seed.ts'
import { quietLog, startServer } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

/** Before a client would tell of itself, which is after 15 s: the server does. How fast: `npm run bench -- presence`. */
const promptMs = 12_000

type Join = (url: string, room?: string, doc?: Y.Doc) => HocuspocusClient

/** Without a token: 2.x then sends no Auth frame at all. */
function joinAs(version: ProviderVersion): Join {
  return (url, room = 'room', doc = new Y.Doc()) => provide(url, room, { version, doc })
}

describe.each(providerVersions)('Hocuspocus %s: documents', version => {
  const join = joinAs(version)

  async function clients(count: number): Promise<{ url: string; all: HocuspocusClient[] }> {
    const { url } = await startServer()
    const all = Array.from({ length: count }, () => join(url))
    await Promise.all(all.map(providerSynced))
    return { url, all }
  }

  test('text typed by one appears at the other', async () => {
    const { all } = await clients(2)
    const [a, b] = all as [HocuspocusClient, HocuspocusClient]

    a.doc.getText('t').insert(0, 'hello')
    b.doc.getText('t').insert(0, 'world ')
    await converged(all)

    expect(b.doc.getText('t').toString()).toContain('hello')
    expect(a.doc.getText('t').toString()).toContain('world')
  })

  test('text, maps, arrays and XML, nested and formatted, arrive at a late joiner', async () => {
    const { url, all } = await clients(2)
    const [a, b] = all as [HocuspocusClient, HocuspocusClient]

    a.doc.getMap('m').set('list', Y.Array.from([1, 'two', { three: [null, true, 4.5] }]))
    b.doc.getArray('a').push(['x', 'y', 'z'])
    b.doc.getArray('a').delete(1, 1)
    a.doc.getText('t').insert(0, 'bold \u{1F642}', { bold: true })
    const heading = new Y.XmlElement('h1')
    heading.setAttribute('id', 'first')
    b.doc.getXmlFragment('x').insert(0, [heading])
    heading.insert(0, [new Y.XmlText('title')])
    await converged(all)
    const late = join(url)
    await providerSynced(late)

    expect(late.doc.getMap('m').toJSON()).toEqual({ list: [1, 'two', { three: [null, true, 4.5] }] })
    expect(late.doc.getArray('a').toJSON()).toEqual(['x', 'z'])
    expect(late.doc.getText('t').toDelta()).toEqual(a.doc.getText('t').toDelta())
    expect(late.doc.getXmlFragment('x').toString()).toBe('<h1 id="first">title</h1>')
  })

  test('edits made offline by two at once are merged when they return', async () => {
    const { all } = await clients(2)
    const [a, b] = all as [HocuspocusClient, HocuspocusClient]
    a.doc.getText('t').insert(0, 'base')
    await converged(all)

    await Promise.all(all.map(goOffline))
    a.doc.getText('t').insert(0, 'A')
    a.doc.getMap('m').set('k', 'a')
    b.doc.getText('t').delete(0, 2)
    b.doc.getMap('m').set('k', 'b')
    for (const { websocket } of all) void websocket.connect()
    await Promise.all(all.map(saved))
    await converged(all)

    expect(a.doc.getText('t').toString()).toBe('Ase')
    expect(['a', 'b']).toContain(a.doc.getMap('m').get('k'))
  })

  test('what a page held before it connected goes to the others', async () => {
    const { url, all } = await clients(1)
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'written before')

    const b = join(url, 'room', doc)
    await saved(b)
    await converged([...all, b])

    expect(all[0]?.doc.getText('t').toString()).toBe('written before')
  })

  test(`ten clients editing at random end with the same bytes (SEED=${seed})`, async () => {
    const random = randomFrom(seed)
    const { url, all } = await clients(10)

    for (let round = 0; round < 20; round++) {
      for (const client of all) editAtRandom(client.doc, random)
      if (round % 5 === 4) breakOff(all[Math.floor(random() * all.length)] as HocuspocusClient)
      await new Promise(resolve => setImmediate(resolve))
    }
    await Promise.all(all.map(saved))
    const state = await converged(all)
    const late = join(url)
    await providerSynced(late)

    expect(Buffer.from(Y.encodeStateAsUpdate(late.doc)).equals(state), `SEED=${seed}`).toBe(true)
  })

  test.each([
    ['/', 'tok'],
    ['/collaboration', 'tok'],
    ['/collaboration', null],
    ['/two/deep?theme=dark', 'tok']
  ])('[HP1, HP2] a socket at %s with the token %s is in the room of its frames', async (path, token) => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })

    const [a, b] = [1, 2].map(() => provide(url, 'room', { version, path, token })) as [
      HocuspocusClient,
      HocuspocusClient
    ]
    await Promise.all([a, b].map(providerSynced))
    a.doc.getText('t').insert(0, 'hello')
    await saved(a)

    await until(() => b.doc.getText('t').toString() === 'hello', 'the same room')
    expect(await store.list()).toEqual(['room'])
  })

  test('[HP7] synced does not come before the stored document is loaded', async () => {
    const { store, openGate } = await storeWithGate()
    const { url } = await startServer({ store })

    const reader = join(url)
    // Longer than the handshake: what could come too early has come.
    await new Promise(resolve => setTimeout(resolve, 150))
    const wasSynced = reader.provider.isSynced
    let atSync = ''
    reader.provider.on('synced', () => {
      atSync = reader.doc.getText('t').toString()
    })
    openGate()
    await providerSynced(reader)

    expect(wasSynced).toBe(false)
    expect(atSync).toBe('stored')
  })

  test('ten reconnects with nothing new leave the log as it was', async () => {
    const store = createMemoryStore()
    const { url } = await startServer({ store })
    const a = join(url)
    a.doc.getText('t').insert(0, 'some text')
    a.doc.getText('t').delete(2, 3)
    await saved(a)
    const reconnect = async () => {
      await goOffline(a)
      void a.websocket.connect()
      await saved(a)
    }
    await reconnect()
    const before = await store.load('room')

    for (let i = 0; i < 10; i++) await reconnect()
    const after = await store.load('room')

    expect(before.records.length).toBeGreaterThan(0)
    expect(after.records.map(each => each.sequence)).toEqual(before.records.map(each => each.sequence))
  })
})

describe.each(providerVersions)('Hocuspocus %s: awareness', version => {
  const join = joinAs(version)

  async function pair(url: string, otherUrl = url): Promise<[HocuspocusClient, HocuspocusClient]> {
    const a = join(otherUrl)
    const b = join(url)
    a.provider.awareness?.setLocalState({ name: 'a' })
    b.provider.awareness?.setLocalState({ name: 'b' })
    await Promise.all([providerSynced(a), providerSynced(b)])
    await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
    return [a, b]
  }

  test('two see each other, and each change', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    a.provider.awareness?.setLocalState({ name: 'a2' })
    b.provider.awareness?.setLocalStateField('name', 'b2')

    await Promise.all([sees(a, b, 'b2'), sees(b, a, 'a2')])
  })

  test('who joins later sees those who are here, and who never set a state is visible', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    const c = join(url)
    await providerSynced(c)

    await Promise.all([sees(c, a, 'a'), sees(c, b, 'b')])
    await until(() => stateOf(a, c) !== undefined && stateOf(b, c) !== undefined, 'c visible', promptMs)
  })

  test.each(['broken off', 'closed', 'destroyed'])('[AW9] whose connection is %s is gone', async how => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    if (how === 'destroyed') a.destroy()
    else if (how === 'closed') a.websocket.disconnect()
    else {
      a.websocket.shouldConnect = false
      breakOff(a)
    }

    await until(() => stateOf(b, a) === undefined, 'a gone', promptMs)
  })

  test('a state set to null is gone for the others, and comes back', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    a.provider.awareness?.setLocalState(null)
    await until(() => stateOf(b, a) === undefined, 'a gone', promptMs)
    a.provider.awareness?.setLocalState({ name: 'a again' })

    await sees(b, a, 'a again')
  })

  test('who reconnects is visible, and sees the others, by the server', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    for (let i = 0; i < 3; i++) {
      await goOffline(a)
      await until(() => stateOf(b, a) === undefined, 'a gone')
      void a.websocket.connect()
      await providerSynced(a)
      await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
    }
  })

  test('[HP14] an owner that does nothing is kept in step with the clock that the others know', async () => {
    const { url } = await startServer()
    const [a, b] = await pair(url)

    for (let i = 0; i < 4; i++) {
      await goOffline(b)
      void b.websocket.connect()
      await providerSynced(b)
      await sees(b, a, 'a')
    }

    const clockAt = ({ provider }: HocuspocusClient) => provider.awareness?.meta.get(a.doc.clientID)?.clock
    await until(() => clockAt(a) === clockAt(b), 'the same clock at both')
    expect(clockAt(a)).toBeGreaterThan(3)
  })

  test('after a restart of the server all who are back see each other by the server', async () => {
    const store = createMemoryStore()
    const first = createServer({ store, log: quietLog, pages: null })
    const url = await first.listen()
    const [a, b] = await pair(url)
    await first.stop()
    await until(() => !a.provider.isSynced && !b.provider.isSynced, 'both cut off')

    await startServer({ store, port: Number(new URL(url).port) })
    await Promise.all([providerSynced(a), providerSynced(b)])

    await Promise.all([sees(a, b, 'b'), sees(b, a, 'a')])
  })

  test('who returns while the old socket is half-open takes over by the server', async () => {
    const { url } = await startServer()
    const proxy = await startProxy(url)
    const [a, b] = await pair(url, proxy.url)

    proxy.freeze()
    a.provider.awareness?.setLocalState({ name: 'a, back' })
    const before = a.websocket.webSocket
    breakOff(a)
    await until(() => a.websocket.webSocket !== before, 'another socket')
    await providerSynced(a)

    await Promise.all([sees(b, a, 'a, back'), sees(a, b, 'b')])
    b.provider.awareness?.setLocalState({ name: 'b2' })
    a.provider.awareness?.setLocalState({ name: 'a3' })
    await Promise.all([sees(a, b, 'b2'), sees(b, a, 'a3')])
  })
})

test('[HP14] y-websocket 3 and Hocuspocus 2, 3 and 4 edit one room and see each other come and go', async () => {
  const { url } = await startServer()
  const others = providerVersions.map(version => joinAs(version)(url))
  const web = connect(url, 'room')
  await Promise.all([synced(web), ...others.map(providerSynced)])
  const all = [web, ...others]

  for (const [i, { doc, provider }] of all.entries()) {
    doc.getText('t').insert(0, `${i}`)
    provider.awareness?.setLocalState({ name: `${i}` })
  }
  await converged(all)
  const names = all.map((_, i) => `${i}`)
  for (const { provider } of all) {
    const seen = () => [...(provider.awareness?.getStates().values() ?? [])].map(state => state.name)
    await until(() => names.every(name => seen().includes(name)), 'everybody seen', promptMs)
  }
  expect(web.doc.getText('t').length).toBe(all.length)

  web.destroy()
  const last = others.at(-1) as HocuspocusClient
  for (const viewer of others) {
    const isGone = () => viewer.provider.awareness?.getStates().has(web.doc.clientID) === false
    await until(isGone, 'the y-websocket client to be gone', promptMs)
  }
  const returned = connect(url, 'room')
  await synced(returned)
  const sees4 = () => returned.provider.awareness.getStates().has(last.doc.clientID)
  await until(sees4, 'the Hocuspocus client to be seen', promptMs)
  breakOff(last)
  last.websocket.shouldConnect = false
  await until(() => !sees4(), 'the Hocuspocus client to be gone', promptMs)
  returned.destroy()
})

function stateOf(viewer: HocuspocusClient, other: HocuspocusClient): unknown {
  return viewer.provider.awareness?.getStates().get(other.doc.clientID)
}

function sees(viewer: HocuspocusClient, other: HocuspocusClient, name: string): Promise<void> {
  const isSeen = () => (stateOf(viewer, other) as { name?: string } | undefined)?.name === name
  return until(isSeen, `${name} to be seen`, promptMs)
}
