/**
 * The outlet to Kafka, over a producer with the interface of KafkaJS: the application's own, or one of
 * `@confluentinc/kafka-javascript`. The document is the key, so the events of one are in one partition, in order.
 */
import {
  type Location,
  loadPackage,
  namedOutlet,
  type OutletOptions,
  shownAddress,
  wrong
} from './options.ts'
import { encodeEvent, type Outlet } from './outlet.ts'

/** Not by its types: it builds native code where it finds none, so it is not installed for the tests. */
const confluentName: string = '@confluentinc/kafka-javascript'
export const kafkaSettings = [] as const

/** What is used of a producer. It must wait for all replicas (`acks: -1`), as both do unless they are told otherwise. */
export type KafkaProducer = {
  send(record: {
    readonly topic: string
    readonly messages: {
      readonly key: string
      readonly value: Buffer
      readonly headers: Readonly<Record<string, string>>
    }[]
  }): Promise<unknown>
}

export type KafkaOutletOptions = OutletOptions & {
  /** Connected, and the caller's to disconnect after the server has stopped. */
  readonly producer: KafkaProducer
  readonly topic: string
}

/** Throws OutletError with `isFinal` for what cannot be. */
export function kafkaOutlet({ producer, topic, ...options }: KafkaOutletOptions): Outlet {
  if (!/^[\w.-]{1,249}$/.test(topic)) throw wrong('a topic is 1 to 249 letters, digits and any of . _ -')
  return {
    ...namedOutlet(options, `kafka ${topic}`),
    deliver: async ({ event }) => {
      const { id, type, document } = event
      const headers = { id, type, 'content-type': 'application/json' }
      await producer.send({ topic, messages: [{ key: document, value: encodeEvent(event), headers }] })
    },
    close: async () => {}
  }
}

type OwnProducer = KafkaProducer & { connect(): Promise<void>; disconnect(): Promise<void> }

/** `kafka://broker:9092,broker:9092/topic`. */
export async function openKafkaOutlet({ address, options }: Location): Promise<Outlet> {
  const [, brokers = '', topic = ''] = /^kafka:\/\/([^/?@]+)\/([^/?]+)$/.exec(address) ?? []
  if (brokers === '') throw wrong('its address is kafka://host:port,…/topic')
  const name = `kafka ${shownAddress(address)}`
  const producer = await producerFor(brokers.split(','))
  let connecting: Promise<void> | null = null
  const connected: KafkaProducer = {
    send: async record => {
      connecting ??= producer.connect()
      await connecting.catch((error: unknown) => {
        connecting = null
        throw error
      })
      return producer.send(record)
    }
  }
  return {
    ...kafkaOutlet({ name, ...options, producer: connected, topic }),
    close: async () => {
      if (connecting !== null) await producer.disconnect()
    }
  }
}

/** What is used of both packages. */
type Client<Settings> = {
  readonly Kafka: new (settings: Settings) => { producer(settings?: object): OwnProducer }
}

/** Of Confluent's package, or of KafkaJS where that is installed in its place. Both wait for all replicas. */
async function producerFor(brokers: readonly string[]): Promise<OwnProducer> {
  const settings = { brokers, clientId: 'y-chorus', logLevel: 1 }
  try {
    const loaded = await import(confluentName)
    const { Kafka } = (loaded.default ?? loaded).KafkaJS as Client<object>
    return new Kafka({ kafkaJS: settings }).producer({ kafkaJS: { acks: -1, idempotent: true } })
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
  }
  const { Kafka } = await loadPackage(`${confluentName} or kafkajs`, () => import('kafkajs'))
  return new Kafka({ ...settings, brokers: [...brokers] }).producer()
}
