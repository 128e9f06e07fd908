/**
 * A bus over Redis (or what speaks as it does): one server, a master that Sentinels know, or a Cluster with sharded pub/sub.
 * Two connections, as what waits to be published must not hold up what arrives.
 */
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { type Address, checkParameters, wrong } from './address.ts'
import { bounds } from './bounds.ts'
import { BrokerBus, type Link, type LinkEvents, type Pace } from './broker-bus.ts'
import type { Bus, BusOptions } from './bus.ts'
import { asBuffer } from './bytes.ts'
import { loadClient, reasonOf } from './client.ts'

type Client = Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>

/** Without what this bus does not ask for, and the client has types of its own about. */
type Options = Omit<RedisOptions, 'replyMapping'>

const packageName = 'ioredis'

/**
 * `redis://[user:password@]host[:port]`, `rediss://` with TLS. Several hosts and `?cluster=sharded`: some nodes of a Cluster.
 * `redis+sentinel://[user:password@]host[:port],host[:port]/name`: Sentinels, and how they call the master. With `rediss+…`
 * both speak TLS.
 */
export async function openRedisBus(address: Address, options: BusOptions & Pace = {}): Promise<Bus> {
  checkRedis(address)
  const client = await loadClient(packageName, () => import('ioredis'))
  const connect = isCluster(address) ? connectToCluster : connectToOne
  return new BrokerBus(
    (events, signal) => connect({ client, address, name: options.name, events, signal }),
    options
  )
}

type Connecting = {
  readonly client: Client
  readonly address: Address
  readonly name: string | undefined
  readonly events: LinkEvents
  readonly signal: AbortSignal
}

function isCluster({ parameters }: Address): boolean {
  return parameters.get('cluster') === 'sharded'
}

function isSentinel({ scheme }: Address): boolean {
  return scheme.endsWith('+sentinel')
}

function checkRedis(address: Address): void {
  checkParameters(address, ['cluster'])
  const cluster = address.parameters.get('cluster')
  if (cluster !== undefined && cluster !== 'sharded') throw wrong('cluster is sharded, or absent')
  if (isSentinel(address)) {
    if (cluster !== undefined) throw wrong('a Cluster has no Sentinels')
    if (address.path === null || address.path === '')
      throw wrong('after the Sentinels follows /name of their master')
    return
  }
  if (address.hosts.length > 1 && cluster === undefined) throw wrong('several hosts need ?cluster=sharded')
  // A database would promise a separation that pub/sub has not: channels are those of the whole server.
  if (address.path !== null && address.path !== '')
    throw wrong('pub/sub knows no databases; leave out what follows the host')
}

/** Each link is used once: nothing is tried again inside of it, and nothing waits for another one. */
function optionsOf({ address, name }: Connecting): Options {
  const tls = address.scheme.startsWith('rediss') ? { tls: {} } : {}
  return {
    ...(address.user === null ? {} : { username: address.user }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(name === undefined ? {} : { connectionName: name }),
    ...tls,
    protocol: 2,
    connectTimeout: bounds.connectMs,
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: null
  }
}

async function connectToOne(connecting: Connecting): Promise<Link> {
  const publisher = newRedis(connecting)
  const subscriber = newRedis(connecting)
  const clients = [publisher, subscriber]
  const { events } = connecting
  await connectAll(clients, connecting)
  subscriber.on('messageBuffer', (channel: Buffer, bytes: Buffer) =>
    events.onMessage(channel.toString('latin1'), bytes)
  )
  return linkOf(
    clients,
    {
      publish: (channel, bytes) => publisher.publish(channel, bytes),
      subscribe: channels => subscriber.subscribe(...channels),
      unsubscribe: channel => subscriber.unsubscribe(channel),
      ping: () => Promise.all([publisher.ping(), subscriber.ping()])
    },
    events
  )
}

function newRedis(connecting: Connecting): Redis {
  const { client, address } = connecting
  const options = optionsOf(connecting)
  const [first] = address.hosts
  if (!isSentinel(address)) return new client.Redis({ ...options, ...first })
  return new client.Redis({
    ...options,
    sentinels: [...address.hosts],
    name: address.path ?? '',
    sentinelRetryStrategy: null as unknown as () => null,
    ...(address.scheme.startsWith('rediss') ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {})
  })
}

/** Sharded: each channel lives on one shard, and only there its messages go. */
async function connectToCluster(connecting: Connecting): Promise<Link> {
  const { client, address, events } = connecting
  const { retryStrategy: _, enableOfflineQueue: __, ...redisOptions } = optionsOf(connecting)
  const cluster = new client.Cluster([...address.hosts], {
    redisOptions,
    shardedSubscribers: true,
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: null,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    maxRedirections: 3,
    slotsRefreshTimeout: bounds.connectMs
  })
  await connectAll([cluster], connecting)
  cluster.on('smessageBuffer', (channel: Buffer, bytes: Buffer) =>
    events.onMessage(channel.toString('latin1'), bytes)
  )
  // A node that has gone takes the subscriptions of its slots with it.
  cluster.on('-node', () => events.onLost('a node of the Cluster has gone'))
  return linkOf(
    [cluster],
    {
      publish: (channel, bytes) => cluster.spublish(channel, bytes),
      subscribe: channels => Promise.all(channels.map(channel => cluster.ssubscribe(channel))),
      unsubscribe: channel => cluster.sunsubscribe(channel),
      ping: () => Promise.all(cluster.nodes('master').map(node => node.ping()))
    },
    events
  )
}

/** Rejects with why there is no connection; then none of them is left. */
async function connectAll(
  clients: readonly (Redis | Cluster)[],
  { events, signal }: Connecting
): Promise<void> {
  let failure: unknown
  for (const client of clients) {
    client.on('error', (error: unknown) => {
      failure ??= error
    })
    client.once('end', () => events.onLost(failure === undefined ? 'ended' : reasonOf(failure)))
  }
  const abandon = () => {
    for (const client of clients) client.disconnect()
  }
  signal.addEventListener('abort', abandon, { once: true })
  try {
    signal.throwIfAborted()
    await Promise.all(clients.map(client => client.connect()))
  } catch (error) {
    abandon()
    // What connect() says is only that it is closed.
    throw failure ?? error
  } finally {
    signal.removeEventListener('abort', abandon)
  }
}

type Commands = {
  publish(channel: string, bytes: Buffer): Promise<unknown>
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
}

function linkOf(clients: readonly (Redis | Cluster)[], commands: Commands, events: LinkEvents): Link {
  const abandon = () => {
    for (const client of clients) client.disconnect()
  }
  return {
    publish: (channel, bytes) => {
      const sent = () => events.onSent(1, bytes.length)
      commands.publish(channel, asBuffer(bytes)).then(sent, error => {
        sent()
        if (isRefusal(error)) events.onRefused(reasonOf(error))
      })
    },
    subscribe: async channels => {
      await commands.subscribe(channels)
    },
    unsubscribe: channel => {
      // With a connection that ends, its subscriptions end.
      commands.unsubscribe(channel).catch(() => {})
    },
    ping: async () => {
      await commands.ping()
    },
    close: async () => {
      await commands.ping()
      abandon()
    },
    abandon
  }
}

/** An answer of the server, such as NOPERM; not the end of a connection. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
