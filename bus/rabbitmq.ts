/**
 * A bus over RabbitMQ: one direct exchange for everybody, one exclusive queue for each node, and a routing key for each topic.
 * Nothing of it outlives its connection but the exchange.
 */
import type { AsyncMessage, Channel, Connection, ConnectionOptions } from 'rabbitmq-client'
import { type Address, checkParameters } from './address.ts'
import { bounds } from './bounds.ts'
import { BrokerBus, type Link, type LinkEvents, type Pace } from './broker-bus.ts'
import type { Bus, BusOptions } from './bus.ts'
import { asBuffer } from './bytes.ts'
import { loadClient, reasonOf } from './client.ts'

const packageName = 'rabbitmq-client'
const exchange = 'y-chorus'

/** `amqp://[user:password@]host[:port],…[/vhost]`, `amqps://` with TLS. */
export async function openRabbitBus(address: Address, options: BusOptions & Pace = {}): Promise<Bus> {
  checkParameters(address, [])
  const client = await loadClient(packageName, () => import('rabbitmq-client'))
  const settings = settingsOf(address, options.name)
  let attempts = 0
  const dial = async (events: LinkEvents, signal: AbortSignal) => {
    // A connection is used once and would begin with the first host each time.
    const hosts = rotated(settings.hosts ?? [], attempts++)
    signal.throwIfAborted()
    return connect(new client.Connection({ ...settings, hosts }), { events, signal })
  }
  return new BrokerBus(dial, options)
}

function settingsOf(
  { scheme, hosts, user, password, path }: Address,
  name: string | undefined
): ConnectionOptions {
  return {
    hosts: hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
    ...(user === null ? {} : { username: user }),
    ...(password === null ? {} : { password }),
    ...(path === null || path === '' ? {} : { vhost: path }),
    ...(name === undefined ? {} : { connectionName: name }),
    tls: scheme === 'amqps',
    acquireTimeout: bounds.connectMs,
    connectionTimeout: bounds.connectMs,
    // The bus asks more often itself. This is for the broker, to know that a node has gone.
    heartbeat: 10
  }
}

function rotated<Value>(values: readonly Value[], by: number): Value[] {
  const at = by % Math.max(1, values.length)
  return [...values.slice(at), ...values.slice(0, at)]
}

async function connect(
  connection: Connection,
  { events, signal }: { events: LinkEvents; signal: AbortSignal }
): Promise<Link> {
  let failure: unknown
  const failed = new Promise<never>((_, reject) => {
    connection.on('error', (error: unknown) => {
      failure = error
      reject(error)
      events.onLost(reasonOf(error))
    })
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  failed.catch(() => {})
  try {
    return await Promise.race([failed, linkOver(connection, events)])
  } catch (error) {
    connection.unsafeDestroy()
    throw failure ?? error
  }
}

async function linkOver(connection: Connection, events: LinkEvents): Promise<Link> {
  await connection.onConnect(bounds.connectMs, true)
  const publishing = await connection.acquire()
  await publishing.exchangeDeclare({ exchange, type: 'direct', durable: false })
  const consuming = await connection.acquire()
  const { queue } = await consuming.queueDeclare({
    // The broker names it.
    queue: '',
    exclusive: true,
    autoDelete: true,
    arguments: {
      'x-max-length': bounds.brokerQueueMessagesMax,
      'x-max-length-bytes': bounds.brokerQueueBytesMax,
      'x-overflow': 'drop-head'
    }
  })
  for (const channel of [publishing, consuming]) channel.once('close', () => events.onLost('CH_CLOSE'))
  consuming.once('basic.cancel', () => events.onLost('CANCEL_FORCED'))
  await consuming.basicConsume({ queue, noAck: true, exclusive: true }, message => receive(message, events))
  return new RabbitLink({ connection, publishing, consuming, queue, events })
}

/** Our own messages have no type, so that the client leaves their bytes alone. */
function receive({ routingKey, body }: AsyncMessage, events: LinkEvents): void {
  if (Buffer.isBuffer(body)) events.onMessage(routingKey, body)
}

type Parts = {
  readonly connection: Connection
  readonly publishing: Channel
  readonly consuming: Channel
  readonly queue: string
  readonly events: LinkEvents
}

class RabbitLink implements Link {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  publish(channel: string, bytes: Uint8Array): void {
    const { publishing, events } = this.#parts
    const sent = () => events.onSent(1, bytes.length)
    // Settles when the socket has taken it. What cannot be sent ends the channel, which it says itself.
    publishing.basicPublish({ exchange, routingKey: channel }, asBuffer(bytes)).then(sent, sent)
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    const { consuming, queue } = this.#parts
    await Promise.all(channels.map(routingKey => consuming.queueBind({ exchange, queue, routingKey })))
  }

  unsubscribe(channel: string): void {
    const { consuming, queue } = this.#parts
    // With a connection that ends, its queue ends.
    consuming.queueUnbind({ exchange, queue, routingKey: channel }).catch(() => {})
  }

  /** The exchange is there: both connections of the client are the same socket, and so one question is enough. */
  async ping(): Promise<void> {
    await this.#parts.publishing.exchangeDeclare({ exchange, type: 'direct', durable: false })
  }

  async close(): Promise<void> {
    const { connection, publishing, consuming } = this.#parts
    await Promise.all([publishing.close(), consuming.close()])
    await connection.close()
  }

  abandon(): void {
    this.#parts.connection.unsafeDestroy()
  }
}
