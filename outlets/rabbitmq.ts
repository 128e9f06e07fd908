/**
 * The outlet to RabbitMQ: a durable topic exchange, the type of the event as routing key, and a confirm for each message. An
 * event that no queue takes counts as not delivered.
 */
import type { Connection, Publisher } from 'rabbitmq-client'
import { bounds } from './bounds.ts'
import { type Location, loadPackage, namedOutlet, shownAddress } from './options.ts'
import { type Delivery, encodeEvent, type Outlet, OutletError } from './outlet.ts'

const packageName = 'rabbitmq-client'
export const rabbitSettings = ['exchange', 'queue'] as const

/**
 * `amqp://…#exchange=…&queue=…`. `exchange`: default `y-chorus.changes`. `queue`: a durable one that is made, if it is not
 * there, and takes all events; without it, whoever wants them binds one.
 */
export async function openRabbitOutlet({ address, options, rest }: Location): Promise<Outlet> {
  const exchange = rest.get('exchange') ?? 'y-chorus.changes'
  const queue = rest.get('queue')
  const named = namedOutlet(options, `rabbitmq ${shownAddress(address)} ${exchange}`)
  const client = await loadPackage(packageName, () => import('rabbitmq-client'))
  const connection = new client.Connection({
    url: address,
    acquireTimeout: bounds.brokerMs,
    connectionTimeout: bounds.brokerMs
  })
  // It dials again by itself; a delivery that finds it away rejects.
  connection.on('error', () => {})
  const publisher = connection.createPublisher({
    confirm: true,
    maxAttempts: 1,
    exchanges: [{ exchange, type: 'topic', durable: true }],
    ...(queue === undefined
      ? {}
      : { queues: [{ queue, durable: true }], queueBindings: [{ exchange, queue, routingKey: '#' }] })
  })
  return { ...named, ...new RabbitOutlet({ connection, publisher, exchange }).calls }
}

type Parts = { readonly connection: Connection; readonly publisher: Publisher; readonly exchange: string }

class RabbitOutlet {
  readonly #parts: Parts
  /** Ids of messages that came back; the broker says so before it confirms. */
  readonly #returned = new Set<string>()

  constructor(parts: Parts) {
    this.#parts = parts
    parts.publisher.on('basic.return', ({ messageId }) => {
      if (messageId === undefined) return
      this.#returned.add(messageId)
      for (const oldest of this.#returned) {
        if (this.#returned.size <= bounds.returnedMax) break
        this.#returned.delete(oldest)
      }
    })
  }

  get calls(): Pick<Outlet, 'deliver' | 'close'> {
    return { deliver: delivery => this.#deliver(delivery), close: () => this.#close() }
  }

  async #deliver({ event }: Delivery): Promise<void> {
    const { publisher, exchange } = this.#parts
    const { id, type, at } = event
    const envelope = {
      ...{ exchange, routingKey: type, mandatory: true, durable: true, messageId: id, type },
      ...{ contentType: 'application/json', timestamp: Math.floor(Date.parse(at) / 1000) }
    }
    await publisher.send(envelope, encodeEvent(event))
    if (!this.#returned.delete(id)) return
    throw new OutletError(`no queue is bound to the exchange ${exchange} for ${type}`)
  }

  async #close(): Promise<void> {
    const { connection, publisher } = this.#parts
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, bounds.brokerMs)
    })
    await Promise.race([publisher.close().then(() => connection.close()), late]).catch(() => {})
    clearTimeout(timer)
    connection.unsafeDestroy()
  }
}
