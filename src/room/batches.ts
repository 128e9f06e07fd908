/**
 * What a room has accepted and what of it is durable: updates are numbered, gathered into a batch, offered to the
 * journal and taken by it. It knows neither members nor what an update holds.
 */

import type { Cancel, Time } from '../base/time.ts'
import { encodeRecord, type LoggedUpdate } from '../document/record.ts'
import type { BatchWriter, Journal } from './journal.ts'

type Parts = {
  readonly journal: Journal
  readonly time: Time
  /** How long after the batch before this one is gathered, in ms. */
  windowMs(): number
}

const nothing = new Uint8Array()

/** `settled`: it gets a record of its own. */
type Gathered = LoggedUpdate & { readonly settled?: unknown }

export class Batches<T extends Gathered> {
  readonly #writer: BatchWriter
  readonly #parts: Parts
  /** Accepted and not yet taken by the journal; taken and not yet durable. Bounded by `uncommittedBytesMax`. */
  #gathered: T[] = []
  #writing: T[] = []
  #record: Uint8Array = nothing
  #scannedTicket = 0
  #durableTicket = 0
  /** When the journal last took a batch; and, while it has been or will be offered one, how to take that back. */
  #takenAtMs = Number.NEGATIVE_INFINITY
  #cancelOffer: Cancel | null = null

  /** `writer`: in whose name the journal is offered what is gathered. */
  constructor(writer: BatchWriter, parts: Parts) {
    this.#writer = writer
    this.#parts = parts
  }

  /** The number of the last update that was accepted. */
  get scannedTicket(): number {
    return this.#scannedTicket
  }

  /** The number up to which everything is durable. */
  get durableTicket(): number {
    return this.#durableTicket
  }

  get isDurable(): boolean {
    return this.#durableTicket === this.#scannedTicket
  }

  /** Updates that the journal has taken, in order. */
  get writing(): readonly T[] {
    return this.#writing
  }

  /** Numbers an update and sees to it that the journal takes it. */
  add(accepted: T): void {
    this.#scannedTicket++
    this.#gathered.push(accepted)
    this.#offer()
  }

  /** Hands what is gathered to the journal without waiting for more. */
  flush(): void {
    if (this.#cancelOffer === null) return
    this.#cancelOffer()
    this.#parts.journal.enqueue(this.#writer)
  }

  /** What is gathered, up to what gets a record of its own, as one record; null when there is nothing. */
  take(): Uint8Array | null {
    this.#cancelOffer = null
    this.#takenAtMs = this.#parts.time.nowMs()
    if (this.#gathered.length === 0) return null
    const gathered = this.#gathered
    const first = gathered.findIndex(({ settled }) => settled !== undefined)
    // What comes before it, or it by itself; what is left is offered when that is written.
    this.#writing = first < 0 ? gathered : gathered.slice(0, Math.max(first, 1))
    this.#gathered = gathered.slice(this.#writing.length)
    this.#record = encodeRecord(this.#writing)
    return this.#record
  }

  /** What was taken is in the store. Returns it, and the record that it is there. */
  written(): { batch: readonly T[]; record: Uint8Array } {
    const written = { batch: this.#writing, record: this.#record }
    this.#writing = []
    this.#record = nothing
    if (this.#gathered.length > 0) this.#offer()
    return written
  }

  /** So many of those that were written, in order, count as durable: whoever waits for them may be told. */
  settle(count: number): void {
    this.#durableTicket += count
  }

  /** Drops what the journal has not taken. */
  abandon(): void {
    this.#gathered = []
    this.#cancelOffer?.()
  }

  /**
   * Hands over to the journal: at once in a quiet room; in a busy one some milliseconds after the batch before, so that
   * what came meanwhile costs one synced write, and each member one socket write, together.
   */
  #offer(): void {
    if (this.#cancelOffer !== null) return
    const { time, journal } = this.#parts
    const waitMs = this.#takenAtMs + this.#parts.windowMs() - time.nowMs()
    const offer = () => journal.enqueue(this.#writer)
    if (waitMs > 0) this.#cancelOffer = time.after(waitMs, offer)
    else {
      this.#cancelOffer = () => {}
      offer()
    }
  }
}
