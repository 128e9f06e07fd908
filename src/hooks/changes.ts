/**
 * Tells the embedding application that documents have changed: some time after the last change or, in a document that
 * never rests, some time after the first; at most once at a time for each document. It is a notification: what has
 * changed is in the log already.
 */
import type { Author } from '../../persistence/author.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'
import { WorkQueue } from '../base/work-queue.ts'
import type { ChangeWatch } from '../room/rooms.ts'
import type { Source } from '../room/source.ts'
import { TimedCalls, TimedOut } from './timed-calls.ts'

export type Change = {
  readonly document: string
  /**
   * Who has changed it since the last call, each once, at most `changeAuthorsMax`. Somebody with two connections is two
   * authors with the same `user`.
   */
  readonly authors: readonly Author[]
  /** The durable document as one update, as `server.read` gives it; also while the server stops. */
  readonly read: () => Promise<Uint8Array | null>
}

export type OnChange = (change: Change) => unknown

type Parts = {
  readonly read: (document: string) => Promise<Uint8Array | null>
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

type Pending = {
  readonly document: string
  /** By what they say, so that each is there once. */
  authors: Map<string, Author>
  /** When the first change came that has not been told of; null when all have been, or are being. */
  firstMs: number | null
  lastMs: number
  cancelTimer: Cancel | null
  announcing: Promise<void> | null
}

export class Changes implements ChangeWatch {
  readonly #hook: OnChange
  readonly #parts: Parts
  readonly #turns: WorkQueue
  readonly #calls: TimedCalls
  /** One for each open room with changes; a room closes only when its changes have been told of. */
  readonly #pending = new Map<string, Pending>()
  #phase: 'open' | 'closing' | 'closed' = 'open'

  constructor(hook: OnChange, parts: Parts) {
    this.#hook = hook
    this.#parts = parts
    // As many as there are documents pending may wait, and those are bounded.
    this.#turns = new WorkQueue({ atOnceMax: parts.limits.changesMax, waitingMax: Number.POSITIVE_INFINITY })
    this.#calls = new TimedCalls(parts.time, parts.limits.changeTimeoutMs)
  }

  written(document: string, updates: readonly Source[]): void {
    if (this.#phase === 'closed') return
    let pending = this.#pending.get(document)
    for (const { author } of updates) {
      // What the application itself has given for a beginning is no news to it.
      if (author.origin === 'load') continue
      pending ??= this.#add(document)
      if (pending === undefined) return
      pending.lastMs = this.#parts.time.nowMs()
      pending.firstMs ??= pending.lastMs
      this.#keep(pending, author)
    }
    if (pending !== undefined) this.#arm(pending)
  }

  isPending(document: string): boolean {
    return this.#pending.has(document)
  }

  async settle(document: string): Promise<void> {
    const pending = this.#pending.get(document)
    if (pending !== undefined) await this.#announce(pending)
  }

  forget(document: string): void {
    const pending = this.#pending.get(document)
    if (pending === undefined) return
    pending.firstMs = null
    pending.authors.clear()
    pending.cancelTimer?.()
    pending.cancelTimer = null
    if (pending.announcing === null) this.#pending.delete(document)
  }

  /** Tells of everything now, waits for it (`changeStopMs` at most), and tells of nothing afterwards. */
  async close(): Promise<void> {
    this.#phase = 'closing'
    const { time, limits, metrics, log } = this.#parts
    let cancel: Cancel = () => {}
    const deadline = new Promise<'late'>(resolve => {
      cancel = time.after(limits.changeStopMs, () => resolve('late'))
    })
    const all = async () => {
      while (this.#pending.size > 0)
        await Promise.all([...this.#pending.values()].map(each => this.#announce(each)))
    }
    await Promise.race([all(), deadline])
    cancel()
    this.#phase = 'closed'
    for (const { document, cancelTimer } of this.#pending.values()) {
      cancelTimer?.()
      metrics.hookCalled('change', 'dropped')
      log.error({ document }, 'onChange was not done with this document when the server stopped')
    }
    this.#pending.clear()
    this.#calls.close()
  }

  /** Rooms that failed leave theirs behind for a while, so there may be more than rooms; twice as many are not. */
  #add(document: string): Pending | undefined {
    const { limits, metrics, log } = this.#parts
    if (this.#pending.size >= 2 * limits.roomsMax) {
      metrics.hookCalled('change', 'dropped')
      log.error({ document }, 'too many changed documents wait for onChange; this one is not announced')
      return undefined
    }
    const pending: Pending = {
      document,
      authors: new Map(),
      firstMs: null,
      lastMs: 0,
      cancelTimer: null,
      announcing: null
    }
    this.#pending.set(document, pending)
    return pending
  }

  /** A copy: what the hook does with it changes no record. */
  #keep({ authors }: Pending, author: Author): void {
    const { user, connection, origin } = author
    if (authors.size >= this.#parts.limits.changeAuthorsMax) return
    const key = JSON.stringify([user, connection, origin])
    if (!authors.has(key)) authors.set(key, { user, connection, origin })
  }

  /** One timer a document, not one a change: when it fires it looks whether there was rest. */
  #arm(pending: Pending): void {
    const isUnderWay = pending.cancelTimer !== null || pending.announcing !== null
    if (isUnderWay || pending.firstMs === null || this.#phase === 'closed') return
    const { time, limits } = this.#parts
    const dueMs = Math.min(pending.lastMs + limits.changeDebounceMs, pending.firstMs + limits.changeMaxWaitMs)
    const waitMs = dueMs - time.nowMs()
    if (waitMs <= 0) return void this.#announce(pending)
    pending.cancelTimer = time.after(waitMs, () => {
      pending.cancelTimer = null
      this.#arm(pending)
    })
  }

  /** Resolves when the application has been told. Never rejects. */
  #announce(pending: Pending): Promise<void> {
    pending.cancelTimer?.()
    pending.cancelTimer = null
    pending.announcing ??= this.#turns.run(() => this.#tell(pending)).then(() => this.#told(pending))
    return pending.announcing
  }

  async #tell(pending: Pending): Promise<void> {
    if (pending.firstMs === null || this.#phase === 'closed') return
    const { document, authors } = pending
    pending.firstMs = null
    pending.authors = new Map()
    const change = { document, authors: [...authors.values()], read: () => this.#parts.read(document) }
    try {
      await this.#calls.call(() => this.#hook(change))
      this.#parts.metrics.hookCalled('change', 'done')
    } catch (error) {
      // Who stopped waiting for it has counted it.
      if (this.#isClosed) return
      this.#parts.metrics.hookCalled('change', error instanceof TimedOut ? 'timed-out' : 'failed')
      this.#parts.log.error({ document, error }, 'onChange failed; it is called again after the next change')
    }
  }

  get #isClosed(): boolean {
    return this.#phase === 'closed'
  }

  #told(pending: Pending): void {
    pending.announcing = null
    if (pending.firstMs !== null) this.#arm(pending)
    else if (this.#pending.get(pending.document) === pending) this.#pending.delete(pending.document)
  }
}
