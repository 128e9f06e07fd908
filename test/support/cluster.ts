/**
 * Nodes as real processes of the command, on one real PostgreSQL and one real broker, with links to spoil: of the first
 * node to its database and its broker, and of clients to nodes. Whoever starts a cluster stops it.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until, untilAsync } from './clients.ts'
import { type Link, startLink } from './link.ts'
import { launchServer, type ServerProcess } from './server.ts'
import { natsPath, startNats } from './services/nats.ts'
import { type Postgres, startPostgres } from './services/postgres.ts'
import { rabbitPath, startRabbit } from './services/rabbitmq.ts'
import { redisPath, startRedis } from './services/redis.ts'
import type { Service } from './services/service.ts'

/** `path`: null where it is not installed. */
export const brokers = {
  redis: { path: redisPath, start: () => startRedis() },
  nats: { path: natsPath, start: () => startNats() },
  rabbitmq: { path: rabbitPath, start: () => startRabbit() }
} as const

export type BrokerName = keyof typeof brokers

export type ClusterNode = {
  readonly name: string
  /** Another one after a restart. */
  url(): string
  /** What it said on standard error, in all its lives. */
  log(): string
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGTERM; resolves to the exit code. */
  terminate(): Promise<number | null>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Its wall clock is ahead by so much, or behind (below 0), until it is set again or another process of it starts. */
  setClock(aheadMs: number): Promise<void>
  /** Resolves when it listens; at once if it runs. */
  start(): Promise<void>
}

export type Cluster = {
  /** The one that nodes are on: another one after `moveTo`. */
  readonly postgres: Postgres
  readonly broker: Service
  /** The store's address. */
  readonly data: string
  /** Its name in the database. */
  readonly schema: string
  readonly nodes: readonly ClusterNode[]
  /** Of the first node. */
  readonly toDatabase: Link
  readonly toBroker: Link
  /** Where clients connect: each leads to one node, and to the next ones while that one does not listen. */
  readonly doors: readonly Link[]
  /** Connections of nodes lead to this PostgreSQL from now on, and it is stopped with the cluster; the one before is stopped. */
  moveTo(next: Postgres): Promise<void>
  /** Everything runs, and every node says so. */
  mend(): Promise<void>
  stop(): Promise<void>
}

type Settings = { readonly broker: BrokerName; readonly schema?: string; readonly args?: readonly string[] }

const names = ['one', 'two', 'three']
const wallClock = join(import.meta.dirname, 'wall-clock.js')

export async function startCluster({
  broker: kind,
  schema = 'faults',
  args = []
}: Settings): Promise<Cluster> {
  const [first, broker] = await Promise.all([startPostgres(), brokers[kind].start()])
  let postgres = first
  const directory = mkdtempSync(join(tmpdir(), 'chorus-nodes-'))
  const toDatabase = await startLink(() => [postgres.port])
  const othersToDatabase = await startLink(() => [postgres.port])
  const toBroker = await startLink(() => [broker.port])
  const start = (name: string, isFirst: boolean) => {
    const data = postgres.url(schema, (isFirst ? toDatabase : othersToDatabase).port)
    const bus = isFirst ? withPort(broker.url, toBroker.port) : broker.url
    return startNode(name, directory, ['--data', data, '--bus', bus, ...args])
  }
  const nodes = await Promise.all(names.map((name, i) => start(name, i === 0)))
  const portOf = (i: number) => Number(new URL(nodes[i % nodes.length]?.url() ?? '').port)
  const doors = await Promise.all(
    nodes.map((_, i) => startLink(() => [portOf(i), portOf(i + 1), portOf(i + 2)]))
  )
  const links = [toDatabase, othersToDatabase, toBroker, ...doors]
  return {
    get postgres() {
      return postgres
    },
    broker,
    data: postgres.url(schema, othersToDatabase.port),
    schema,
    nodes,
    toDatabase,
    toBroker,
    doors,
    moveTo: async next => {
      const before = postgres
      postgres = next
      for (const link of [toDatabase, othersToDatabase]) link.cut()
      await before.stop()
    },
    mend: async () => {
      for (const link of links) link.flow()
      postgres.signal('SIGCONT')
      // After a test that failed midway.
      if (!(await listens(postgres.port))) await postgres.start()
      if (!(await listens(broker.port))) await broker.restart()
      await Promise.all(nodes.map(node => node.start()))
      await Promise.all(nodes.map(node => untilReady(node.url())))
    },
    stop: async () => {
      await Promise.all(nodes.map(node => node.kill()))
      for (const link of links) link.close()
      postgres.signal('SIGCONT')
      await Promise.all([postgres.stop(), broker.stop()])
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** `directory`: for its files. */
async function startNode(name: string, directory: string, args: readonly string[]): Promise<ClusterNode> {
  const clock = join(directory, name)
  const all = ['--port', '0', '--node-name', name, '--auth', 'none', '--log-level', 'info', ...args]
  const launch = () => launchServer(all, { env: { CHORUS_CLOCK: clock }, preload: [wallClock] })
  let server: ServerProcess = await launch()
  let past = ''
  const hasEnded = () => server.process.exitCode !== null || server.process.signalCode !== null
  return {
    name,
    url: () => server.url,
    log: () => past + server.errors(),
    kill: () => server.kill(),
    terminate: () => server.terminate(),
    signal: signal => void server.process.kill(signal),
    setClock: async aheadMs => {
      const said = () => server.errors().split(`the wall clock is ahead by ${aheadMs} ms`).length
      const before = said()
      writeFileSync(clock, String(aheadMs))
      server.process.kill('SIGUSR2')
      await until(() => said() > before, 'the clock to be set')
    },
    start: async () => {
      server.process.kill('SIGCONT')
      if (!hasEnded()) return
      past += server.errors()
      server = await launch()
    }
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  // `once` rejects on an error.
  const isConnected = await once(socket, 'connect').then(
    () => true,
    () => false
  )
  socket.destroy()
  return isConnected
}

/** With the store and the bus. */
export function untilReady(url: string): Promise<void> {
  return untilStatus(url, 'ready')
}

export async function untilStatus(url: string, status: 'ready' | 'degraded'): Promise<void> {
  let last = ''
  const isIt = async () => {
    const answer = await fetch(`${url}/readyz`).then(
      response => response.json() as Promise<{ status: string }>,
      (error: unknown) => ({ status: String(error) })
    )
    last = JSON.stringify(answer)
    return answer.status === status
  }
  await untilAsync(isIt, `${url} to be ${status}`).catch(error => {
    throw new Error(`${String(error)}; it says ${last}`)
  })
}

export function withPort(url: string, port: number): string {
  const changed = new URL(url)
  changed.port = String(port)
  return changed.href
}
