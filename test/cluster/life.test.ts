/** The life of one of several servers: what it needs to start, what it says, and what it leaves. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Log } from '../../src/base/log.ts'
import { systemTime, type Time } from '../../src/base/time.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'
import { barrier, connect, synced, until, untilAsync } from '../support/clients.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { quietLog } from '../support/server.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { freePort } from '../support/services/service.ts'

type Line = { readonly level: string; readonly message: string } & Readonly<Record<string, unknown>>

/** A log, and what was written to it. */
function recorded(): { readonly log: Log; readonly lines: readonly Line[] } {
  const lines: Line[] = []
  const write = (level: string): Log['warn'] => {
    return (fields, message) => void lines.push({ ...fields, level, message })
  }
  return {
    log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    lines
  }
}

async function readyz(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(`${url}/readyz`)
  return { code: response.status, ...((await response.json()) as object) }
}

test.each<[ServerOptions, string]>([
  [{}, 'data is "./chorus-data"'],
  [{ data: ':memory:' }, 'data is ":memory:"'],
  [{ data: 'file:///tmp/x' }, 'data is "file:///tmp/x"'],
  [{ store: createMemoryStore() }, 'store is a store of one server']
])('a bus beside %j is a TypeError that names both', (options, place) => {
  const bus = 'redis://ada:hunter2@localhost'

  expect(() => createServer({ ...options, bus })).toThrow(TypeError)
  expect(() => createServer({ ...options, bus })).toThrow(
    `createServer: bus is for several servers on the same documents, and ${place}`
  )
  expect(() => createServer({ ...options, bus })).not.toThrow('hunter2')
})

test('a server that is alone on a store of its own has no name but the one that it is given', async () => {
  const { log, lines } = recorded()
  const server = createServer({ data: ':memory:', nodeName: 'lonely', pages: null, log })
  onTestFinished(() => server.stop())
  const url = await server.listen()

  expect(await readyz(url)).toEqual({
    code: 200,
    status: 'ready',
    node: 'lonely',
    lastAppend: 'ok',
    uncompacted: 0
  })
  expect(await server.metrics()).toContain('\nchorus_node_info{node="lonely"} 1\n')
  expect(await server.metrics()).not.toMatch(/chorus_(bus|heads|own_records)/)
  expect(lines).toEqual([])
})

describe.skipIf(postgresMissing !== null)('on PostgreSQL', () => {
  let postgres: Postgres
  let made = 0
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  async function start(options: ServerOptions): Promise<{ readonly server: Server; readonly url: string }> {
    const server = createServer({ pages: null, log: quietLog, authorize: 'none', ...options })
    onTestFinished(() => server.stop())
    return { server, url: await server.listen() }
  }

  const place = () => postgres.url(`life_${++made}`)

  test('two servers without a bus lose nothing, say so, and have no presence between them', async () => {
    const data = place()
    const { log, lines } = recorded()
    const one = await start({ data, log, nodeName: 'one' })
    const two = await start({ data, log, nodeName: 'two' })
    const clients = [one, two].map(({ url }) => connect(url, 'shared'))
    onTestFinished(() => clients.forEach(({ destroy }) => void destroy()))
    await Promise.all(clients.map(synced))

    clients.forEach(({ doc }, i) => void doc.getText('t').insert(0, String(i)))
    await Promise.all(clients.map(barrier))

    const text = (i: number) => clients[i]?.doc.getText('t').toString() ?? ''
    await until(() => text(0).length === 2 && text(1) === text(0), 'both edits on both servers')
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { node: 'one', message: expect.stringContaining('there is no bus') },
      { node: 'two', message: expect.stringContaining('there is no bus') }
    ])
    expect(await readyz(one.url)).toMatchObject({ code: 200, status: 'ready', node: 'one' })
    expect(await readyz(one.url)).not.toHaveProperty('bus')
  })

  test('it starts while the broker is away, says so, and is degraded', async () => {
    const { log, lines } = recorded()
    const bus = `redis://ada:hunter2@127.0.0.1:${await freePort()}`

    const { url, server } = await start({ data: place(), bus, nodeName: 'early', log })

    expect(await readyz(url)).toMatchObject({ code: 200, status: 'degraded', node: 'early', bus: 'away' })
    await until(() => lines.some(({ message }) => message.startsWith('the bus is away')), 'the warning')
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'warn', node: 'early', reason: 'ECONNREFUSED' })
    )
    expect(JSON.stringify(lines)).not.toContain('hunter2')
    const client = connect(url, 'alone')
    onTestFinished(client.destroy)
    await synced(client)
    client.doc.getText('t').insert(0, 'x')
    await barrier(client)
    await server.stop()
  })

  test.each<[string, string]>([
    ['redis://ada:hunter2@', 'BUS_ARGUMENT'],
    ['kafka://ada:hunter2@localhost', 'BUS_ARGUMENT']
  ])(
    'an address that is none (%s) is told of, without its password, and nothing is left',
    async (bus, code) => {
      const before = timers()
      const server = createServer({ data: place(), bus, pages: null, log: quietLog })

      const error = await server.listen().catch((reason: unknown) => reason as Error)

      expect(error).toMatchObject({ name: 'BusError', code })
      expect(String(error)).not.toContain('hunter2')
      expect(timers()).toBeLessThanOrEqual(before)
    }
  )

  test('a bus is closed again when the store cannot be opened', async () => {
    const before = timers()
    const bus = `redis://127.0.0.1:${await freePort()}`
    const data = 'postgres://nobody@127.0.0.1/x?schema=%00'
    const server = createServer({ data, bus, pages: null, log: quietLog })

    await expect(server.listen()).rejects.toMatchObject({ name: 'StoreError' })

    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('a stop leaves no timer, and a bus of the application stays the application’s', async () => {
    const broker = createMemoryBroker()
    const bus = broker.connect('mine')
    const { time, waiting } = countedTime()
    const { server, url } = await start({ data: place(), bus, time })
    await untilAsync(async () => (await readyz(url)).status === 'ready', 'the bus to be well')

    const whileItRan = waiting()
    await server.stop()

    expect(whileItRan).toBeGreaterThan(0)
    expect(waiting()).toBe(0)
    expect(bus.publish('topic', Uint8Array.of(1))).toBe(true)
    await bus.close()
  })

  test('two stores on one broker are two clusters: neither hears the other', async () => {
    const broker = createMemoryBroker()
    const nodes = await Promise.all(
      ['one', 'two'].map(name => start({ data: place(), bus: broker.connect(name), statelessRelay: true }))
    )
    const clients = await Promise.all(nodes.map(({ url }) => openHocuspocus(url)))
    await Promise.all(clients.map(each => each.join('same')))
    await untilAsync(async () => {
      const all = await Promise.all(nodes.map(({ url }) => readyz(url)))
      return all.every(({ status }) => status === 'ready')
    }, 'both to be ready')
    const told = () => clients.map(each => each.heard('same').filter(what => what.startsWith('stateless')))

    nodes.forEach(({ server }, i) => void server.broadcastStateless('same', `of ${i}`))
    // What comes from the other one would have been on its way before these echoes.
    const beats = async ({ server }: { server: Server }) =>
      Number(/received"\} (\d+)/.exec(await server.metrics())?.[1] ?? 0)
    const before = await Promise.all(nodes.map(beats))
    await untilAsync(async () => {
      const now = await Promise.all(nodes.map(beats))
      return now.every((count, i) => count >= (before[i] ?? 0) + 2)
    }, 'two more beats of each')
    expect(told()).toEqual([['stateless: of 0'], ['stateless: of 1']])
  })
})

/** The system's time, and how many of the server's timers wait. */
function countedTime(): { readonly time: Time; readonly waiting: () => number } {
  const waiting = new Set<object>()
  const after: Time['after'] = (delayMs, run) => {
    const timer = {}
    waiting.add(timer)
    const cancel = systemTime.after(delayMs, () => {
      waiting.delete(timer)
      run()
    })
    return () => {
      waiting.delete(timer)
      cancel()
    }
  }
  return { time: { ...systemTime, after }, waiting: () => waiting.size }
}

function timers(): number {
  return process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
}
