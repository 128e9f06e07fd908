/**
 * One outlet as the feed sees it: what it takes, how many deliveries are under way, how long each may take, when one that
 * failed is made again. It knows no marks.
 */
import { randomUUID } from 'node:crypto'
import { type FeedEvent, isMemberEvent, type Outlet, OutletError } from '../../outlets/outlet.ts'
import type { Author } from '../../persistence/author.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Time } from '../base/time.ts'
import { TimedCalls, TimedOut } from '../base/timed-calls.ts'
import { WorkQueue } from '../base/work-queue.ts'
import type { StoredEvent } from './mark-state.ts'

/** How an outlet is used; `onChange` has bounds of its own, and hears nothing of what `load` has given. */
export type LineSettings = {
  readonly atOnceMax: number
  readonly timeoutMs: number
  readonly takesSeeds: boolean
  /** Whether a room stays open while it is told of its last changes. */
  readonly keepsRooms: boolean
}

export type DeliveryOutcome = 'done' | 'failed' | 'timed-out' | 'dead' | 'dropped'

type Parts = {
  readonly matches: (pattern: string, document: string) => boolean
  readonly read: (document: string) => Promise<Uint8Array | null>
  readonly counted: (outlet: string, outcome: DeliveryOutcome) => void
  readonly random: () => number
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

export class OutletLine {
  readonly #outlet: Outlet
  readonly #settings: LineSettings
  readonly #parts: Parts
  readonly #turns: WorkQueue
  readonly #calls: TimedCalls
  /** The last delivery has failed. */
  #isFailing = false
  /** Events of members under way or waiting. */
  #members = 0

  constructor(outlet: Outlet, settings: LineSettings, parts: Parts) {
    this.#outlet = outlet
    this.#settings = settings
    this.#parts = parts
    // As many as there are documents being told of may wait, and those are bounded.
    this.#turns = new WorkQueue({ atOnceMax: settings.atOnceMax, waitingMax: Number.POSITIVE_INFINITY })
    this.#calls = new TimedCalls(parts.time, settings.timeoutMs)
  }

  get name(): string {
    return this.#outlet.name
  }

  get keepsRooms(): boolean {
    return this.#settings.keepsRooms
  }

  takes(document: string, type: FeedEvent['type'], authors: readonly Author[]): boolean {
    const { types, documents } = this.#outlet
    if (types === undefined ? isMemberEvent(type) : !types.includes(type)) return false
    const { takesSeeds } = this.#settings
    if (!takesSeeds && authors.length > 0 && authors.every(({ origin }) => origin === 'load')) return false
    return documents === undefined || documents.some(each => this.#parts.matches(each, document))
  }

  /** Null: the outlet has it. Else what went wrong, which has been counted and logged. */
  async deliver(document: string, event: StoredEvent): Promise<Failure | null> {
    try {
      await this.#turns.run(() => this.#call(document, eventOf(document, event), event.authors))
      this.#parts.counted(this.name, 'done')
      if (this.#isFailing) this.#parts.log.info({ outlet: this.name }, `${this.name} takes events again`)
      this.#isFailing = false
      return null
    } catch (error) {
      return this.#failed(document, error)
    }
  }

  /** Once, and not again: nobody remembers it. */
  async tellOfMember(
    document: string,
    { type, author }: { type: FeedEvent['type']; author: Author }
  ): Promise<void> {
    const { time, limits, counted } = this.#parts
    if (this.#members >= limits.feedMembersMax) return counted(this.name, 'dropped')
    this.#members++
    const users = author.user === null ? [] : [author.user]
    const at = new Date(time.wallMs()).toISOString()
    const event: FeedEvent = { id: randomUUID(), type, document, version: null, users, at }
    try {
      await this.#turns.run(() => this.#call(document, event, [author]))
      counted(this.name, 'done')
    } catch (error) {
      this.#failed(document, error)
    } finally {
      this.#members--
    }
  }

  /** How long until the next attempt after so many that failed, from 1: doubled each time, and not at the same time for all. */
  retryMs(failures: number): number {
    const { outletRetryMs, outletRetryMsMax } = this.#parts.limits
    const most = Math.min(outletRetryMsMax, outletRetryMs * 2 ** Math.min(failures - 1, 40))
    return most * (1 + this.#parts.random()) * 0.5
  }

  /** Waits for no delivery any longer, and leaves no timer. */
  close(): void {
    this.#calls.close()
  }

  async #call(document: string, event: FeedEvent, authors: readonly Author[]): Promise<void> {
    const waiting = new AbortController()
    const read = () => this.#parts.read(document)
    try {
      await this.#calls.call(() => this.#outlet.deliver({ event, authors, read, signal: waiting.signal }))
    } finally {
      waiting.abort()
    }
  }

  #failed(document: string, error: unknown): Failure {
    const { log, counted } = this.#parts
    const reason = error instanceof Error ? error.message : String(error)
    // Who stopped waiting for it says so.
    if (error instanceof Fault && error.code === 'ERR_GOING_DOWN') return { kind: 'closed', reason }
    counted(this.name, error instanceof TimedOut ? 'timed-out' : 'failed')
    // Of an outlet that is away, once.
    const level = this.#isFailing ? 'debug' : 'error'
    this.#isFailing = true
    log[level]({ document, outlet: this.name, error }, `${this.name} failed; it is told again later`)
    return { kind: error instanceof OutletError && error.isFinal ? 'final' : 'open', reason }
  }
}

/** `final`: another attempt would end the same. `closed`: nobody waits any more. */
export type Failure = { readonly kind: 'open' | 'final' | 'closed'; readonly reason: string }

function eventOf(document: string, { id, type, version, authors, atMs }: StoredEvent): FeedEvent {
  const users = new Set(authors.flatMap(({ user }) => user ?? []))
  return { id, type, document, version, users: [...users], at: new Date(atMs).toISOString() }
}
