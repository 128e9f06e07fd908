/**
 * A bus among the nodes of one cluster, over one that anybody may write to. What is not of this cluster, has no proof of its
 * key, or was heard before is dropped and counted. It hides nothing: payloads are readable at the broker.
 */
import { createSecretKey } from 'node:crypto'
import { bounds } from './bounds.ts'
import {
  type Bus,
  type BusCounts,
  BusError,
  type BusOptions,
  type BusStatus,
  type Unsubscribe
} from './bus.ts'
import { overheadOf, readEnvelope, type Seal, sealOf, writeEnvelope } from './envelope.ts'
import { Replays } from './replays.ts'
import { Subscriptions } from './subscriptions.ts'
import { checkTopic } from './topics.ts'

export type SealedOptions = {
  readonly bus: Bus
  /** As the store has it: another store, another cluster, whichever broker they share. */
  readonly clusterId: string
  /** Random, and of one life of one process. */
  readonly nodeId: string
  /** The cluster's, at least 32 bytes. It is copied. */
  readonly key: Uint8Array
  /** Of subscribers here that throw. */
  readonly onReport?: BusOptions['onReport']
}

export type SealedMessage = {
  /** The id of the node that sent it. */
  readonly from: string
  /** The bus's: read during the call, copied by whoever keeps it. */
  readonly bytes: Uint8Array
}

/** Messages that no other node of this cluster has sent, or not now. */
export type SealedCounts = {
  /** No message of ours, or one of a version that this one does not know. */
  readonly malformed: number
  /** Of another cluster. */
  readonly foreign: number
  readonly forged: number
  /** Heard before, or so late that nobody knows. */
  readonly replayed: number
  /** Of this node itself: only `subscribeOwn` hears them. */
  readonly own: number
}

export type OnSealed = (message: SealedMessage) => void

export type SealedBus = {
  /** The longest payload that is taken. */
  readonly payloadBytesMax: number
  readonly nodeId: string
  /** As the bus's. */
  publish(topic: string, payload: Uint8Array): boolean
  /** What other nodes of the cluster publish. */
  subscribe(topic: string, onMessage: OnSealed): Unsubscribe
  /** What this node itself publishes there, once it has gone through the broker. */
  subscribeOwn(topic: string, onMessage: OnSealed): Unsubscribe
  status(): BusStatus
  watch(onStatus: (status: BusStatus) => void): Unsubscribe
  counts(): BusCounts & SealedCounts
}

/** The bus stays the caller's to close. Throws BUS_ARGUMENT for an id or a key that is none. */
export function sealBus(options: SealedOptions): SealedBus {
  checkId('cluster', options.clusterId)
  checkId('node', options.nodeId)
  if (options.key.length < 32)
    throw new BusError('BUS_ARGUMENT', 'The key of a cluster has at least 32 bytes.')
  return new Sealed(options)
}

function checkId(kind: string, id: string): void {
  const bytes = typeof id === 'string' ? Buffer.byteLength(id) : 0
  if (bytes === 0 || bytes > bounds.idBytesMax) {
    throw new BusError('BUS_ARGUMENT', `The id of a ${kind} has 1 to ${bounds.idBytesMax} bytes.`)
  }
}

class Sealed implements SealedBus {
  readonly payloadBytesMax: number
  readonly nodeId: string
  readonly #bus: Bus
  readonly #seal: Seal
  /** Each topic is subscribed to once, so that each of its messages is opened once. */
  readonly #subscriptions: Subscriptions<SealedMessage>
  readonly #topics = new Map<string, Unsubscribe>()
  readonly #replays = new Replays()
  readonly #counts = { malformed: 0, foreign: 0, forged: 0, replayed: 0, own: 0 }
  #counter = 0

  constructor({ bus, clusterId, nodeId, key, onReport }: SealedOptions) {
    this.#bus = bus
    this.nodeId = nodeId
    this.#seal = sealOf(clusterId, createSecretKey(key))
    this.payloadBytesMax = bounds.messageBytesMax - overheadOf(nodeId)
    this.#subscriptions = new Subscriptions(
      { onFirst: topic => this.#listen(topic), onLast: topic => this.#leave(topic) },
      onReport
    )
  }

  publish(topic: string, payload: Uint8Array): boolean {
    const full = this.#topicOf(topic)
    const counter = ++this.#counter
    return this.#bus.publish(full, writeEnvelope(this.#seal, full, { node: this.nodeId, counter, payload }))
  }

  subscribe(topic: string, onMessage: OnSealed): Unsubscribe {
    return this.#subscriptions.add(this.#topicOf(topic), message => {
      if (message.from !== this.nodeId) onMessage(message)
    })
  }

  subscribeOwn(topic: string, onMessage: OnSealed): Unsubscribe {
    return this.#subscriptions.add(this.#topicOf(topic), message => {
      if (message.from === this.nodeId) onMessage(message)
    })
  }

  status(): BusStatus {
    return this.#bus.status()
  }

  watch(onStatus: (status: BusStatus) => void): Unsubscribe {
    return this.#bus.watch(onStatus)
  }

  counts(): BusCounts & SealedCounts {
    return { ...this.#bus.counts(), ...this.#counts }
  }

  /** Two clusters on one broker do not even hear each other. */
  #topicOf(topic: string): string {
    checkTopic(topic)
    return `${this.#seal.clusterId}/${topic}`
  }

  #listen(topic: string): void {
    this.#topics.set(
      topic,
      this.#bus.subscribe(topic, bytes => this.#open(topic, bytes))
    )
  }

  #leave(topic: string): void {
    this.#topics.get(topic)?.()
    this.#topics.delete(topic)
  }

  #open(topic: string, bytes: Uint8Array): void {
    const read = readEnvelope(this.#seal, topic, bytes)
    if (typeof read === 'string') {
      this.#counts[read]++
      return
    }
    const { node, counter, payload } = read
    if (!this.#replays.isNew(node, counter)) {
      this.#counts.replayed++
      return
    }
    if (node === this.nodeId) this.#counts.own++
    this.#subscriptions.hand(topic, { from: node, bytes: payload })
  }
}
