/**
 * Follows the log of one document in a store that several nodes write to, on behalf of its room: shows every record once
 * and in the log's order, waits a moment for one that is late, and reads from the store what does not come. It decides
 * when to read; the order is `LogOrder`'s, what showing means is the room's.
 */
import type { Floor, RecordIdentity, RecordsAfter } from '../../persistence/store.ts'
import type { Log } from '../base/log.ts'
import type { Cancel, Time } from '../base/time.ts'
import { type Learned, LogOrder, type Next, type Position, type Start } from './log-order.ts'
import { Waiting } from './waiting.ts'

/** Reads the records of this life after a number, as many as the store hands over at once. */
export type LogSource = { after(sequence: number): Promise<RecordsAfter> }

/**
 * Why what a node has of a document is of no use any more. `went-back`: the store has something else where this node was
 * given a record. `behind`: what comes next has been merged away, or a life was missed: it can only be loaded. `broken`: a
 * record could not be shown.
 */
export type LogEnd = 'deleted' | 'went-back' | 'behind' | 'broken'

/** What the store says of a log, and what was shown here when it was asked. */
export type HeadSeen = {
  readonly head: number
  readonly visible: number
  readonly identity: RecordIdentity | null
}

/** Own batches are whatever the room calls them. The calls come one after another, in the log's order. */
export type LogHost<Own> = {
  /** A batch of the room's own is being appended: a record of this node may be that one, and its answer says so. */
  isAppending(): boolean
  showOwn(own: Own, sequence: number): void
  /** Resolves when it is shown, for what takes long. Keeps the array. */
  showForeign(record: Uint8Array, sequence: number): Promise<void> | null
  isOver(why: LogEnd): void
}

type Limits = {
  readonly foreignBytesMax: number
  readonly gapWaitMs: number
  readonly gapRetryMs: number
}

type Parts<Own> = {
  readonly node: string
  readonly source: LogSource
  readonly host: LogHost<Own>
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

export class FollowedLog<Own> {
  readonly #parts: Parts<Own>
  readonly #order: LogOrder<Own>
  /** For numbers to be shown. */
  readonly #waiting = new Waiting()
  /** The last number of an own batch: what is under way gets a higher one. */
  #ownUpto = 0
  #isShowing = false
  #isReading = false
  #isClosed = false
  #cancelWait: Cancel | null = null

  /** `start`: the last record of what the room was loaded with. */
  constructor(start: Start | null, parts: Parts<Own>) {
    this.#parts = parts
    this.#order = new LogOrder(start, { heldBytesMax: parts.limits.foreignBytesMax })
    this.#waiting.reached(this.#order.visible)
  }

  /** Everything up to this number was shown. */
  get visible(): number {
    return this.#order.visible
  }

  /** Everything that this node knows of is shown, which is up to this number; null: something is not yet. */
  get complete(): number | null {
    return this.#isShowing || this.#order.missing !== null ? null : this.#order.visible
  }

  /** A record of this node's own was appended that its room does not know as a batch: shown as if it were another's. */
  appendedRecord(position: Position, record: Uint8Array): void {
    if (this.#isClosed) return
    this.#ownUpto = position.sequence
    if (this.#order.learned(position, record) === 'contradicted') return this.#end('went-back')
    this.#show()
  }

  /** A batch of this node's own was appended: shown in its turn. */
  appended(position: Position, own: Own): void {
    if (this.#isClosed) return
    this.#ownUpto = position.sequence
    const learned = this.#order.appended(position, own)
    if (learned === 'contradicted') return this.#end('went-back')
    // Its bytes were shown as another's; to its room it is the own batch all the same.
    if (learned === 'repeated') void this.#shown({ type: 'own', position, own })
    this.#show()
  }

  /** Another node tells of a record; `record` is null where it was too large to be told. */
  heard(position: Position, record: Uint8Array | null): void {
    if (this.#isClosed) return
    if (record === null) this.#order.reaches(position.sequence)
    else if (this.#learned(position, record) === 'contradicted') return this.#end('went-back')
    this.#show()
  }

  /**
   * The store's log reached up to `head` when everything up to `visible` was shown here; `identity` is of that number,
   * null where the store no longer knows. What is missing is read at once: nobody else will bring it.
   */
  headIs({ head, visible, identity }: HeadSeen): void {
    if (this.#isClosed) return
    const isOther = identity !== null && !this.#order.agrees({ sequence: visible, identity })
    if (head < visible || isOther) return this.#end('went-back')
    if (identity !== null) this.#order.identified({ sequence: visible, identity })
    this.#order.reaches(head)
    if (this.#order.missing !== null) void this.#read()
  }

  /**
   * The store has no such life, or another one: it was deleted, unless a number is known here that the store has never
   * given out. `floor`: as the store says.
   */
  isOver(floor: Floor): void {
    this.#end(floor === null || floor >= this.#order.end ? 'deleted' : 'went-back')
  }

  /** What is known of the document is not enough to go on. */
  isBehind(): void {
    this.#end('behind')
  }

  /** Resolves when everything up to the number is shown. Rejects with what `close` is given. */
  reached(sequence: number): Promise<void> {
    return this.#waiting.until(sequence)
  }

  /** Nothing is shown any more. */
  close(error: unknown): void {
    this.#isClosed = true
    this.#cancelWait?.()
    this.#waiting.failed(error)
  }

  #learned(position: Position, record: Uint8Array): Learned {
    const { node, host } = this.#parts
    const isOwn = position.identity.node === node && position.sequence > this.#ownUpto
    if (!isOwn || !host.isAppending()) return this.#order.learned(position, record)
    this.#order.reaches(position.sequence)
    return 'dropped'
  }

  #end(why: LogEnd): void {
    if (!this.#isClosed) this.#parts.host.isOver(why)
  }

  #show(): void {
    if (this.#isShowing) return
    this.#isShowing = true
    this.#showNext()
  }

  #showNext(): void {
    for (let next = this.#next(); next !== null; next = this.#next()) {
      const showing = this.#shown(next)
      if (showing !== null) return void this.#after(showing)
    }
    this.#isShowing = false
    if (this.#isClosed) return
    this.#waiting.reached(this.#order.visible)
    this.#awaitMissing()
  }

  #next() {
    return this.#isClosed ? null : this.#order.next()
  }

  /** A promise where it takes long. Never throws. */
  #shown(next: Next<Own>): Promise<void> | null {
    const { host } = this.#parts
    try {
      if (next.type === 'foreign') return host.showForeign(next.record, next.position.sequence)
      host.showOwn(next.own, Math.max(next.position.sequence, this.#order.visible))
    } catch (error) {
      this.#broken(error)
    }
    return null
  }

  async #after(showing: Promise<void>): Promise<void> {
    await showing.catch((error: unknown) => this.#broken(error))
    this.#showNext()
  }

  /** What comes next hangs on what is not shown: whoever is here finds all of it in the store. */
  #broken(error: unknown): void {
    if (this.#isClosed) return
    this.#parts.log.error(
      { error },
      'a record of a shared log could not be shown; the room ends on this node'
    )
    this.#end('broken')
    this.#isClosed = true
  }

  /** Usually the record is on its way: half a millisecond later it is here. */
  #awaitMissing(): void {
    if (this.#order.missing !== null) return this.#readAfter(this.#parts.limits.gapWaitMs)
    this.#cancelWait?.()
    this.#cancelWait = null
  }

  #readAfter(delayMs: number): void {
    if (this.#isReading) return
    this.#cancelWait ??= this.#parts.time.after(delayMs, () => {
      this.#cancelWait = null
      void this.#read()
    })
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    if (this.#isReading || this.#isClosed) return
    this.#isReading = true
    try {
      while (await this.#readSome());
    } catch (error) {
      this.#parts.log.warn({ error }, 'records of other nodes could not be read; tried again')
    }
    this.#isReading = false
    const isMissing = !this.#isClosed && this.#order.missing !== null
    if (isMissing && !this.#isShowing) this.#readAfter(this.#parts.limits.gapRetryMs)
  }

  /** Whether it is worth reading on at once. */
  async #readSome(): Promise<boolean> {
    if (this.#isClosed || this.#isShowing || this.#order.missing === null) return false
    const read = await this.#parts.source.after(this.#order.visible)
    if (this.#isClosed) return false
    if (read.outcome !== 'records') {
      if (read.outcome === 'gone') this.isOver(read.floor)
      else this.#end('behind')
      return false
    }
    const before = this.#order.visible
    const [first] = read.records
    if (first !== undefined) this.#order.begin(first.sequence)
    for (const stored of read.records) {
      if (this.#learned(stored, stored.record) === 'contradicted') {
        this.#end('went-back')
        return false
      }
      // What is next leaves at once, so that there is room for what follows.
      this.#show()
    }
    // Nothing new: the store is behind what the bus says, and is asked again a little later.
    return this.#order.visible > before
  }
}
