/** Buses by what a server is told: an address whose scheme says which broker. */
import { type Address, parseAddress } from './address.ts'
import type { Bus, BusOptions } from './bus.ts'
import { BusError } from './bus.ts'
import { createMemoryBroker } from './memory.ts'
import { openNatsBus } from './nats.ts'
import { openRabbitBus } from './rabbitmq.ts'
import { openRedisBus } from './redis.ts'

type Opener = {
  readonly defaultPort: number
  readonly open: (address: Address, options: BusOptions) => Promise<Bus>
}

const redis = { defaultPort: 6379, open: openRedisBus }
const sentinel = { defaultPort: 26_379, open: openRedisBus }

/** By the scheme, without its colon. Another kind of bus is a line here. */
const openers: Readonly<Record<string, Opener>> = {
  redis,
  rediss: redis,
  'redis+sentinel': sentinel,
  'rediss+sentinel': sentinel,
  nats: { defaultPort: 4222, open: openNatsBus },
  amqp: { defaultPort: 5672, open: openRabbitBus },
  amqps: { defaultPort: 5671, open: openRabbitBus }
}

/**
 * Resolves when the client of the broker is there and dials; whether the broker is there, `status()` says. Rejects with
 * BUS_ARGUMENT when nothing here opens such a bus, with BUS_CLIENT_MISSING when its package is not installed. `:memory:` is a
 * bus of its own, which reaches nobody else.
 */
export async function openBus(location: string, options: BusOptions = {}): Promise<Bus> {
  if (location === ':memory:') return createMemoryBroker().connect('one', options)
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(location)?.[1]?.toLowerCase() ?? ''
  const opener = Object.hasOwn(openers, scheme) ? openers[scheme] : undefined
  if (opener !== undefined) return opener.open(parseAddress(location, opener.defaultPort), options)
  const known = Object.keys(openers).map(each => `${each}://`)
  // Without the rest of the address: it may hold a password.
  throw new BusError(
    'BUS_ARGUMENT',
    `There is no bus for such an address. Give :memory:, or an address with ${known.join(', ')}.`
  )
}
