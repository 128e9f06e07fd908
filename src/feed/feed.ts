/**
 * The change feed: all outlets, and the documents of which something is to be told. A change leaves a mark in the store in the
 * same write (`leavesMark`), and the mark goes when every outlet has been told; so no crash comes between a change and its
 * event. What is told, and in which order, is in `document-feed.ts`.
 */
import type { Outlet } from '../../outlets/outlet.ts'
import type { Author } from '../../persistence/author.ts'
import type { MarkStore } from '../../persistence/marks.ts'
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { FeedReading } from '../base/feed-metrics.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { type Cancel, type Time, within } from '../base/time.ts'
import type {} from '../room/commits.ts'
import type { ChangeWatch } from '../room/rooms.ts'
import type { Source } from '../room/source.ts'
import { allMarks } from './all-marks.ts'
import { DocumentFeed, type DocumentFeedParts } from './document-feed.ts'
import { decodeState, type MarkState } from './mark-state.ts'
import { MarkWrites } from './mark-writes.ts'
import { type DeliveryOutcome, type LineSettings, OutletLine } from './outlet-line.ts'
import { ProcessMarks } from './process-marks.ts'

export type FeedParts = {
  readonly store: Store
  readonly read: (document: string) => Promise<Uint8Array | null>
  /** Whether the name of a document fits a pattern. */
  readonly matches: (pattern: string, document: string) => boolean
  /** Beside the metrics of the feed. */
  readonly counted: (outlet: string, outcome: DeliveryOutcome) => void
  readonly random: () => number
  readonly newId: () => string
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class Feed implements ChangeWatch {
  readonly #parts: FeedParts
  readonly #lines: readonly OutletLine[]
  readonly #marks: MarkStore
  /** In the place of marks of the store, where it leaves none. */
  readonly #own: ProcessMarks | null
  readonly #shared: DocumentFeedParts
  readonly #feeds = new Map<string, DocumentFeed>()
  /** Marks that nobody held when they were looked at last: another node may be about to tell of them. */
  #unheld = new Set<string>()
  #isLeft = false
  #cancelSweep: Cancel | null = null
  #sweeping: Promise<void> | null = null
  #phase: 'open' | 'closing' | 'closed' = 'open'

  constructor(
    outlets: readonly { readonly outlet: Outlet; readonly settings: LineSettings }[],
    parts: FeedParts
  ) {
    this.#parts = parts
    const { store, metrics, time, limits, log, newId } = parts
    this.#own = store.marks === undefined ? new ProcessMarks() : null
    this.#marks = store.marks ?? (this.#own as ProcessMarks)
    const meters = metrics.countFeed(() => this.#readings())
    const counted = (outlet: string, outcome: DeliveryOutcome) => {
      meters.delivered(outlet, outcome)
      parts.counted(outlet, outcome)
    }
    this.#lines = outlets.map(
      ({ outlet, settings }) => new OutletLine(outlet, settings, { ...parts, counted })
    )
    this.#shared = {
      lines: this.#lines,
      marks: this.#marks,
      writes: new MarkWrites(this.#marks),
      store,
      node: store.node === '' || this.#own !== null ? null : store.node,
      newId,
      dead: outlet => counted(outlet, 'dead'),
      time,
      limits,
      log
    }
  }

  /** Tells of what an earlier process has left. */
  start(): void {
    this.#sweepAfter(0)
  }

  written(document: string, updates: readonly Source[]): void {
    this.#own?.leave(document)
    this.#feedOf(document)?.changed(updates.map(({ author }) => author))
  }

  deleted(document: string): void {
    this.#own?.leave(document)
    this.#feedOf(document)?.changed([])
  }

  isPending(document: string): boolean {
    return this.#feeds.get(document)?.keepsRoom === true
  }

  async settle(document: string): Promise<void> {
    await this.#feeds.get(document)?.settleRoom()
  }

  member(document: string, type: 'member.joined' | 'member.left', member: { readonly author: Author }): void {
    if (this.#phase !== 'open') return
    for (const line of this.#lines) {
      if (line.takes(document, type, [])) void line.tellOfMember(document, { type, author: member.author })
    }
  }

  /** Tells of everything now, waits for it (`changeStopMs` at most), and tells of nothing afterwards: the marks stay. */
  async close(): Promise<void> {
    this.#phase = 'closing'
    this.#cancelSweep?.()
    const { time, limits, metrics, log } = this.#parts
    const late = new Fault('ERR_DEADLINE')
    await within(this.#settleAll(), { time, ms: limits.changeStopMs, late }).catch(() => {})
    this.#phase = 'closed'
    for (const feed of this.#feeds.values()) {
      if (!feed.isPending) continue
      metrics.hookCalled('change', 'dropped')
      log.error({ document: feed.document }, 'outlets were not told of this document when the server stopped')
    }
    for (const line of this.#lines) line.close()
    const releases = Promise.all([...this.#feeds.values()].map(feed => feed.release()))
    await within(releases, { time, ms: limits.changeStopMs, late }).catch(() => {})
    for (const feed of this.#feeds.values()) feed.close()
    this.#feeds.clear()
  }

  async #settleAll(): Promise<void> {
    await this.#sweeping
    for (;;) {
      const pending = [...this.#feeds.values()].filter(({ isPending }) => isPending)
      if (pending.length === 0) return
      await Promise.all(pending.map(feed => feed.settle()))
    }
  }

  /** Undefined: there are too many, and the mark waits for a sweep. */
  #feedOf(document: string, { found = false } = {}): DocumentFeed | undefined {
    if (this.#phase === 'closed') return undefined
    const present = this.#feeds.get(document)
    if (present !== undefined) return present
    if (this.#feeds.size >= this.#parts.limits.feedDocumentsMax) {
      this.#leave()
      return undefined
    }
    const feed = new DocumentFeed(document, this.#shared, {
      found,
      over: (over, why) => this.#over(over, why)
    })
    this.#feeds.set(document, feed)
    return feed
  }

  #over(feed: DocumentFeed, why: 'done' | 'left'): void {
    if (this.#feeds.get(feed.document) === feed) this.#feeds.delete(feed.document)
    if (why === 'left') this.#leave()
  }

  #leave(): void {
    this.#isLeft = true
    this.#sweepAfter(this.#parts.limits.feedSweepMs)
  }

  #sweepAfter(ms: number): void {
    if (this.#cancelSweep !== null || this.#phase !== 'open') return
    this.#cancelSweep = this.#parts.time.after(ms, () => {
      this.#cancelSweep = null
      this.#sweeping = this.#sweep().finally(() => {
        this.#sweeping = null
        if (this.#isLeft || this.#shared.node !== null) this.#sweepAfter(this.#parts.limits.feedSweepMs)
      })
    })
  }

  /** Looks for marks of which nobody tells. Never rejects. */
  async #sweep(): Promise<void> {
    this.#isLeft = false
    const unheld = new Set<string>()
    try {
      for await (const { document, value } of allMarks(this.#marks)) {
        if (this.#phase !== 'open') return
        if (this.#feeds.has(document) || !this.#mayTell(document, decodeState(value), unheld)) continue
        await this.#feedOf(document, { found: true })
          ?.lookNow()
          .catch(() => {})
      }
    } catch (error) {
      this.#parts.log.error({ error }, 'marks of changes could not be read; they are looked for again')
      this.#isLeft = true
    }
    this.#unheld = unheld
  }

  /** What nobody holds may be about to be told by the node whose mark it is: it has until the next look. */
  #mayTell(document: string, { holder }: MarkState, unheld: Set<string>): boolean {
    if (this.#shared.node === null) return true
    if (holder !== null)
      return holder.node === this.#shared.node || holder.untilMs <= this.#parts.time.wallMs()
    if (this.#unheld.has(document)) return true
    if (unheld.size < this.#parts.limits.feedDocumentsMax) unheld.add(document)
    return false
  }

  /** A change of what the mark of a document holds; what is to be told then is. False: there is no mark. */
  async amend(document: string, change: (state: MarkState) => MarkState): Promise<boolean> {
    const feed = this.#feedOf(document, { found: true })
    if (feed === undefined) throw new Fault('ERR_OVERLOADED', 'too many documents are being told of')
    return feed.amend(change)
  }

  #readings(): FeedReading[] {
    const nowMs = this.#parts.time.wallMs()
    return this.#lines.map(({ name }) => {
      const since = [...this.#feeds.values()].flatMap(feed => feed.waitingSinceMs(name) ?? [])
      const oldestMs = since.reduce((oldest, each) => Math.min(oldest, each), nowMs)
      return { outlet: name, waiting: since.length, oldestSeconds: (nowMs - oldestMs) / 1000 }
    })
  }
}
