/** A bus over NATS: core subjects, no JetStream. A flush now and then says how much has left. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { ConnectionOptions, NatsConnection, Subscription } from '@nats-io/transport-node'
import { type Address, checkParameters, type Host, wrong } from './address.ts'
import { bounds } from './bounds.ts'
import { BrokerBus, type Link, type LinkEvents, type Pace } from './broker-bus.ts'
import type { Bus, BusOptions } from './bus.ts'
import { loadClient, reasonOf } from './client.ts'

const packageName = '@nats-io/transport-node'

/**
 * `nats://[user:password@]host[:port],…`, or `nats://token@host`. `?tls=true` insists on TLS; a server that asks for it gets it
 * anyway.
 */
export async function openNatsBus(address: Address, options: BusOptions & Pace = {}): Promise<Bus> {
  checkParameters(address, ['tls'])
  const tls = address.parameters.get('tls')
  if (tls !== undefined && tls !== 'true') throw wrong('tls is true, or absent')
  if (address.path !== null && address.path !== '') throw wrong('nothing follows the hosts')
  const client = await loadClient(packageName, () => import('@nats-io/transport-node'))
  const settings = settingsOf(address, options.name)
  let attempts = 0
  const dial = async (events: LinkEvents, signal: AbortSignal) => {
    const host = address.hosts[attempts++ % address.hosts.length]
    if (host === undefined) throw wrong('it names no host')
    await untilItSpeaks(host, signal)
    return new NatsLink(await client.connect({ ...settings, servers: hostOf(host) }), events)
  }
  return new BrokerBus(dial, options)
}

/** A connection is used once: the bus dials again itself. */
function settingsOf({ user, password, parameters }: Address, name: string | undefined): ConnectionOptions {
  const credentials = password === null ? { token: user ?? '' } : { user: user ?? '', pass: password }
  return {
    ...(user === null && password === null ? {} : credentials),
    ...(name === undefined ? {} : { name }),
    ...(parameters.get('tls') === 'true' ? { tls: {} } : {}),
    timeout: bounds.connectMs,
    reconnect: false,
    ignoreClusterUpdates: true,
    noAsyncTraces: true
  }
}

function hostOf({ host, port }: Host): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * A server speaks first. The client never closes a connection to one that accepts it and says nothing, as one that stands
 * still does: it would leave one behind for each attempt.
 */
async function untilItSpeaks({ host, port }: Host, signal: AbortSignal): Promise<void> {
  const socket = connect({ host, port })
  // It may come after everything else.
  socket.on('error', () => {})
  try {
    const closed = once(socket, 'close', { signal }).then(() => Promise.reject(new Error('closed')))
    await Promise.race([once(socket, 'data', { signal }), closed])
  } finally {
    socket.destroy()
  }
}

class NatsLink implements Link {
  readonly #connection: NatsConnection
  readonly #events: LinkEvents
  readonly #subscriptions = new Map<string, Subscription>()
  /** Published since the last flush began. */
  #messages = 0
  #bytes = 0
  #isFlushing = false

  constructor(connection: NatsConnection, events: LinkEvents) {
    this.#connection = connection
    this.#events = events
    connection.closed().then(error => events.onLost(error === undefined ? 'ended' : reasonOf(error)))
    this.#reportRefusals().catch(() => {})
  }

  publish(channel: string, bytes: Uint8Array): void {
    this.#connection.publish(channel, bytes)
    this.#messages++
    this.#bytes += bytes.length
    const isMuch = this.#messages >= bounds.flushMessages || this.#bytes >= bounds.flushBytes
    if (isMuch && !this.#isFlushing) this.#flush()
  }

  /** When the server answers, it has read what was published before the question. */
  #flush(): void {
    const [messages, bytes] = [this.#messages, this.#bytes]
    this.#messages = 0
    this.#bytes = 0
    this.#isFlushing = true
    this.#connection.flush().then(
      () => {
        this.#isFlushing = false
        this.#events.onSent(messages, bytes)
        if (this.#messages > 0) this.#flush()
      },
      // The connection has ended, which it says itself.
      () => {}
    )
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels) {
      if (this.#subscriptions.has(channel)) continue
      const subscription = this.#connection.subscribe(channel, {
        callback: (error, message) => {
          if (error === null) this.#events.onMessage(channel, message.data)
          else this.#subscriptions.delete(channel)
        }
      })
      this.#subscriptions.set(channel, subscription)
    }
    await this.#connection.flush()
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.get(channel)?.unsubscribe()
    this.#subscriptions.delete(channel)
  }

  ping(): Promise<void> {
    return this.#connection.flush()
  }

  async close(): Promise<void> {
    await this.#connection.flush()
    await this.#connection.close()
  }

  abandon(): void {
    // Nothing waits for it, and it has nothing to say any more.
    this.#connection.close().catch(() => {})
  }

  async #reportRefusals(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'error') this.#events.onRefused(reasonOf(status.error))
    }
  }
}
