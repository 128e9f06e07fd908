/**
 * A bus over a broker: what all of them have in common. It dials, again after each loss, brings the subscriptions back, asks
 * whether the broker is still there, and bounds what is queued. A link is one connection of one client, and never mends
 * itself, so that there is one way of coming back, and it is tested here.
 */
import { bounds } from './bounds.ts'
import type { Bus, BusCounts, BusOptions, BusStatus, OnMessage, Unsubscribe } from './bus.ts'
import { reasonOf } from './client.ts'
import { Outgoing } from './outgoing.ts'
import { Statuses } from './statuses.ts'
import { Subscriptions } from './subscriptions.ts'
import { channelOf } from './topics.ts'

/** What a link tells. After its end nobody listens. */
export type LinkEvents = {
  readonly onMessage: (channel: string, bytes: Uint8Array) => void
  /** So many messages, with so many bytes, have left. */
  readonly onSent: (messages: number, bytes: number) => void
  readonly onLost: (reason: string) => void
  readonly onRefused: (reason: string) => void
}

export type Link = {
  /** May throw when the connection ends in this moment. */
  publish(channel: string, bytes: Uint8Array): void
  /** Resolves when the broker has them. */
  subscribe(channels: readonly string[]): Promise<void>
  unsubscribe(channel: string): void
  /** Resolves when the broker has answered, on every connection of the link. */
  ping(): Promise<void>
  /** Lets what was published leave, then ends. May take for ever: then `abandon` is called. */
  close(): Promise<void>
  /** Ends at once. May be called at any time, and twice. */
  abandon(): void
}

/**
 * Resolves to a link, or rejects when there is no broker to be had; soon after the signal, if it comes. Then nothing is left of
 * the attempt.
 */
export type Dial = (events: LinkEvents, signal: AbortSignal) => Promise<Link>

/** The pace of a bus, for tests that cannot wait as long. */
export type Pace = { readonly pingMs?: number; readonly redialMs?: number; readonly dialMs?: number }

export class BrokerBus implements Bus {
  readonly #dial: Dial
  readonly #pace: Required<Pace>
  readonly #onReport: BusOptions['onReport']
  readonly #subscriptions: Subscriptions
  readonly #statuses: Statuses
  readonly #running: Promise<void>
  /** Ends the wait before the next attempt, or the life of the link. */
  #interrupt: () => void = () => {}
  #isClosed = false
  #link: Link | null = null
  readonly #outgoing = new Outgoing()

  constructor(dial: Dial, { onReport, ...pace }: BusOptions & Pace) {
    this.#dial = dial
    this.#onReport = onReport
    this.#statuses = new Statuses(onReport)
    const { pingMs, redialMs, dialMs } = bounds
    this.#pace = { pingMs, redialMs, dialMs, ...pace }
    this.#subscriptions = new Subscriptions(
      {
        onFirst: channel => this.#subscribeLater(channel),
        onLast: channel => this.#link?.unsubscribe(channel)
      },
      onReport
    )
    this.#running = this.#run()
  }

  publish(topic: string, bytes: Uint8Array): boolean {
    const channel = channelOf(topic)
    const link = this.#statuses.get().state === 'away' ? null : this.#link
    const isTaken = this.#outgoing.takes(bytes.length, { isAway: link === null })
    return isTaken && link !== null && this.#hand(link, channel, bytes)
  }

  #hand(link: Link, channel: string, bytes: Uint8Array): boolean {
    this.#outgoing.queued(bytes.length)
    try {
      link.publish(channel, bytes)
    } catch {
      // The connection ends in this moment, which the link says itself.
      this.#outgoing.left(1, bytes.length)
      this.#outgoing.lost()
      return false
    }
    this.#outgoing.published()
    return true
  }

  subscribe(topic: string, onMessage: OnMessage): Unsubscribe {
    const channel = channelOf(topic)
    return this.#isClosed ? () => {} : this.#subscriptions.add(channel, onMessage)
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
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#subscriptions.clear()
      this.#statuses.close()
      this.#interrupt()
    }
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const reason = await this.#live()
      if (this.#isClosed) return
      this.#statuses.set({ state: 'away', reason })
      await this.#rest(this.#pace.redialMs * (1 + Math.random()))
    }
  }

  /** One link from its beginning to its end. Resolves to why it ended. */
  async #live(): Promise<string> {
    const lost = deferred<string>()
    let isOver = false
    const link = await this.#dialled({
      onMessage: (channel, bytes) => {
        if (!isOver) this.#subscriptions.hand(channel, bytes)
      },
      onSent: (messages, bytes) => {
        if (!isOver) this.#outgoing.left(messages, bytes)
      },
      onLost: lost.resolve,
      onRefused: reason => this.#onReport?.({ type: 'refused', reason })
    })
    if (typeof link === 'string') return link
    this.#interrupt = () => lost.resolve('closed')
    if (this.#isClosed) lost.resolve('closed')
    // From here on, new subscriptions go to the link themselves.
    this.#link = link
    this.#subscribeAll(link).then(() => this.#connected(link), lost.resolve)
    const stopAsking = this.#askAgainAndAgain(link, lost.resolve)
    const reason = await lost.promise
    stopAsking()
    if (this.#isClosed) await closed(link)
    link.abandon()
    isOver = true
    this.#link = null
    this.#outgoing.clear()
    return reason
  }

  /** A link, or why there is none. */
  async #dialled(events: LinkEvents): Promise<Link | string> {
    const abort = new AbortController()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      abort.abort()
    }, this.#pace.dialMs)
    this.#interrupt = () => abort.abort()
    const dialled = this.#dial(events, abort.signal)
    try {
      return await Promise.race([dialled, aborted(abort.signal)])
    } catch (error) {
      // A client that does not stop for the signal may still come with a link that nobody waits for.
      dialled.then(
        link => link.abandon(),
        () => {}
      )
      return isLate ? 'silent' : reasonOf(error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #subscribeAll(link: Link): Promise<void> {
    const channels = this.#subscriptions.channels()
    try {
      for (let at = 0; at < channels.length; at += bounds.subscriptionsPerCommand) {
        const some = channels.slice(at, at + bounds.subscriptionsPerCommand)
        // Some may have ended while those before them were on their way.
        const wanted = some.filter(channel => this.#subscriptions.has(channel))
        if (wanted.length > 0) await link.subscribe(wanted)
      }
    } catch (error) {
      throw reasonOf(error)
    }
  }

  #connected(link: Link): void {
    if (this.#link === link && !this.#isClosed) this.#statuses.set({ state: 'connected' })
  }

  #subscribeLater(channel: string): void {
    const link = this.#link
    if (link === null) return
    link.subscribe([channel]).catch((error: unknown) => {
      // A link that is lost says so itself; one that lives refuses this channel alone.
      if (this.#link === link && this.#subscriptions.has(channel)) {
        this.#onReport?.({ type: 'refused', reason: reasonOf(error) })
      }
    })
  }

  /**
   * Counts questions, not time: when this process itself stood still, it asks late and takes nobody for dead. Returns how to
   * stop it.
   */
  #askAgainAndAgain(link: Link, lose: (reason: string) => void): () => void {
    let unanswered = 0
    const timer = setInterval(() => {
      if (unanswered >= bounds.pingsUnansweredMax) return lose('silent')
      unanswered++
      link.ping().then(
        () => {
          unanswered = 0
        },
        (error: unknown) => lose(reasonOf(error))
      )
    }, this.#pace.pingMs)
    return () => clearInterval(timer)
  }

  #rest(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#interrupt = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Gracefully, or not at all within the bound. */
async function closed(link: Link): Promise<void> {
  const late = deferred<void>()
  const timer = setTimeout(late.resolve, bounds.closeMs)
  await Promise.race([link.close().catch(() => {}), late.promise])
  clearTimeout(timer)
}

function deferred<Value>() {
  let resolve: (value: Value) => void = () => {}
  const promise = new Promise<Value>(settle => {
    resolve = settle
  })
  return { promise, resolve }
}
