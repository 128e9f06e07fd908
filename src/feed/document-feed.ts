/**
 * Tells the outlets of one document, as long as there is something to tell: some time after a change it looks where the
 * document stands, writes into its mark what each outlet is to be told, tells, and writes that it is told. What is in memory
 * here may be lost at any time: the mark says where to go on.
 */
import type { Author } from '../../persistence/author.ts'
import type { ChangeMark, MarkPlace, MarkStore } from '../../persistence/marks.ts'
import type { DocumentLog } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Cancel, Time } from '../base/time.ts'
import { WorkQueue } from '../base/work-queue.ts'
import {
  type DeadLetter,
  decodeState,
  delivered,
  died,
  encodeState,
  isNothing,
  keyOf,
  type MarkState,
  nothingKept,
  type StoredEvent,
  united,
  withEvent
} from './mark-state.ts'
import type { MarkWrites } from './mark-writes.ts'
import { authorsSince, type News, newsSince, placeOf } from './news.ts'
import type { Failure, OutletLine } from './outlet-line.ts'

export type DocumentFeedParts = {
  readonly lines: readonly OutletLine[]
  readonly marks: Pick<MarkStore, 'read'>
  readonly writes: MarkWrites
  readonly store: Pick<DocumentLog, 'heads' | 'recordsAfter'>
  /** How this node is called among those on the store; null: there is no other. */
  readonly node: string | null
  readonly newId: () => string
  readonly dead: (outlet: string) => void
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

type Host = {
  /** There is nothing to do any more. `left`: something is left in the mark, for whoever looks at it next. */
  over(feed: DocumentFeed, why: 'done' | 'left'): void
}

/** Attempts at one outlet that failed, and what waits for the next one. */
type Pause = { failures: number; cancel: Cancel | null }

export class DocumentFeed {
  readonly document: string
  readonly #parts: DocumentFeedParts
  readonly #host: Host
  /** One thing at a time happens to the mark. */
  readonly #steps = new WorkQueue({ atOnceMax: 1, waitingMax: Number.POSITIVE_INFINITY })
  /** Who has changed it since the last look, at most `changeAuthorsMax`. */
  #authors = new Map<string, Author>()
  /** Whether the authors are all there are: this node is alone, and has seen all changes since the last look. */
  #knowsAuthors: boolean
  /** When the first change came that was not looked at; null: all were. */
  #firstMs: number | null = null
  #lastMs = 0
  #cancelLook: Cancel | null = null
  #mark: ChangeMark | null = null
  #state: MarkState = nothingKept
  readonly #deliveries = new Map<string, Promise<void>>()
  readonly #pauses = new Map<string, Pause>()
  #isClosed = false

  /** `found`: its mark was left by another process. */
  constructor(document: string, parts: DocumentFeedParts, host: Host & { readonly found: boolean }) {
    this.document = document
    this.#parts = parts
    this.#host = host
    this.#knowsAuthors = parts.node === null && !host.found
  }

  /** There is something that nobody was told of, and no outlet has failed to hear. */
  get isPending(): boolean {
    return this.#firstMs !== null || this.#deliveries.size > 0 || !this.#steps.isIdle
  }

  /** The room has to stay open: what an outlet is told, or is to be told, is not in the mark yet, or it wants the room. */
  get keepsRoom(): boolean {
    const isTelling = this.#parts.lines.some(line => line.keepsRooms && this.#deliveries.has(line.name))
    return this.#firstMs !== null || !this.#steps.isIdle || isTelling
  }

  /** Since when there is something to tell; null: there is nothing. Milliseconds since the epoch. */
  waitingSinceMs(outlet: string): number | null {
    return this.#state.waiting.get(outlet)?.[0]?.atMs ?? null
  }

  changed(authors: Iterable<Author>): void {
    const { time, limits } = this.#parts
    this.#lastMs = time.nowMs()
    this.#firstMs ??= this.#lastMs
    for (const author of authors) {
      if (this.#authors.size >= limits.changeAuthorsMax) break
      // A copy: what an outlet does with it changes no record.
      const { user, connection, origin } = author
      this.#authors.set(keyOf(author), { user, connection, origin })
    }
    this.#arm()
  }

  /** Tells now, and resolves when each outlet has heard or has failed. Never rejects. */
  async settle(): Promise<void> {
    await this.#lookIfChanged()
    while (this.#deliveries.size > 0) await Promise.all(this.#deliveries.values())
  }

  /** Tells now, and resolves when the room may close. Never rejects. */
  async settleRoom(): Promise<void> {
    await this.#lookIfChanged()
    for (const line of this.#parts.lines) if (line.keepsRooms) await this.#deliveries.get(line.name)
  }

  async #lookIfChanged(): Promise<void> {
    this.#cancelLook?.()
    this.#cancelLook = null
    if (this.#firstMs !== null) await this.#look()
    else await this.#steps.run(async () => {})
  }

  /** Looks at what the mark says now. */
  lookNow(): Promise<void> {
    this.#firstMs ??= this.#parts.time.nowMs()
    return this.#lookIfChanged()
  }

  /** A change of what is kept in the mark, whoever tells of it. False: there is no mark. Rejects as the store does. */
  amend(change: (state: MarkState) => MarkState): Promise<boolean> {
    return this.#steps.run(async () => {
      const mark = await this.#parts.marks.read(this.document)
      if (mark === null) return false
      this.#mark = mark
      this.#state = decodeState(mark.value)
      await this.#write(change(this.#state), mark)
      this.#deliverAll()
      this.#overIfIdle()
      return true
    })
  }

  /** Other nodes need not wait for this one. Never rejects. */
  async release(): Promise<void> {
    await this.#step(async () => {
      const { holder } = this.#state
      if (holder === null || holder.node !== this.#parts.node || this.#mark === null) return
      await this.#write({ ...this.#state, holder: null }, this.#mark)
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelLook?.()
    for (const { cancel } of this.#pauses.values()) cancel?.()
    this.#pauses.clear()
  }

  /** One timer a document, not one a change: when it fires it looks whether there was rest. */
  #arm(): void {
    if (this.#cancelLook !== null || this.#firstMs === null || this.#isClosed) return
    const { time, limits } = this.#parts
    const dueMs = Math.min(this.#lastMs + limits.changeDebounceMs, this.#firstMs + limits.changeMaxWaitMs)
    const waitMs = dueMs - time.nowMs()
    if (waitMs <= 0) return void this.#look()
    this.#cancelLook = time.after(waitMs, () => {
      this.#cancelLook = null
      this.#arm()
    })
  }

  /** Never rejects: what failed is left in the mark. */
  async #step(work: () => Promise<void>): Promise<void> {
    try {
      await this.#steps.run(work)
    } catch (error) {
      this.#parts.log.error(
        { document: this.document, error },
        'what is to be told of a document is told later'
      )
      return this.#over('left')
    }
    this.#overIfIdle()
  }

  #look(): Promise<void> {
    return this.#step(async () => {
      const { marks, store, node, limits } = this.#parts
      const authors = [...this.#authors.values()]
      this.#authors = new Map()
      this.#firstMs = null
      if (this.#mark === null || node !== null) {
        this.#mark = await marks.read(this.document)
        this.#state = this.#mark === null ? nothingKept : decodeState(this.#mark.value)
      }
      const mark = this.#mark
      if (mark === null) return
      if (this.#isHeldByOther()) return this.#forget()
      const [head] = await store.heads([{ document: this.document }])
      if (head === undefined) return
      const read = this.#knowsAuthors
        ? []
        : await authorsSince({ store, limits }, this.document, { place: mark, head })
      const news = newsSince(mark, head)
      const by = united(authors, read, limits.changeAuthorsMax)
      await this.#write(this.#withNews(news, by), placeOf(head))
      this.#knowsAuthors = node === null
      this.#deliverAll()
    })
  }

  #isHeldByOther(): boolean {
    const { node, time } = this.#parts
    const { holder } = this.#state
    return node !== null && holder !== null && holder.node !== node && holder.untilMs > time.wallMs()
  }

  #withNews(news: readonly News[], authors: readonly Author[]): MarkState {
    const { lines, limits, time, newId } = this.#parts
    const names = new Set(lines.map(({ name }) => name))
    // An outlet that is no more is told no more.
    const waiting = new Map([...this.#state.waiting].filter(([name]) => names.has(name)))
    let state: MarkState = { ...this.#state, waiting }
    for (const { type, version } of news) {
      const by = type === 'document.deleted' ? [] : authors
      const event: StoredEvent = { id: newId(), type, version, authors: by, atMs: time.wallMs() }
      for (const line of lines) {
        if (line.takes(this.document, type, by))
          state = withEvent(state, line.name, event, limits.changeAuthorsMax)
      }
    }
    return state
  }

  #held(state: MarkState, forMs: number): MarkState {
    const { node, time } = this.#parts
    if (node === null || state.waiting.size === 0)
      return state.holder === null ? state : { ...state, holder: null }
    return { ...state, holder: { node, untilMs: time.wallMs() + forMs } }
  }

  /** The mark says this now, or goes when nothing is left to tell; or another node has it. In a step. */
  async #write(state: MarkState, { incarnation, after }: MarkPlace): Promise<void> {
    const { writes, limits } = this.#parts
    const present = this.#mark
    if (present === null) return
    const told = { incarnation, after }
    if (isNothing(state) && this.#firstMs === null) {
      if (await writes.write({ present, next: null, told })) return this.#forget()
    }
    const held = this.#held(state, limits.feedLeaseMs)
    const next = { document: this.document, ...told, value: encodeState(held) }
    if (!isSame(present, next) && !(await writes.write({ present, next }))) return this.#forget()
    this.#mark = next
    this.#state = held
    // It could not go: somebody has changed the document since.
    if (isNothing(state) && this.#firstMs === null) this.changed([])
  }

  #forget(): void {
    this.#mark = null
    this.#state = nothingKept
  }

  #deliverAll(): void {
    if (this.#isClosed) return
    for (const line of this.#parts.lines) {
      const isWaiting = this.#state.waiting.has(line.name)
      const isPaused = this.#pauses.get(line.name)?.cancel != null
      if (!isWaiting || isPaused || this.#deliveries.has(line.name)) continue
      const delivering = this.#deliver(line).finally(() => {
        this.#deliveries.delete(line.name)
        this.#overIfIdle()
      })
      this.#deliveries.set(line.name, delivering)
    }
  }

  /** One event after the other, until none waits or one has failed. Never rejects. */
  async #deliver(line: OutletLine): Promise<void> {
    for (;;) {
      const event = this.#state.waiting.get(line.name)?.[0]
      if (event === undefined || this.#isClosed) return
      const failure = await line.deliver(this.document, event)
      if (failure?.kind === 'closed') return
      if (failure !== null && !this.#isDead(event, failure)) return this.#pause(line)
      this.#pauses.delete(line.name)
      await this.#step(() => this.#settled(line, event, failure))
    }
  }

  async #settled(line: OutletLine, event: StoredEvent, failure: Failure | null): Promise<void> {
    const { time, limits, log, dead } = this.#parts
    if (this.#mark === null) return
    if (failure === null) return this.#write(delivered(this.#state, line.name, event.id), this.#mark)
    const letter: DeadLetter = { ...event, reason: failure.reason.slice(0, 500), deadMs: time.wallMs() }
    await this.#write(died(this.#state, line.name, letter, limits.changeAuthorsMax), this.#mark)
    dead(line.name)
    log.error(
      { document: this.document, outlet: line.name, id: event.id, reason: letter.reason },
      'an event was given up: it is a dead letter now'
    )
  }

  #isDead({ atMs }: StoredEvent, { kind }: Failure): boolean {
    const { time, limits } = this.#parts
    return kind === 'final' || time.wallMs() - atMs >= limits.outletGiveUpMs
  }

  #pause(line: OutletLine): void {
    if (this.#isClosed) return
    const { time, limits, node } = this.#parts
    const pause = this.#pauses.get(line.name) ?? { failures: 0, cancel: null }
    this.#pauses.set(line.name, pause)
    pause.failures++
    const waitMs = line.retryMs(pause.failures)
    pause.cancel = time.after(waitMs, () => {
      pause.cancel = null
      this.#deliverAll()
      this.#overIfIdle()
    })
    if (node !== null) void this.#step(() => this.#holdFor(waitMs + limits.feedLeaseMs))
  }

  /** Others leave it to this node until after its next attempt. */
  async #holdFor(forMs: number): Promise<void> {
    const { writes } = this.#parts
    const present = this.#mark
    if (present === null) return
    const { incarnation, after } = present
    const held = this.#held(this.#state, forMs)
    const next = { document: this.document, incarnation, after, value: encodeState(held) }
    if (!(await writes.write({ present, next }))) return this.#forget()
    this.#mark = next
    this.#state = held
  }

  #overIfIdle(): void {
    const isPaused = [...this.#pauses.values()].some(({ cancel }) => cancel !== null)
    if (this.isPending || isPaused || this.#isClosed) return
    this.#over('done')
  }

  #over(why: 'done' | 'left'): void {
    this.close()
    this.#host.over(this, why)
  }
}

function isSame(one: ChangeMark, other: ChangeMark): boolean {
  const isSamePlace = one.incarnation === other.incarnation && one.after === other.after
  return isSamePlace && Buffer.compare(one.value, other.value) === 0
}
