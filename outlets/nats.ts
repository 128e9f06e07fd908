/**
 * The outlet to NATS JetStream: a subject that a stream keeps, and the answer of that stream for each message. JetStream knows
 * an event that it has by its id, and keeps it once.
 */
import type { NatsConnection } from '@nats-io/transport-node'
import { bounds } from './bounds.ts'
import { type Location, loadPackage, namedOutlet, shownAddress, wrong } from './options.ts'
import { encodeEvent, type Outlet, OutletError } from './outlet.ts'

const packageName = '@nats-io/transport-node'
export const natsSettings = ['subject'] as const

/** `nats://[user:password@]host[:port]#subject=…`. `subject`: default `y-chorus.changes`; a stream must keep it. */
export async function openNatsOutlet({ address, options, rest }: Location): Promise<Outlet> {
  const subject = rest.get('subject') ?? 'y-chorus.changes'
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) throw wrong('a subject is words with dots between them')
  const url = URL.canParse(address) ? new URL(address) : null
  if (url === null) throw wrong('its address is nats://host:port')
  const client = await loadPackage(packageName, () => import('@nats-io/transport-node'))
  const { username, password } = url
  const credentials =
    password === ''
      ? { token: decodeURIComponent(username) }
      : { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
  const dial = () =>
    client.connect({
      servers: `${url.hostname}:${url.port === '' ? 4222 : url.port}`,
      ...(username === '' ? {} : credentials),
      ...{ timeout: bounds.brokerMs, reconnect: false, ignoreClusterUpdates: true, noAsyncTraces: true }
    })
  const link = new Link(dial)
  return {
    ...namedOutlet(options, `jetstream ${shownAddress(address)} ${subject}`),
    deliver: async ({ event }) => {
      const connection = await link.connection()
      const headers = client.headers()
      headers.set('Nats-Msg-Id', event.id)
      const answer = await connection.request(subject, encodeEvent(event), {
        headers,
        timeout: bounds.brokerMs
      })
      checkAnswer(answer.json<Answer>(), subject)
    },
    close: () => link.close()
  }
}

type Answer = { readonly stream?: string; readonly error?: { readonly description?: string } }

/** Whoever else listens to the subject answers something else, or nothing. */
function checkAnswer({ stream, error }: Answer, subject: string): void {
  if (error !== undefined)
    throw new OutletError(`JetStream refused it: ${error.description ?? 'it does not say why'}`)
  if (stream === undefined) throw new OutletError(`no stream keeps ${subject}`)
}

/** One connection for all deliveries, dialled again when it has ended. */
class Link {
  readonly #dial: () => Promise<NatsConnection>
  #connection: Promise<NatsConnection> | null = null
  #isClosed = false

  constructor(dial: () => Promise<NatsConnection>) {
    this.#dial = dial
  }

  connection(): Promise<NatsConnection> {
    if (this.#isClosed) return Promise.reject(new OutletError('the outlet was closed'))
    if (this.#connection !== null) return this.#connection
    const connecting = this.#dial()
    this.#connection = connecting
    const ended = () => {
      if (this.#connection === connecting) this.#connection = null
    }
    connecting.then(connection => void connection.closed().then(ended), ended)
    return connecting
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const connection = await this.#connection?.catch(() => null)
    await connection?.close()
  }
}
