/**
 * Buses of one process, for tests, the simulation and a server that is alone. The broker loses, repeats, delays and so
 * reorders messages by the chance it is given, nodes are cut off from one another, and time is the caller's.
 */
import type { Bus, BusCounts, BusOptions, BusStatus, OnMessage, Unsubscribe } from './bus.ts'
import { Outgoing } from './outgoing.ts'
import { Statuses } from './statuses.ts'
import { Subscriptions } from './subscriptions.ts'
import { type BusTime, realTime } from './time.ts'
import { checkTopic } from './topics.ts'

export type MemoryFaults = {
  /** How likely it is that one receiver does not get a message, gets it twice: 0 to 1. */
  readonly loss: number
  readonly repetition: number
  /** How long a message takes, each one for itself: so a later one may overtake. */
  readonly delayMinMs: number
  readonly delayMaxMs: number
}

export type MemoryBrokerOptions = {
  /** Each node's own, so that a node which ends takes its timers with it. Default: real time. */
  readonly time?: BusTime
  /** A number in [0, 1). Default: Math.random. */
  readonly random?: () => number
  readonly faults?: Partial<MemoryFaults>
}

export type MemoryBroker = {
  /** A bus of the node. Several may have the name of one node, one after another or at once. */
  connect(node: string, options?: BusOptions & { readonly time?: BusTime }): Bus
  /** From now on. What is left out stays as it is. */
  setFaults(faults: Partial<MemoryFaults>): void
  /** What one node publishes does not reach the other; the other way it does, until that is cut too. */
  cut(from: string, to: string): void
  /** Undoes every cut. */
  mend(): void
  /** The broker is away for these nodes, or for all without a name: their buses say so. */
  leave(...nodes: readonly string[]): void
  /** It is back for all. */
  comeBack(): void
}

const noFaults: MemoryFaults = { loss: 0, repetition: 0, delayMinMs: 0, delayMaxMs: 0 }

export function createMemoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  return new Broker(options)
}

class Broker implements MemoryBroker {
  readonly #time: BusTime
  readonly #random: () => number
  readonly #buses = new Set<MemoryBus>()
  readonly #cuts = new Set<string>()
  readonly #away = new Set<string>()
  #isAwayForAll = false
  #faults: MemoryFaults

  constructor({ time = realTime, random = Math.random, faults = {} }: MemoryBrokerOptions) {
    this.#time = time
    this.#random = random
    this.#faults = { ...noFaults, ...faults }
  }

  connect(
    node: string,
    { time = this.#time, ...options }: BusOptions & { readonly time?: BusTime } = {}
  ): Bus {
    const bus = new MemoryBus({ node, time, broker: this, options })
    this.#buses.add(bus)
    bus.tell(this.isAway(node))
    return bus
  }

  setFaults(faults: Partial<MemoryFaults>): void {
    this.#faults = { ...this.#faults, ...faults }
  }

  cut(from: string, to: string): void {
    this.#cuts.add(JSON.stringify([from, to]))
  }

  mend(): void {
    this.#cuts.clear()
  }

  leave(...nodes: readonly string[]): void {
    if (nodes.length === 0) this.#isAwayForAll = true
    for (const node of nodes) this.#away.add(node)
    this.#tellAll()
  }

  comeBack(): void {
    this.#isAwayForAll = false
    this.#away.clear()
    this.#tellAll()
  }

  isAway(node: string): boolean {
    return this.#isAwayForAll || this.#away.has(node)
  }

  #tellAll(): void {
    for (const bus of [...this.#buses]) bus.tell(this.isAway(bus.node))
  }

  /** Calls `carry` for each copy that is to arrive somewhere, with how long it takes. */
  route(from: string, carry: (to: MemoryBus, delayMs: number) => void): void {
    for (const to of this.#buses) {
      if (this.#cuts.has(JSON.stringify([from, to.node]))) continue
      for (let copies = this.#copies(); copies > 0; copies--) carry(to, this.#delayMs())
    }
  }

  #copies(): number {
    if (this.#random() < this.#faults.loss) return 0
    return this.#random() < this.#faults.repetition ? 2 : 1
  }

  #delayMs(): number {
    const { delayMinMs, delayMaxMs } = this.#faults
    return delayMinMs + this.#random() * (delayMaxMs - delayMinMs)
  }

  remove(bus: MemoryBus): void {
    this.#buses.delete(bus)
  }
}

type Parts = {
  readonly node: string
  readonly time: BusTime
  readonly broker: Broker
  readonly options: BusOptions
}

class MemoryBus implements Bus {
  readonly node: string
  readonly #time: BusTime
  readonly #broker: Broker
  readonly #subscriptions: Subscriptions
  readonly #statuses: Statuses
  /** How to stop what is on its way to here. */
  readonly #arriving = new Set<() => void>()
  #isClosed = false
  readonly #outgoing = new Outgoing()

  constructor({ node, time, broker, options }: Parts) {
    this.node = node
    this.#time = time
    this.#broker = broker
    this.#subscriptions = new Subscriptions({ onFirst() {}, onLast() {} }, options.onReport)
    this.#statuses = new Statuses(options.onReport)
  }

  publish(topic: string, bytes: Uint8Array): boolean {
    checkTopic(topic)
    const isAway = this.#isClosed || this.#broker.isAway(this.node)
    if (!this.#outgoing.takes(bytes.length, { isAway })) return false
    this.#outgoing.published()
    // Whoever wrote into it afterwards against the contract must not be the one who is right.
    const copy = new Uint8Array(bytes)
    this.#broker.route(this.node, (to, delayMs) => this.#carry({ to, topic, bytes: copy, delayMs }))
    return true
  }

  /** It is queued here while it is on its way, as it would be in the memory of a slow connection. */
  #carry({
    to,
    topic,
    bytes,
    delayMs
  }: {
    to: MemoryBus
    topic: string
    bytes: Uint8Array
    delayMs: number
  }) {
    this.#outgoing.queued(bytes.length)
    to.#arrive(delayMs, topic, {
      bytes,
      over: () => this.#outgoing.left(1, bytes.length)
    })
  }

  #arrive(delayMs: number, topic: string, { bytes, over }: { bytes: Uint8Array; over: () => void }): void {
    const stop = this.#time.after(delayMs, () => {
      this.#arriving.delete(stopped)
      over()
      if (!this.#broker.isAway(this.node)) this.#subscriptions.hand(topic, bytes)
    })
    const stopped = () => {
      stop()
      over()
    }
    this.#arriving.add(stopped)
  }

  subscribe(topic: string, onMessage: OnMessage): Unsubscribe {
    checkTopic(topic)
    return this.#isClosed ? () => {} : this.#subscriptions.add(topic, onMessage)
  }

  status(): BusStatus {
    return this.#statuses.get()
  }

  watch(onStatus: (status: BusStatus) => void): Unsubscribe {
    return this.#statuses.watch(onStatus)
  }

  counts(): BusCounts {
    return this.#outgoing.counts(this.#subscriptions.received)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const stop of this.#arriving) stop()
    this.#arriving.clear()
    this.#subscriptions.clear()
    this.#statuses.close()
    this.#broker.remove(this)
  }

  /** From the broker: whether it is away for this node. */
  tell(isAway: boolean): void {
    this.#statuses.set(isAway ? { state: 'away', reason: 'the broker has left' } : { state: 'connected' })
  }
}
