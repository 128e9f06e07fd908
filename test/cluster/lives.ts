/**
 * A fault without anything broken: two more nodes, of an application that seeds what is empty, and all five at one document
 * that is begun, written, compacted, deleted and begun again, over and over.
 */
import { expect } from 'vitest'
import * as Y from 'yjs'
import { createServer, type Server } from '../../src/server.ts'
import { connect, synced, until, untilAsync } from '../support/clients.ts'
import { type Cluster, untilReady } from '../support/cluster.ts'
import { quietLog } from '../support/server.ts'
import { type Counts, openWriter, readWords, type Writer } from '../support/writer.ts'
import type { Fault, Round } from './round.ts'

const lives = process.env.CHORUS_LONG === '1' ? 12 : 3
const wordsOfEach = 15

let made = 0

export const livesFault: Fault = {
  name: 'nodes seed, write, compact, delete and begin again at once',
  run: async (cluster, { random, struck }) => {
    const room = `lives ${++made}`
    const compactedBefore = await compacted(cluster)
    const application = await Promise.all(['four', 'five'].map(name => startSeeding(cluster, name)))
    try {
      struck()
      for (let life = 0; life < lives; life++) {
        await live({ cluster, application, random, room, life })
      }
      await untilAsync(
        async () => (await compacted(cluster)) > compactedBefore,
        'a compaction by one of the nodes'
      )
    } finally {
      await Promise.all(application.map(({ server }) => server.stop()))
    }
    await Promise.all(cluster.nodes.map(node => untilReady(node.url())))
  }
}

type Seeding = { readonly server: Server; readonly url: string }

type Life = {
  readonly cluster: Cluster
  readonly application: readonly Seeding[]
  readonly random: Round['random']
  readonly room: string
  readonly life: number
}

/** What was acknowledged in it is in it, once, on every node, and nothing of another one; it begins with one seed. */
async function live({ cluster, application, random, room, life }: Life): Promise<void> {
  const urls = [...cluster.nodes.map(node => node.url()), ...application.map(({ url }) => url)]
  await Promise.all(application.map(({ url }) => read(url, room)))
  const writers = urls.map((url, i) => openWriter({ url, room, name: `life ${life}, ${i}` }, life + i))
  try {
    await until(() => writers.every(each => each.isSynced()), 'everybody synced')
    for (let i = 0; i < wordsOfEach; i++) {
      for (const writer of writers) writer.type()
      await new Promise(resolve => setTimeout(resolve, random() * 20))
    }
    await Promise.all(writers.map(savedAll))
    const all: Counts = new Map(writers.map(({ name }) => [name, wordsOfEach]))
    for (const url of urls) {
      const found = await read(url, room)
      expect(found, `life ${life}, at ${url}`).toEqual({ seeds: 1, counts: all, wrong: [] })
    }
    // Some go on writing while one or both delete.
    for (const writer of writers) if (random() < 0.5) writer.type()
    const deleting = random() < 0.5 ? application : application.slice(0, 1)
    await Promise.all(deleting.map(({ server }) => server.delete(room)))
  } finally {
    for (const writer of writers) writer.leave()
  }
}

async function startSeeding({ data, broker }: Cluster, nodeName: string): Promise<Seeding> {
  const load = () => {
    const doc = new Y.Doc()
    doc.getText('seed').insert(0, 'seed ')
    return Y.encodeStateAsUpdate(doc)
  }
  const limits = { compactionBytesMin: 2_000, compactionLookMs: 100, compactionRecordsAtClose: 10 }
  const common = { log: quietLog, pages: null, authorize: 'none' } as const
  const server = createServer({ ...common, data, bus: broker.url, nodeName, load, limits })
  return { server, url: await server.listen() }
}

/** What whoever comes now finds. */
async function read(url: string, room: string) {
  const reader = connect(url, room)
  try {
    await synced(reader)
    return { seeds: reader.doc.getText('seed').toString().split('seed').length - 1, ...readWords(reader.doc) }
  } finally {
    reader.destroy()
  }
}

async function savedAll(writer: Writer): Promise<void> {
  await untilAsync(async () => {
    await writer.ask()
    return writer.acknowledged() === writer.typed()
  }, `everything of ${writer.name} acknowledged`)
}

/** How many compactions the nodes have done. */
async function compacted({ nodes }: Cluster): Promise<number> {
  let sum = 0
  for (const node of nodes) {
    const text = await (await fetch(`${node.url()}/metrics`)).text()
    sum += Number(/^chorus_compactions_total\{outcome="written"\} (\d+)/m.exec(text)?.[1] ?? 0)
  }
  return sum
}
