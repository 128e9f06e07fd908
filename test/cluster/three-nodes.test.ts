/**
 * Three nodes as processes: whoever goes from node to node finds what it wrote and saw; another
 * environment on the same broker, and whoever forges on it, changes nothing.
 */
import { createHash, createSecretKey } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { sealOf, writeEnvelope } from '../../bus/envelope.ts'
import { type Bus, openBus } from '../../bus/index.ts'
import { openStore } from '../../persistence/index.ts'
import { clusterIdentity } from '../../src/cluster/identity.ts'
import { writeNotice } from '../../src/cluster/notice.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { barrier, type Client, connect, synced, until, untilAsync } from '../support/clients.ts'
import { brokers, type Cluster, startCluster, untilReady } from '../support/cluster.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { spawnServer } from '../support/server.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { type Dialect, openVisit } from '../support/visit.ts'

const hops = Number(process.env.CHORUS_HOPS ?? (process.env.CHORUS_LONG === '1' ? 10_000 : 300))
/** A new room after so many: who comes is sent all of it. */
const hopsInRoom = 250

describe.skipIf(postgresMissing !== null || brokers.redis.path === null)('three nodes', () => {
  let cluster: Cluster
  const urls = () => cluster.nodes.map(node => node.url())
  beforeAll(async () => {
    cluster = await startCluster({
      broker: 'redis',
      args: ['--limit', 'compactionBytesMin=4000', '--limit', 'compactionLookMs=200']
    })
    await cluster.mend()
  })
  afterAll(() => cluster?.stop())

  function client(url: string, room: string): Client {
    const made = connect(url, room)
    onTestFinished(made.destroy)
    return made
  }

  test(`[C6] ${hops} hops from node to node, each after an acknowledged edit: all that was written and seen is there (SEED=${seed})`, {
    timeout: 120_000 + hops * 1_000
  }, async () => {
    const random = randomOf(seed)
    onTestFinished(() => cluster.toBroker.flow())
    const dialects: Record<Dialect, number> = { 'y-websocket': 0, hocuspocus: 0 }
    const count = (dialect: Dialect) => dialects[dialect]++
    let left = hops
    while (left > 0) {
      const inRoom = Math.min(left, hopsInRoom)
      // In every other room the first node hears nothing of the others: what it does not look up, it does not know.
      if ((left / hopsInRoom) % 2 < 1) cluster.toBroker.stall('down')
      else cluster.toBroker.flow()
      await hopIn({ urls: urls(), room: `hops ${left}`, hops: inRoom, random, count })
      left -= inRoom
    }
    console.log(`${hops} hops:`, dialects)
    expect(dialects['y-websocket'] + dialects.hocuspocus).toBe(hops)
  })

  test('another environment on the same broker sees and changes nothing', async () => {
    const other = await spawnServer([
      ...['--port', '0', '--data', cluster.postgres.url('another'), '--bus', cluster.broker.url],
      ...['--node-name', 'stranger', '--auth', 'none', '--log-level', 'warn']
    ])
    await untilReady(other.url)
    const ours = urls().map(url => client(url, 'shared name'))
    const theirs = client(other.url, 'shared name')
    await Promise.all([...ours, theirs].map(synced))

    theirs.doc.getText('t').insert(0, 'theirs')
    for (const each of ours) each.doc.getText('t').insert(0, 'o')
    await Promise.all([...ours, theirs].map(barrier))
    await until(
      () => ours.every(({ doc }) => doc.getText('t').toString() === 'ooo'),
      'our own three letters everywhere'
    )

    expect(theirs.doc.getText('t').toString()).toBe('theirs')
    for (const url of [...urls(), other.url]) {
      const late = client(url, 'shared name')
      await synced(late)
      expect(late.doc.getText('t').toString()).toBe(url === other.url ? 'theirs' : 'ooo')
    }
  })

  test('what is forged, of another cluster, repeated or garbage on the broker is dropped and counted', async () => {
    const [one, two] = urls() as [string, string]
    const [ada, ben] = [client(one, 'forged'), client(two, 'forged')]
    await Promise.all([synced(ada), synced(ben)])
    ada.doc.getText('t').insert(0, 'a')
    await until(() => ben.doc.getText('t').toString() === 'a', 'the letter')
    const bus = await openBus(cluster.broker.url)
    onTestFinished(() => bus.close())
    const forger = await prepareForgery(cluster, 'forged')
    const before = await droppedAt(two)

    const genuine = await heardOnce(bus, forger.topic, () => ada.doc.getText('t').insert(1, 'b'))
    const bad = [genuine, forger.forged, forger.foreign, Buffer.from('garbage'), Buffer.alloc(0)]
    const kinds = ['replayed', 'forged', 'foreign', 'malformed'] as const
    // What is published before the subscription of a node stands is heard by nobody: again, until it counts.
    await untilAsync(async () => {
      for (const bytes of bad) bus.publish(forger.topic, bytes)
      const now = await droppedAt(two)
      return kinds.every(kind => (now[kind] ?? 0) > (before[kind] ?? 0))
    }, 'each kind counted in /metrics')

    ben.doc.getText('t').insert(2, 'c')
    await until(() => ada.doc.getText('t').toString() === 'abc', 'the text')
    for (const url of urls()) {
      const late = client(url, 'forged')
      await synced(late)
      expect(late.doc.getText('t').toString()).toBe('abc')
    }
    expect(ben.doc.getText('t').toString()).toBe('abc')
  })
})

type Hopping = {
  readonly urls: readonly string[]
  readonly room: string
  /** Of all hoppers together. */
  readonly hops: number
  readonly random: () => number
  readonly count: (dialect: Dialect) => void
}

/** Several hop in one room, and somebody stays at each node and writes. */
async function hopIn({ urls, room, hops, random, count }: Hopping): Promise<void> {
  const stayers = urls.map(url => connect(url, room))
  const isOver = { isSet: false }
  let left = hops
  const hopper = async (number: number) => {
    let known = new Map<string, number>()
    let at = number
    for (let own = 1; left > 0; own++) {
      left--
      at = (at + 1 + Math.floor(random() * 2)) % 3
      const dialect = random() < 0.5 ? 'hocuspocus' : 'y-websocket'
      count(dialect)
      const visit = await openVisit({ url: urls[at] ?? '', room, dialect })
      const found = countsOf(visit.doc)
      const stale = [...known].filter(([who, value]) => (found.get(who) ?? 0) < value)
      const where = `SEED=${seed}, ${room}, hop ${own} of hopper ${number}, to ${urls[at]} in ${dialect}`
      expect(stale, `${where}: older than what was known`).toEqual([])
      await visit.write(setCount(visit.doc, `hopper ${number}`, { clientID: number + 1, count: own }))
      known = countsOf(visit.doc)
      visit.leave()
    }
  }
  try {
    await Promise.all(stayers.map(synced))
    const typing = stayers.map((stayer, i) => countOn(stayer, `stayer ${i}`, isOver))
    await Promise.all([0, 1, 2].map(hopper))
    isOver.isSet = true
    await Promise.all(typing)
  } finally {
    isOver.isSet = true
    for (const stayer of stayers) stayer.destroy()
  }
}

function countsOf(doc: Y.Doc): Map<string, number> {
  return new Map(doc.getMap<number>('counts').entries())
}

/** As the same replica at each hop, or the state vector grows with them. Returns the update. */
function setCount(
  doc: Y.Doc,
  name: string,
  { clientID, count }: { clientID: number; count: number }
): Uint8Array {
  const before = Y.encodeStateVector(doc)
  doc.clientID = clientID
  doc.getMap<number>('counts').set(name, count)
  return Y.encodeStateAsUpdate(doc, before)
}

async function countOn({ doc }: Client, name: string, isOver: { isSet: boolean }): Promise<void> {
  for (let count = 1; !isOver.isSet; count++) {
    doc.getMap<number>('counts').set(name, count)
    await new Promise(resolve => setTimeout(resolve, 40))
  }
}

/** What whoever knows all but the key would say: a record that nobody has appended, in the place where the next one is due. */
async function prepareForgery({ data }: Cluster, room: string) {
  const store = await openStore(data)
  const { id } = await clusterIdentity(store)
  const [head] = await store.heads([{ document: room }])
  await store.close()
  if (head === undefined || head.incarnation === null) throw new Error('the document is not there')
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'FORGED')
  const record = encodeRecord([{ update: Y.encodeStateAsUpdate(doc), author: null, timeMs: 0 }])
  const identity = { node: '1', batch: 1 }
  const notice = { incarnation: head.incarnation, sequence: head.head + 1, identity, record }
  const topic = `${id}/document/${createHash('sha256').update(room).digest('base64url')}`
  const sealed = (clusterId: string) =>
    writeEnvelope(sealOf(clusterId, createSecretKey(Buffer.alloc(32, 1))), topic, {
      node: identity.node,
      counter: 1,
      payload: writeNotice(notice, 10_000)
    })
  return { topic, forged: sealed(id), foreign: sealed('another cluster') }
}

/** What goes over the broker when something is done. */
async function heardOnce(bus: Bus, topic: string, act: () => void): Promise<Uint8Array> {
  const heard: Uint8Array[] = []
  const unsubscribe = bus.subscribe(topic, bytes => heard.push(bytes.slice()))
  await until(() => bus.status().state === 'connected', 'the bus to be connected')
  // The subscription stands when what is said is heard.
  const probe = Buffer.from('probe')
  await untilAsync(async () => {
    bus.publish(topic, probe)
    return heard.some(bytes => probe.equals(bytes))
  }, 'the probe')
  act()
  const genuine = () => heard.find(bytes => !probe.equals(bytes))
  await until(() => genuine() !== undefined, 'what the node says')
  unsubscribe()
  return genuine() as Uint8Array
}

async function droppedAt(url: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const counts = [...text.matchAll(/^chorus_bus_messages_total\{[^}]*fate="(\w+)"[^}]*\} (\d+)/gm)]
  return Object.fromEntries(counts.map(([, fate, count]) => [fate, Number(count)]))
}
