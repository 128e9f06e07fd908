/** Receivers for outlets: a webhook's, real brokers, a mock cluster of Kafka. Each place is a queue, stream or topic of its own. */
import { rmSync } from 'node:fs'
import { Connection, type SyncMessage } from 'rabbitmq-client'
import { onTestFinished } from 'vitest'
import type { OutletPlace } from '../../outlets/conformance.ts'
import { type FeedEvent, openOutlet } from '../../outlets/index.ts'
import { kcatPath, startKafkaMock } from '../support/services/kafka.ts'
import { natsPath, startNats } from '../support/services/nats.ts'
import { rabbitPath, startRabbit } from '../support/services/rabbitmq.ts'
import { redisPath, startRedis } from '../support/services/redis.ts'
import { type Service, serviceDirectory } from '../support/services/service.ts'
import { secret, startReceiver } from './receiver.ts'

/** `location`: what a server is told, so that it tells this place. */
export type Place = OutletPlace & { readonly location: string }

export type Receivers = {
  readonly name: string
  /** Its program is not installed. */
  readonly isMissing: boolean
  start(): Promise<{ newPlace(): Promise<Place>; stop(): Promise<void> }>
}

let places = 0

function placeAt(location: string, rest: Omit<OutletPlace, 'open'>): Place {
  return { location, open: () => openOutlet(location, { secret }), ...rest }
}

function eventOf(json: string | Buffer): FeedEvent {
  return JSON.parse(json.toString()) as FeedEvent
}

/** Dies, and is started again with what it has kept. The other brokers of the tests keep nothing over that. */
function mortal(service: Service): Pick<OutletPlace, 'leave' | 'comeBack'> {
  return { leave: () => service.kill(), comeBack: () => service.restart() }
}

const webhook: Receivers = {
  name: 'a webhook',
  isMissing: false,
  start: async () => ({
    newPlace: async () => {
      const receiver = await startReceiver()
      return placeAt(`${receiver.url}#private=allowed`, {
        received: async () => receiver.told,
        leave: () => receiver.leave(),
        comeBack: () => receiver.comeBack()
      })
    },
    stop: async () => {}
  })
}

const rabbit: Receivers = {
  name: 'RabbitMQ',
  isMissing: rabbitPath === null,
  start: async () => {
    const service = await startRabbit()
    const newPlace = async () => {
      const queue = `place-${++places}`
      const received = async () => {
        const connection = new Connection(service.url)
        const events: FeedEvent[] = []
        for (;;) {
          const message: SyncMessage | undefined = await connection.basicGet({ queue, noAck: false })
          if (message === undefined) break
          events.push(message.body as FeedEvent)
        }
        // What was not acknowledged goes back.
        await connection.close()
        return events
      }
      return placeAt(`${service.url}#exchange=${queue}&queue=${queue}`, { received })
    }
    return { newPlace, stop: () => service.stop() }
  }
}

const jetstream: Receivers = {
  name: 'NATS JetStream',
  isMissing: natsPath === null,
  start: async () => {
    const directory = serviceDirectory('jetstream')
    const service = await startNats(['--jetstream', '--store_dir', directory])
    const { connect } = await import('@nats-io/transport-node')
    const newPlace = async () => {
      const stream = `place-${++places}`
      const asking = async <T>(work: (ask: Ask) => Promise<T>) => {
        const connection = await connect({ servers: service.url })
        const ask: Ask = async (what, body) => {
          const answer = await connection.request(`$JS.API.STREAM.${what}.${stream}`, JSON.stringify(body))
          return answer.json()
        }
        return work(ask).finally(() => connection.close())
      }
      await asking(ask => ask('CREATE', { name: stream, subjects: [stream], storage: 'file' }))
      const received = () =>
        asking(async ask => {
          const { messages = 0 } = ((await ask('INFO', {})).state ?? {}) as { messages?: number }
          const events: FeedEvent[] = []
          for (let seq = 1; seq <= messages; seq++) {
            const { data } = (await ask('MSG.GET', { seq })).message as { data: string }
            events.push(eventOf(Buffer.from(data, 'base64')))
          }
          return events
        })
      return placeAt(`${service.url}#subject=${stream}`, { received, ...mortal(service) })
    }
    const stop = async () => {
      await service.stop()
      rmSync(directory, { recursive: true, force: true })
    }
    return { newPlace, stop }
  }
}

type Ask = (what: string, body: object) => Promise<Record<string, unknown>>

const redis: Receivers = {
  name: 'a Redis stream',
  isMissing: redisPath === null,
  start: async () => {
    const service = await startRedis()
    const { Redis } = await import('ioredis')
    const newPlace = async () => {
      const stream = `place-${++places}`
      const client = new Redis(service.url)
      client.on('error', () => {})
      onTestFinished(() => client.disconnect())
      const received = async () => {
        const entries = await client.xrange(stream, '-', '+')
        return entries.map(([, fields]) => eventOf(fields[fields.indexOf('event') + 1] ?? ''))
      }
      return placeAt(`${service.url}#stream=${stream}`, { received })
    }
    return { newPlace, stop: () => service.stop() }
  }
}

/** The mock cluster cannot be taken away: it would be another one when it is back. */
const kafka: Receivers = {
  name: 'Kafka',
  isMissing: kcatPath === null,
  start: async () => {
    const mock = await startKafkaMock()
    const { Kafka, logLevel } = await import('kafkajs')
    const client = new Kafka({ brokers: [mock.brokers], logLevel: logLevel.NOTHING })
    const newPlace = async () => {
      const topic = `place-${++places}`
      const received = async () => {
        const admin = client.admin()
        await admin.connect()
        const offsets = await admin.fetchTopicOffsets(topic)
        await admin.disconnect()
        const count = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0)
        const events: FeedEvent[] = []
        if (count === 0) return events
        const consumer = client.consumer({ groupId: `group-${++places}` })
        await consumer.connect()
        await consumer.subscribe({ topic, fromBeginning: true })
        await new Promise<void>(resolve => {
          void consumer.run({
            eachMessage: async ({ message }) => {
              events.push(eventOf(message.value ?? ''))
              if (events.length === count) resolve()
            }
          })
        })
        await consumer.disconnect()
        return events
      }
      return placeAt(`kafka://${mock.brokers}/${topic}`, { received })
    }
    return { newPlace, stop: () => mock.stop() }
  }
}

export const allReceivers: readonly Receivers[] = [webhook, rabbit, jetstream, redis, kafka]
