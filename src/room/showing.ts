/**
 * What is in the log and members are to be sent, in order. What other nodes wrote comes one record at a time, and each
 * would be a socket write for every member: in a busy room it is gathered, and leaves with the room's own.
 */
import type { Cancel, Time } from '../base/time.ts'
import type { Sent } from './broadcast.ts'

/** `sequence`: of the last record that they are of. `whose`: `own` if any of them are. */
export type Showable = {
  readonly updates: readonly Sent[]
  readonly sequence: number
  readonly whose: 'own' | 'foreign'
}

type Parts = {
  readonly time: Pick<Time, 'nowMs' | 'after'>
  /** How long after it was last shown something a room waits for more, in ms. */
  windowMs(): number
  /** What this room is writing is shown soon, and takes along what waits. */
  isWriting(): boolean
  show(showable: Showable): void
}

/** Bytes that wait; with more, waiting saves nothing worth its while. */
const gatheredBytesMax = 64 * 1024

export class Showing {
  readonly #parts: Parts
  #gathered: Sent[] = []
  #bytes = 0
  #sequence = 0
  #shownAtMs = Number.NEGATIVE_INFINITY
  #cancel: Cancel | null = null

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Of the room's own, which were gathered before they were written: shown now, and what waits before them. */
  own(updates: readonly Sent[], sequence: number): void {
    this.#take(updates, sequence)
    this.#show('own')
  }

  /** Of another node's. */
  foreign(updates: readonly Sent[], sequence: number): void {
    this.#take(updates, sequence)
    if (this.#cancel !== null && this.#bytes <= gatheredBytesMax) return
    const windowMs = this.#parts.windowMs()
    const waitMs = this.#shownAtMs + windowMs - this.#parts.time.nowMs()
    if (waitMs <= 0 || this.#bytes > gatheredBytesMax) return this.#show('foreign')
    this.#cancel = this.#parts.time.after(waitMs, () => this.#isDue(windowMs))
  }

  /** What waits does so no longer. */
  flush(): void {
    if (this.#cancel !== null) this.#show('foreign')
  }

  /** Nothing is shown any more. */
  close(): void {
    this.#cancel?.()
    this.#gathered = []
  }

  #take(updates: readonly Sent[], sequence: number): void {
    for (const sent of updates) {
      this.#gathered.push(sent)
      this.#bytes += sent.update.length
    }
    this.#sequence = sequence
  }

  #isDue(windowMs: number): void {
    if (!this.#parts.isWriting()) return this.#show('foreign')
    this.#cancel = this.#parts.time.after(windowMs / 2, () => this.#show('foreign'))
  }

  #show(whose: 'own' | 'foreign'): void {
    this.#cancel?.()
    this.#cancel = null
    this.#shownAtMs = this.#parts.time.nowMs()
    const updates = this.#gathered
    this.#gathered = []
    this.#bytes = 0
    this.#parts.show({ updates, sequence: this.#sequence, whose })
  }
}
