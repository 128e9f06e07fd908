/** Outlets by what a server is told: an address whose scheme says which kind. */
import { kafkaSettings, openKafkaOutlet } from './kafka.ts'
import { natsSettings, openNatsOutlet } from './nats.ts'
import { type Location, parseLocation, wrong } from './options.ts'
import type { Outlet } from './outlet.ts'
import { openRabbitOutlet, rabbitSettings } from './rabbitmq.ts'
import { openRedisOutlet, redisSettings } from './redis.ts'
import { webhookOutlet } from './webhook.ts'

export type OpenOutletOptions = {
  /** What signs the events of webhooks. */
  readonly secret?: string | readonly string[]
}

type Opener = {
  /** What may stand behind `#` beside `name`, `documents` and `types`. */
  readonly settings: readonly string[]
  readonly open: (location: Location, options: OpenOutletOptions) => Promise<Outlet>
}

const webhook: Opener = { settings: ['content', 'private'], open: openWebhook }
const rabbit: Opener = { settings: rabbitSettings, open: openRabbitOutlet }
const redis: Opener = { settings: redisSettings, open: openRedisOutlet }

/** By the scheme, without its colon. Another kind of outlet is a line here. */
const openers: Readonly<Record<string, Opener>> = {
  http: webhook,
  https: webhook,
  amqp: rabbit,
  amqps: rabbit,
  kafka: { settings: kafkaSettings, open: openKafkaOutlet },
  nats: { settings: natsSettings, open: openNatsOutlet },
  redis,
  rediss: redis
}

/**
 * The outlet at an address; whether anybody is there shows at the first delivery. Rejects with an OutletError that `isFinal`
 * when there is no such kind, a setting is wrong, or a package is not installed.
 */
export async function openOutlet(location: string, options: OpenOutletOptions = {}): Promise<Outlet> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1]?.toLowerCase() ?? ''
  const opener = Object.hasOwn(openers, scheme) ? openers[scheme] : undefined
  if (opener !== undefined) return opener.open(parseLocation(location, opener.settings), options)
  // Without the rest of the address: it may hold a password.
  throw wrong(
    `its address begins with ${Object.keys(openers)
      .map(each => `${each}://`)
      .join(', ')}`
  )
}

/** `http(s)://…#content=update&private=allowed`. */
async function openWebhook(
  { address, options, rest }: Location,
  { secret }: OpenOutletOptions
): Promise<Outlet> {
  if (secret === undefined) throw wrong('a webhook needs a secret that signs its events')
  const content = rest.get('content') ?? 'none'
  const privateAddresses = rest.get('private') ?? 'refused'
  if (content !== 'none' && content !== 'update') throw wrong('content is none or update')
  if (privateAddresses !== 'refused' && privateAddresses !== 'allowed')
    throw wrong('private is refused or allowed')
  return webhookOutlet({ ...options, url: address, secret, content, privateAddresses })
}
