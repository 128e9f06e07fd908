/** Who listens to what: subscribers by channel, and handing them what came. It knows no broker. */
import type { BusOptions, Unsubscribe } from './bus.ts'

type Events = {
  /** The first subscriber of a channel has come, or the last one has gone. */
  readonly onFirst: (channel: string) => void
  readonly onLast: (channel: string) => void
}

/** Each subscription is a subscriber of its own, also when two have the same function. */
type Subscriber<Message> = { readonly onMessage: (message: Message) => void; isGone: boolean }

export class Subscriptions<Message = Uint8Array> {
  readonly #subscribers = new Map<string, Set<Subscriber<Message>>>()
  readonly #events: Events
  readonly #onReport: BusOptions['onReport']
  #received = 0

  constructor(events: Events, onReport: BusOptions['onReport']) {
    this.#events = events
    this.#onReport = onReport
  }

  /** Messages that somebody heard. */
  get received(): number {
    return this.#received
  }

  channels(): string[] {
    return [...this.#subscribers.keys()]
  }

  has(channel: string): boolean {
    return this.#subscribers.has(channel)
  }

  add(channel: string, onMessage: (message: Message) => void): Unsubscribe {
    const subscriber: Subscriber<Message> = { onMessage, isGone: false }
    const present = this.#subscribers.get(channel)
    if (present === undefined) {
      this.#subscribers.set(channel, new Set([subscriber]))
      this.#events.onFirst(channel)
    } else {
      present.add(subscriber)
    }
    return () => this.#remove(channel, subscriber)
  }

  #remove(channel: string, subscriber: Subscriber<Message>): void {
    if (subscriber.isGone) return
    subscriber.isGone = true
    const present = this.#subscribers.get(channel)
    if (present === undefined || !present.delete(subscriber) || present.size > 0) return
    this.#subscribers.delete(channel)
    this.#events.onLast(channel)
  }

  /** Calls who listens now. What one of them throws is reported and keeps nobody else from hearing. */
  hand(channel: string, message: Message): void {
    const present = this.#subscribers.get(channel)
    if (present === undefined) return
    this.#received++
    for (const subscriber of [...present]) {
      // One of those called before may have ended it.
      if (subscriber.isGone) continue
      try {
        subscriber.onMessage(message)
      } catch (error) {
        this.#onReport?.({ type: 'subscriber-failed', error })
      }
    }
  }

  /** Nobody hears anything any more. */
  clear(): void {
    for (const present of this.#subscribers.values()) {
      for (const subscriber of present) subscriber.isGone = true
    }
    this.#subscribers.clear()
  }
}
