/** Several servers on one PostgreSQL: one of them compacts a document, and all of them take up what came of it. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryBroker } from '../../bus/index.ts'
import type { Store } from '../../persistence/store.ts'
import { hashedName } from '../../src/base/hashed-name.ts'
import { typeDepthMax } from '../../src/document/compact.ts'
import { barrier, type Client, until, untilAsync } from '../support/clients.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { client, joined, type Node, postgresFor, startNodes, text, type, words } from './checkpoint-nodes.ts'

/** What is told is told over the bus, or these tests wait for ever. */
const deaf = { headsPollMs: 3_600_000 }
const eager = { ...deaf, compactionBytesMin: 8_000, compactionLookMs: 1 }
const never = { ...deaf, compactionBytesMin: 1e12, compactionRecordsAtClose: 1e9 }

describe.skipIf(postgresMissing !== null)('checkpoints of several nodes on PostgreSQL', () => {
  const database = postgresFor('checkpoints')

  /** Each word is a record of its own, of about 200 bytes. */
  async function typeWords(of: Client, count: number, name: string): Promise<void> {
    for (let i = 0; i < count; i++) {
      type(of, `${name}${i}${'.'.repeat(180)} `)
      await barrier(of)
    }
  }

  const generationOf = async (store: Store | undefined) =>
    (await store?.load('x'))?.checkpoint?.generation ?? 0

  test('one node at a time compacts, and none merges again what another has merged', async () => {
    const nodes = await startNodes(
      database.address,
      createMemoryBroker(),
      [eager, eager, eager].map(limits => ({ limits }))
    )
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))

    await Promise.all(clients.map((each, i) => typeWords(each, 60, `n${i}-`)))

    const checkpoints = nodes.flatMap(({ written }) => written)
    expect(checkpoints.length).toBeGreaterThan(0)
    // A log that costs less than 8,000 bytes is left alone, and a record costs some 330.
    for (const { replaces } of checkpoints) expect(replaces.length).toBeGreaterThan(15)
    await until(() => clients.every(each => words(each).length === 180), 'every word everywhere')
    expect(new Set(words(await joined(nodes[1], 'x'))).size).toBe(180)
    expect(clients.flatMap(({ codes }) => codes)).toEqual([])
  })

  test('while another node has the lease nobody compacts; when it has run out, somebody does', async () => {
    const nodes = await startNodes(database.address, createMemoryBroker(), [
      { limits: eager },
      { limits: eager }
    ])
    const [one, two] = nodes
    const [ada, ben] = [await joined(one, 'x'), await joined(two, 'x')]
    const lease = `compaction/${hashedName('x')}`
    await one?.store.lease(lease, 'a node that stands still', 3_600_000)

    await typeWords(ada, 40, 'held')
    await typeWords(ben, 10, 'held too')
    expect(nodes.flatMap(({ written }) => written)).toEqual([])
    await one?.store.lease(lease, 'a node that stands still', 0)

    await untilAsync(async () => {
      await typeWords(ada, 1, 'free')
      return nodes.some(({ written }) => written.length > 0)
    }, 'a compaction')
  })

  test('a node takes up the checkpoint of another, and serves from it without a restart', async () => {
    const limits = { ...never, checkpointCacheBytesMax: 0 }
    const [one, two] = await startNodes(database.address, createMemoryBroker(), [
      { limits: eager },
      { limits }
    ])
    const ada = await joined(one, 'x')
    await typeWords(ada, 60, 'first')
    await until(() => (one?.written.length ?? 0) > 0, 'a checkpoint to open with')
    const ben = await joined(two, 'x')
    const before = await generationOf(one?.store)
    let loads = 0
    watchLoads(two, () => void loads++)

    await typeWords(ada, 200, 'second')
    await untilAsync(async () => (await generationOf(one?.store)) > before, 'the next checkpoint')
    // Nobody joins there, and it writes none itself: it was told.
    await until(() => loads > 0, 'the other node to load it')
    // Another document takes the place of this one in memory: the next one who joins needs the store.
    for (let i = 0; i < 3; i++) {
      await evict(two)
      const reader = await joined(two, 'x')
      expect(words(reader).length).toBe(260)
      reader.destroy()
    }
    expect(words(ben).length).toBe(260)
    expect(ben.codes).toEqual([])
    expect(two?.written.filter(({ document }) => document === 'x').length).toBe(0)
  })

  test('whoever joins when the node has missed the new checkpoint gets it all the same', async () => {
    const broker = createMemoryBroker()
    const limits = { ...never, checkpointCacheBytesMax: 0 }
    const [one, two] = await startNodes(database.address, broker, [{ limits: eager }, { limits }])
    const ada = await joined(one, 'x')
    await typeWords(ada, 60, 'first')
    await until(() => (one?.written.length ?? 0) > 0, 'a checkpoint to open with')
    const ben = await joined(two, 'x')
    const before = await generationOf(one?.store)

    await typeWords(ada, 200, 'second')
    await untilAsync(async () => (await generationOf(one?.store)) > before, 'the next checkpoint')
    await until(() => words(ben).length === 260, 'every word')
    broker.setFaults({ loss: 1 })
    const missed = await generationOf(one?.store)
    await overwrite(one, 'x')
    expect(await generationOf(one?.store)).toBeGreaterThan(missed)
    await evict(two)
    // It finds first that what it has cannot be read any more, and then what there is.
    const refused = refusedSegments(two)
    watchLoads(two, () => refused)

    expect(words(await joined(two, 'x')).length).toBe(260)
    expect(ben.codes).toEqual([])
  })

  /** `meanwhile` is called before each load of the document, and waited for. */
  function watchLoads(node: Node | undefined, meanwhile: () => unknown): void {
    if (node === undefined) return
    const load = node.store.load.bind(node.store)
    node.store.load = async document => {
      if (document === 'x') await meanwhile()
      return load(document)
    }
  }

  /** Resolves when segments of a checkpoint that was replaced have been asked for. */
  function refusedSegments(node: Node | undefined): Promise<void> {
    if (node === undefined) return Promise.resolve()
    const { store } = node
    const segments = store.segments.bind(store)
    return new Promise(resolve => {
      store.segments = async (document, generation) => {
        const read = await segments(document, generation)
        if (read === null) setImmediate(resolve)
        return read
      }
    })
  }

  /** A checkpoint, as a node would write it that tells nobody. */
  async function overwrite(node: Node | undefined, document: string): Promise<void> {
    const { checkpoint, incarnation } = (await node?.store.load(document)) ?? {}
    if (checkpoint == null || incarnation == null) throw new Error('no checkpoint')
    const { generation: base, meta, segments } = checkpoint
    await node?.store.checkpoint({ document, incarnation, base, replaces: [], meta, segments })
  }

  /** What the node has of other documents' checkpoints goes, as it may keep none but the last. */
  let others = 0
  async function evict(node: Node | undefined): Promise<void> {
    const other = `other ${++others}`
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'other')
    await node?.server.apply(other, Y.encodeStateAsUpdate(doc))
    const source = await node?.store.load('x')
    if (source?.checkpoint == null) throw new Error('no checkpoint')
    const { incarnation = null, records = [] } = (await node?.store.load(other)) ?? {}
    await node?.store.checkpoint({
      ...{ document: other, incarnation, base: null, replaces: records.map(({ sequence }) => sequence) },
      ...{ meta: source.checkpoint.meta, segments: source.checkpoint.segments }
    })
    const reader = client(node, other)
    await until(() => text(reader) !== '', 'another document')
    reader.destroy()
  }

  test('what others write keeps no room open that nobody is in', async () => {
    const limits = { ...never, roomIdleMs: 300 }
    const [one, two] = await startNodes(database.address, createMemoryBroker(), [{ limits }, { limits }])
    const ada = await joined(one, 'x')
    const reader = await joined(two, 'x')
    type(ada, 'first ')
    await until(() => text(reader) !== '', 'the first word')
    const rooms = async () => /^chorus_rooms (\d+)$/m.exec((await two?.server.metrics()) ?? '')?.[1]
    expect(await rooms()).toBe('1')
    reader.destroy()

    await untilAsync(async () => {
      type(ada, 'w ')
      return (await rooms()) === '0'
    }, 'the room to close')
  })

  test.each([0, 1])(
    'what one node refuses, node %i compacting, ends the room on all nodes and the author on its own',
    async at => {
      const limits: { headsPollMs: number }[] = [never, never]
      limits[at] = eager
      const nodes = await startNodes(
        database.address,
        createMemoryBroker(),
        limits.map(each => ({ limits: each }))
      )
      const [one, two] = nodes
      const ada = await joined(one, 'x')
      const ben = await joined(two, 'x')
      const mallory = await joined(two, 'x')
      // All the levels that there may be, and then one more.
      ada.doc.transact(() => {
        for (let depth = 0; depth < typeDepthMax; depth++) innermost(ada.doc).set('k', new Y.Map())
      })
      await barrier(ada)
      await until(() => depthOf(mallory.doc) === typeDepthMax, 'the levels')
      innermost(mallory.doc).set('k', new Y.Map())
      await barrier(mallory)

      const writing = [ada, ben][at] as Client
      const isClosed = async () => {
        type(writing, `word${'.'.repeat(400)} `)
        return mallory.codes.length > 0
      }
      await untilAsync(isClosed, 'the author to be closed')

      expect(mallory.codes[0]).toBe(4500)
      await until(() => ada.codes.length > 0 && ben.codes.length > 0, 'everybody to be closed')
      expect([ada.codes[0], ben.codes[0]]).toEqual([1012, 1012])
      const aside = await one?.store.listSetAside('x')
      expect(aside?.[0]?.reason).toContain('could not be integrated')
    }
  )
})

function innermost(doc: Y.Doc): Y.Map<unknown> {
  let map = doc.getMap<unknown>('m')
  for (let next = map.get('k'); next instanceof Y.Map; next = map.get('k')) map = next
  return map
}

function depthOf(doc: Y.Doc): number {
  let depth = 0
  for (let next = doc.getMap<unknown>('m').get('k'); next instanceof Y.Map; next = next.get('k')) depth++
  return depth
}
