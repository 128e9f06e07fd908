/**
 * The outlet to a Redis stream. Redis has an event for as good as it keeps anything: what it has not written to its disk goes
 * with it.
 */
import { bounds } from './bounds.ts'
import { type Location, loadPackage, namedOutlet, shownAddress, wrong } from './options.ts'
import { encodeEvent, type Outlet } from './outlet.ts'

const packageName = 'ioredis'
export const redisSettings = ['stream', 'length'] as const

/**
 * `redis://…#stream=…&length=…`. `stream`: its key, default `y-chorus:changes`. `length`: about how many entries it keeps;
 * without it, all. An entry has the fields `id`, `type`, `document` and `event` (the JSON).
 */
export async function openRedisOutlet({ address, options, rest }: Location): Promise<Outlet> {
  const stream = rest.get('stream') ?? 'y-chorus:changes'
  const length = rest.get('length')
  if (length !== undefined && !/^[1-9]\d{0,12}$/.test(length)) throw wrong('length is a whole number')
  const named = namedOutlet(options, `redis ${shownAddress(address)} ${stream}`)
  const { Redis } = await loadPackage(packageName, () => import('ioredis'))
  const client = new Redis(address, {
    connectTimeout: bounds.brokerMs,
    commandTimeout: bounds.brokerMs,
    // A delivery that finds it away rejects when dialling has failed, and is made again.
    maxRetriesPerRequest: 0
  })
  client.on('error', () => {})
  const trim = length === undefined ? [] : ['MAXLEN', '~', length]
  return {
    ...named,
    deliver: async ({ event }) => {
      const { id, type, document } = event
      const fields = { id, type, document, event: encodeEvent(event) }
      await client.call('XADD', stream, ...trim, '*', ...Object.entries(fields).flat())
    },
    close: async () => client.disconnect()
  }
}
