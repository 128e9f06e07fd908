/** Redis that is more than one server, or asks who one is: Sentinels, a Cluster with sharded pub/sub, access rules. */
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Address, parseAddress } from '../../bus/address.ts'
import type { Bus, BusReport } from '../../bus/bus.ts'
import { busConformanceCases } from '../../bus/conformance.ts'
import { connected, Ear, sayUntilHeard } from '../../bus/conformance-case.ts'
import { openBus } from '../../bus/open.ts'
import { openRedisBus } from '../../bus/redis.ts'
import { temporaryDirectory } from '../support/server.ts'
import { redisPath, startRedis, startSentinel } from '../support/services/redis.ts'
import { freePort, type Service } from '../support/services/service.ts'

const quick = { pingMs: 200, redialMs: 50, dialMs: 2_000 }
const text = (value: string) => Buffer.from(value)

async function redis(settings: readonly string[] = []): Promise<Service> {
  const service = await startRedis(settings)
  onTestFinished(() => service.stop())
  return service
}

async function node(address: Address): Promise<Bus> {
  const bus = await openRedisBus(address, quick)
  onTestFinished(() => bus.close())
  await connected(bus)
  return bus
}

/** Asks a server by hand. */
async function command(port: number, ...words: readonly string[]): Promise<string> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    protocol: 2,
    enableReadyCheck: false
  })
  client.on('error', () => {})
  await client.connect()
  const [name = '', ...rest] = words
  const answer = await client.call(name, ...rest)
  client.disconnect()
  return String(answer)
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 20))
}

describe.skipIf(redisPath === null)('kinds of Redis', () => {
  test('Sentinels: the master is lost, another takes over, and the subscriptions are there', async () => {
    const master = await redis()
    const replica = await redis(['--replicaof', '127.0.0.1', String(master.port)])
    await until(async () =>
      (await command(replica.port, 'INFO', 'replication')).includes('master_link_status:up')
    )
    const sentinel = await startSentinel([
      `sentinel monitor mine 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds mine 300',
      'sentinel failover-timeout mine 2000'
    ])
    onTestFinished(() => sentinel.stop())
    await until(async () =>
      (await command(sentinel.port, 'SENTINEL', 'replicas', 'mine')).includes(String(replica.port))
    )
    const address = parseAddress(`redis+sentinel://127.0.0.1:${sentinel.port}/mine`, 26_379)
    const [a, b] = [await node(address), await node(address)]
    const ear = new Ear()
    b.subscribe('t', ear.hear)
    const say = (word: string) =>
      sayUntilHeard(
        () => void a.publish('t', text(word)),
        ear.until(all => all.includes(word))
      )
    await say('before')

    await master.kill()
    await say('after')

    expect(await command(replica.port, 'ROLE')).toMatch(/^master/)
  }, 60_000)

  test('a Cluster: sharded pub/sub passes the suite, and each channel lives on one shard', async () => {
    const shards = await cluster()
    const url = `redis://${shards.map(({ port }) => `127.0.0.1:${port}`).join(',')}?cluster=sharded`
    for (const { run } of busConformanceCases) await run({ connect: options => openBus(url, options) })
    const [a, b] = [await node(parseAddress(url, 6379)), await node(parseAddress(url, 6379))]
    const ears = Array.from({ length: 30 }, (_, index) => {
      const ear = new Ear()
      b.subscribe(`t${index}`, ear.hear)
      return ear
    })

    await sayUntilHeard(
      () => ears.forEach((_, index) => void a.publish(`t${index}`, text('x'))),
      Promise.all(ears.map(ear => ear.until(all => all.length > 0))).then()
    )

    const counts = await Promise.all(
      shards.map(async ({ port }) => (await command(port, 'PUBSUB', 'SHARDCHANNELS')).split(',').length)
    )
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(30)
    expect(Math.max(...counts)).toBeLessThan(30)
  }, 60_000)

  test('a Cluster of which a shard is killed and comes back: every channel is heard again', async () => {
    const shards = await cluster()
    const url = `redis://${shards.map(({ port }) => `127.0.0.1:${port}`).join(',')}?cluster=sharded`
    const [a, b] = [await node(parseAddress(url, 6379)), await node(parseAddress(url, 6379))]
    const topics = Array.from({ length: 12 }, (_, index) => `t${index}`)
    const ears = topics.map(topic => {
      const ear = new Ear()
      b.subscribe(topic, ear.hear)
      return ear
    })
    const sayAll = (word: string) =>
      sayUntilHeard(
        () => topics.forEach(topic => void a.publish(topic, text(word))),
        Promise.all(ears.map(ear => ear.until(all => all.includes(word)))).then()
      )
    await sayAll('before')

    await shards[1]?.kill()
    await shards[1]?.restart()
    await sayAll('after')
  }, 60_000)

  test('access rules: a wrong password and a forbidden channel are said in a word', async () => {
    const { port } = await redis()
    const all = ['on', '>right', '+@all']
    await command(port, 'ACL', 'SETUSER', 'ada', ...all, '&y-chorus.*')
    await command(port, 'ACL', 'SETUSER', 'bob', ...all, '&other')
    const reports: BusReport[] = []
    const open = async (credentials: string) => {
      const address = parseAddress(`redis://${credentials}@127.0.0.1:${port}`, 6379)
      const bus = await openRedisBus(address, { ...quick, onReport: report => void reports.push(report) })
      onTestFinished(() => bus.close())
      return bus
    }

    const [ada, wrong, bob] = [await open('ada:right'), await open('ada:hunter2'), await open('bob:right')]
    await connected(ada)
    await until(async () => JSON.stringify(wrong.status()).includes('WRONGPASS'))
    await connected(bob)
    bob.publish('t', text('x'))
    bob.subscribe('t', () => {})
    await until(async () => reports.length >= 2)

    expect(wrong.status()).toEqual({ state: 'away', reason: 'WRONGPASS' })
    expect(reports).toEqual([
      { type: 'refused', reason: 'NOPERM' },
      { type: 'refused', reason: 'NOPERM' }
    ])
  })
})

/** Three shards without replicas, every slot served. */
async function cluster(): Promise<Service[]> {
  const directory = temporaryDirectory()
  const shards: Service[] = []
  for (let index = 0; index < 3; index++) {
    const bus = ['--cluster-port', String(await freePort())]
    const file = ['--cluster-config-file', join(directory, `${index}.conf`)]
    shards.push(
      await redis(['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'no', ...bus, ...file])
    )
  }
  const [first] = shards
  const bounds = [0, 5_461, 10_923, 16_384]
  for (const [index, { port }] of shards.entries()) {
    const [from = 0, to = 0] = bounds.slice(index)
    await command(port, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(to - 1))
  }
  for (const { port } of shards.slice(1)) {
    const file = await command(port, 'CONFIG', 'GET', 'cluster-port')
    await command(first?.port ?? 0, 'CLUSTER', 'MEET', '127.0.0.1', String(port), file.split(',')[1] ?? '')
  }
  for (const { port } of shards) {
    await until(async () => {
      const info = await command(port, 'CLUSTER', 'INFO')
      return (
        /cluster_state:ok/.test(info) &&
        /cluster_known_nodes:3/.test(info) &&
        /cluster_slots_ok:16384/.test(info)
      )
    })
  }
  return shards
}
