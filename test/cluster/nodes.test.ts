/**
 * Several servers on one PostgreSQL, with a bus that loses, doubles and delays messages, or is away: what clients of one
 * see of what clients of another wrote.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryBroker, type MemoryBroker } from '../../bus/index.ts'
import { createServer, type Server } from '../../src/server.ts'
import { barrier, type Client, connect, synced, until } from '../support/clients.ts'
import { provide, providerSynced, saved } from '../support/hocuspocus.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { quietLog } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'

let made = 0

describe.skipIf(postgresMissing !== null)('several nodes on PostgreSQL', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  /** Nodes on a schema of their own. */
  async function startNodes(count: number, broker: MemoryBroker) {
    const url = postgres.url(`nodes_${++made}`)
    const nodes: { server: Server; url: string }[] = []
    for (let i = 0; i < count; i++) {
      const bus = broker.connect(`node ${i}`)
      const server = createServer({ data: url, bus, log: quietLog, pages: null, authorize: 'none' })
      nodes.push({ server, url: await server.listen() })
      onTestFinished(async () => {
        await server.stop()
        await bus.close()
      })
    }
    return nodes
  }

  function client(url: string, room: string): Client {
    const made = connect(url, room)
    onTestFinished(made.destroy)
    return made
  }

  const text = ({ doc }: { doc: Client['doc'] }) => doc.getText('t').toString()
  const type = ({ doc }: { doc: Client['doc'] }, word: string) => doc.getText('t').insert(0, word)

  test('what a client of one node writes reaches the clients of the others, of both dialects', async () => {
    const [one, two, three] = await startNodes(3, createMemoryBroker())
    const ada = client(one?.url ?? '', 'notes')
    const ben = client(two?.url ?? '', 'notes')
    const cleo = provide(three?.url ?? '', 'notes')
    await Promise.all([synced(ada), synced(ben), providerSynced(cleo)])

    type(ada, 'a')
    type(ben, 'b')
    type(cleo, 'c')
    await saved(cleo)

    const all = [ada, ben, cleo]
    await until(() => all.every(each => text(each).length === 3), 'three letters everywhere')
    expect(new Set(all.map(text)).size).toBe(1)
  })

  test('with a bus that loses, doubles and delays, all end up with the same, nothing lost and nothing doubled', async () => {
    const faults = { loss: 0.3, repetition: 0.2, delayMinMs: 0, delayMaxMs: 30 }
    const nodes = await startNodes(3, createMemoryBroker({ random: randomOf(seed), faults }))
    const clients = nodes.map(({ url }) => client(url, 'lossy'))
    await Promise.all(clients.map(synced))

    for (let i = 0; i < 60; i++) type(clients[i % 3] as Client, `${i},`)
    await Promise.all(clients.map(barrier))

    const isWhole = () => clients.every(each => text(each).split(',').length === 61)
    await until(isWhole, `SEED=${seed}: every word everywhere`)
    expect(new Set(clients.map(text)).size).toBe(1)
    const words = text(clients[0] as Client)
      .split(',')
      .filter(word => word !== '')
    expect(words.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i))
  })

  test('while the bus is away, edits cross through the store', async () => {
    const broker = createMemoryBroker()
    const [one, two] = await startNodes(2, broker)
    const ada = client(one?.url ?? '', 'away')
    const ben = client(two?.url ?? '', 'away')
    await Promise.all([synced(ada), synced(ben)])
    broker.leave()

    type(ada, 'hello')
    await until(() => text(ben) === 'hello', 'the edit on the other node')
    type(ben, '!')
    await until(() => text(ada) === '!hello', 'the answer')
  })

  test('[C6] whoever goes to another node after each edit finds there what it wrote and what it saw', async () => {
    const broker = createMemoryBroker({ random: randomOf(seed), faults: { loss: 0.5 } })
    const nodes = await startNodes(3, broker)
    const random = randomOf(seed)
    const stayers = nodes.map(({ url }) => client(url, 'hops'))
    await Promise.all(stayers.map(synced))

    let seen = ''
    for (let hop = 0; hop < 12; hop++) {
      type(stayers[hop % 3] as Client, `s${hop} `)
      const node = nodes[Math.floor(random() * 3)]
      const visitor = connect(node?.url ?? '', 'hops')
      await synced(visitor)
      const found = text(visitor)
      const lacking = seen.split(' ').filter(word => !found.split(' ').includes(word))
      expect(lacking, `SEED=${seed}, hop ${hop}`).toEqual([])
      type(visitor, `v${hop} `)
      await barrier(visitor)
      seen = text(visitor)
      visitor.destroy()
    }
  })

  test('a new document that two nodes begin at once is one document', async () => {
    const [one, two] = await startNodes(2, createMemoryBroker())
    for (let i = 0; i < 10; i++) {
      const ada = client(one?.url ?? '', `new ${i}`)
      const ben = client(two?.url ?? '', `new ${i}`)
      type(ada, 'a')
      type(ben, 'b')
      await until(() => text(ada).length === 2 && text(ben).length === 2, 'both letters on both nodes')
      expect(text(ada)).toBe(text(ben))
    }
  })

  test('a document that is deleted on one node is deleted on the others', async () => {
    const [one, two] = await startNodes(2, createMemoryBroker())
    const ben = client(two?.url ?? '', 'gone')
    await synced(ben)
    type(ben, 'x')
    await barrier(ben)
    const closed = new Promise<number>(resolve => {
      ben.provider.on('connection-close', event => resolve(event?.code ?? 0))
    })

    await one?.server.delete('gone')

    expect(await closed).toBe(4404)
    expect(text({ doc: (await fresh(one?.url ?? '', 'gone')).doc })).toBe('')
  })

  async function fresh(url: string, room: string): Promise<Client> {
    const reader = client(url, room)
    await synced(reader)
    return reader
  }
})
