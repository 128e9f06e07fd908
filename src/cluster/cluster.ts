/**
 * This node among the others: tells them of what it has appended, hears of what they have, and looks into the store for
 * what nobody told. It knows documents by name and life, and never looks into a record.
 */
import type { SealedBus } from '../../bus/index.ts'
import type { DocumentHead, HeadQuery, Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import { hashedName } from '../base/hashed-name.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { type Cancel, type Time, within } from '../base/time.ts'
import type { Followed, Nodes, Notice } from '../room/nodes.ts'
import type { PresenceLine, PresenceListener } from '../room/presence-line.ts'
import { BusHealth } from './bus-health.ts'
import { HeadReads } from './head-reads.ts'
import { changeNotice, isChangeNotice, readNotice, writeNotice } from './notice.ts'
import { Presences, type PresencesLimits } from './presences.ts'

type Limits = {
  readonly headsPollMs: number
  readonly headsPollAwayMs: number
  readonly headsPollNoBusMs: number
  readonly freshHeadMs: number
} & PresencesLimits

type Parts = {
  readonly store: Store
  /** Null: what others write is found in the store, and nowhere else. */
  readonly bus: SealedBus | null
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Pick<Metrics, 'countAmongOthers' | 'headsPolled'>
  readonly log: Log
}

const withoutBus =
  'there is no bus (--bus, or the option bus): should another server be on this database, edits cross a second or so late, ' +
  'and presence does not cross'

/** Without a bus nobody is told, and nobody tells. */
const nobodyElse: PresenceLine = { send() {}, stands() {}, renew() {}, close() {} }

export class Cluster implements Nodes {
  readonly node: string
  readonly #parts: Parts
  readonly #reads: HeadReads
  /** Of each document that is open here. */
  readonly #followed = new Map<string, Followed>()
  /** Null: there is no bus. */
  readonly busHealth: BusHealth | null
  /** Null: there is no bus, and so no presence but that of this node's own members. */
  readonly #presences: Presences | null
  /** What else is asked of the store each time. */
  readonly #beside: (() => Promise<void>)[] = []
  #cancelPoll: Cancel = () => {}
  #isPolling = false
  #isClosed = false

  constructor(parts: Parts) {
    this.node = parts.store.node
    this.#parts = parts
    this.#reads = new HeadReads(parts.store)
    const { bus } = parts
    if (bus === null) parts.log.warn({}, withoutBus)
    const health = bus === null ? null : new BusHealth({ ...parts, bus, onState: () => this.#busChanged() })
    this.busHealth = health
    const presences = bus === null ? null : new Presences({ ...parts, bus })
    this.#presences = presences
    const isAlone = health === null || presences === null
    parts.metrics.countAmongOthers(
      isAlone ? null : { bus: () => health.read(), presence: () => presences.read() }
    )
    this.#schedulePoll()
  }

  sharePresence(document: string, listener: PresenceListener): PresenceLine {
    return this.#presences?.open({ document, topic: topicOf(document) }, listener) ?? nobodyElse
  }

  /** While the bus carries nothing, the store is asked more often. */
  #busChanged(): void {
    this.#cancelPoll()
    // What was lost while it was away is not told again.
    if (!this.#isPolling) void this.#poll()
  }

  follow(document: string, followed: Followed): () => void {
    this.#followed.set(document, followed)
    const unsubscribe = this.#parts.bus?.subscribe(topicOf(document), ({ bytes }) => {
      if (isChangeNotice(bytes)) return followed.changed()
      const notice = this.#read(document, bytes)
      if (notice !== null) followed.heard(notice)
    })
    return () => {
      unsubscribe?.()
      if (this.#followed.get(document) === followed) this.#followed.delete(document)
    }
  }

  announce(document: string, notice: Notice): void {
    const { bus } = this.#parts
    // One that does not leave is found by the heads.
    bus?.publish(topicOf(document), writeNotice(notice, bus.payloadBytesMax))
  }

  /** Runs with each look at the heads; a failure is logged. */
  eachPoll(ask: () => Promise<void>): void {
    this.#beside.push(ask)
  }

  announceChange(document: string): void {
    this.#parts.bus?.publish(topicOf(document), changeNotice)
  }

  /** Rejects with ERR_STORE when the store fails, and also when the store takes too long: who waits may try another node. */
  freshHead(query: HeadQuery): Promise<DocumentHead> {
    const { time, limits } = this.#parts
    const late = new Fault('ERR_STORE', 'the store does not say where the document stands')
    const head = this.#reads.head(query).catch((cause: unknown) => {
      throw new Fault('ERR_STORE', 'the store does not say where the document stands', { cause })
    })
    return within(head, { time, ms: limits.freshHeadMs, late })
  }

  close(): void {
    this.#isClosed = true
    this.busHealth?.close()
    this.#presences?.close()
    this.#cancelPoll()
  }

  #read(document: string, bytes: Uint8Array): Notice | null {
    try {
      return readNotice(bytes)
    } catch (error) {
      this.#parts.log.warn({ error, document }, 'another node sent a notice that cannot be read')
      return null
    }
  }

  #schedulePoll(): void {
    if (this.#isClosed) return
    this.#cancelPoll = this.#parts.time.after(this.#pollMs(), () => void this.#poll())
  }

  #pollMs(): number {
    const { headsPollMs, headsPollAwayMs, headsPollNoBusMs } = this.#parts.limits
    if (this.busHealth === null) return headsPollNoBusMs
    return this.busHealth.state === 'well' ? headsPollMs : headsPollAwayMs
  }

  /** Never rejects. A last message that was lost shows only here. */
  async #poll(): Promise<void> {
    this.#isPolling = true
    const asking = [...this.#followed].map(async ([document, followed]) => {
      const { known } = followed
      const head = await this.#reads.head({ document, at: known.visible })
      if (this.#followed.get(document) === followed) followed.headIs(head, known)
    })
    const results = await Promise.allSettled([...asking, ...this.#beside.map(ask => ask())])
    // Then nobody is answered any more.
    if (this.#isClosed) return
    const failed = results.find(result => result.status === 'rejected')
    this.#parts.metrics.headsPolled(failed === undefined ? 'done' : 'failed')
    if (failed !== undefined) {
      this.#parts.log.warn(
        { error: failed.reason },
        'the store does not say what other nodes have written; tried again'
      )
    }
    this.#isPolling = false
    this.#schedulePoll()
  }
}

function topicOf(document: string): string {
  return `document/${hashedName(document)}`
}
