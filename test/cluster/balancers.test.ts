/**
 * HAProxy and nginx, with the settings of docs/scaling.md, in front of three nodes: clients of both dialects, a node that
 * dies, one that is drained, and who a node believes that a client is.
 */
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { defaultLimits } from '../../src/base/limits.ts'
import { until, untilAsync } from '../support/clients.ts'
import { brokers, type Cluster, startCluster } from '../support/cluster.ts'
import {
  type Balancer,
  type BalancerName,
  balancerPath,
  settingsOf,
  startBalancer
} from '../support/services/balancers.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { openWriter, type Writer } from '../support/writer.ts'

const names = ['haproxy', 'nginx'] as const
const isMissing = postgresMissing !== null || brokers.redis.path === null

describe.skipIf(isMissing).each(names)('%s in front of three nodes', name => {
  describe.skipIf(balancerPath(name) === null)('', () => {
    let cluster: Cluster
    let balancer: Balancer
    beforeAll(async () => {
      // The trusted proxy is on this machine; with debug, connections are logged with their address.
      cluster = await startCluster({
        broker: 'redis',
        args: ['--trust-proxy', '127.0.0.1/32', '--log-level', 'debug']
      })
      balancer = await startBalancer(
        name,
        cluster.nodes.map(node => Number(new URL(node.url()).port))
      )
      await cluster.mend()
    })
    afterAll(async () => {
      await balancer?.stop()
      await cluster?.stop()
    })

    test('a node sees the address of the client, whatever the client says of itself', async () => {
      const addresses = () => new Set(cluster.nodes.flatMap(node => addressesIn(node.log())))
      const socket = new WebSocket(`${balancer.url.replace('http', 'ws')}/who`, {
        headers: { 'x-forwarded-for': '203.0.113.9' },
        localAddress: '127.0.0.7'
      })
      onTestFinished(() => socket.terminate())
      await once(socket, 'open')
      await until(() => addresses().has('127.0.0.7'), 'the client in the log of a node')

      expect(addresses()).not.toContain('203.0.113.9')
    })

    // nginx asks nothing.
    if (name === 'haproxy') {
      test('a node that cannot write gets no new clients until it can', async () => {
        cluster.toDatabase.stall('up')
        onTestFinished(() => cluster.toDatabase.flow())
        await until(
          () => /nodes\/one is DOWN, reason: Layer7/.test(balancer.log()),
          'the first node to be left out'
        )
        await everyoneGetsIn(balancer)

        cluster.toDatabase.flow()
        await until(
          () => /nodes\/one is UP, reason: Layer7/.test(balancer.log()),
          'the first node to be back'
        )
      })
    }

    test('clients of both dialects go on while a node dies and another is drained', async () => {
      const writers = Array.from({ length: 6 }, (_, i) =>
        openWriter({ url: balancer.url, room: 'balanced', name: `writer ${i}` }, i)
      )
      onTestFinished(() => {
        for (const each of writers) each.leave()
      })
      await until(() => writers.every(each => each.isSynced()), 'everybody synced')
      const [one, two, three] = cluster.nodes as [Node, Node, Node]
      for (const node of [one, two, three]) expect(await connectionsOf(node)).toBeGreaterThan(0)
      await wordsReachAll(writers)

      await one.kill()
      await everyoneGetsIn(balancer)
      await wordsReachAll(writers)
      const ended = two.terminate()
      await everyoneGetsIn(balancer)
      expect(await ended).toBe(0)
      await wordsReachAll(writers)

      await untilAsync(async () => (await connectionsOf(three)) === 6, 'all at the node that is left')
      for (const each of writers) {
        await untilAsync(async () => {
          await each.ask()
          return each.acknowledged() === each.typed()
        }, `everything of ${each.name} acknowledged`)
        expect(each.wrong()).toEqual([])
      }
    })
  })
})

type Node = Cluster['nodes'][number]

test.each(names)('%s keeps a connection for longer than the server is silent', name => {
  expect(Math.min(...idleMsOf(name))).toBeGreaterThan(2 * defaultLimits.keepAliveMs)
})

/** What ends a connection on which nothing comes. */
function idleMsOf(name: BalancerName): number[] {
  const form =
    name === 'haproxy' ? /timeout (?:client|server|tunnel) +(\d+)s/g : /proxy_(?:read|send)_timeout (\d+)s/g
  const found = [...settingsOf(name).matchAll(form)].map(([, seconds]) => Number(seconds) * 1_000)
  expect(found.length).toBeGreaterThan(1)
  return found
}

/** Each types until everybody has a new word of everybody, whoever is on his way to another node meanwhile. */
async function wordsReachAll(writers: readonly Writer[]): Promise<void> {
  const marks = new Map(writers.map(each => [each.name, each.typed()]))
  for (const each of writers) each.type()
  const lags = () =>
    writers.flatMap(each => [...marks].filter(([author, typed]) => (each.seen().get(author) ?? 0) <= typed))
  await until(() => lags().length === 0, 'a new word of everybody at everybody')
}

/** As every client, a visitor tries again: on a busy machine a balancer may take a node that is slow for one that is gone. */
async function everyoneGetsIn({ url }: Balancer): Promise<void> {
  const getsIn = async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/visit`)
    try {
      await once(socket, 'open')
      return true
    } catch {
      // It was refused with a status of the balancer.
      return false
    } finally {
      socket.on('error', () => {})
      socket.terminate()
    }
  }
  for (let i = 0; i < 12; i++) await untilAsync(getsIn, 'a visitor to get in')
}

async function connectionsOf(node: Node): Promise<number> {
  const text = await (await fetch(`${node.url()}/metrics`)).text()
  return Number(/^chorus_connections(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1])
}

function addressesIn(log: string): string[] {
  return log
    .split('\n')
    .filter(line => line.includes('connection opened'))
    .map(line => String((JSON.parse(line) as { address?: unknown }).address))
}
