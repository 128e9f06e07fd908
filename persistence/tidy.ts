/**
 * Gives the disk its space back: LevelDB keeps removed values until it happens to merge the files they lie
 * in. After quiet, the key ranges of the documents that freed much are compacted, each by itself: a range
 * over many documents would rewrite the whole store.
 */
import { bounds } from './bounds.ts'
import { type KeyRange, numberMax, recordRange, segmentRange } from './format.ts'
import type { OrderedDatabase } from './ordered.ts'
import type { OnReport } from './reports.ts'
import { asStoreError, type Session } from './session.ts'

/** Calls `work` once after `delayMs`; the result cancels it. The default is an unreferenced `setTimeout`. */
export type Schedule = (delayMs: number, work: () => void) => () => void

export const scheduleByTimer: Schedule = (delayMs, work) => {
  const timer = setTimeout(work, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}

export class Tidy {
  readonly #schedule: Schedule
  readonly #onReport: OnReport
  /** Bytes freed and not compacted yet, by incarnation. */
  readonly #freed = new Map<number, number>()
  #cancel: (() => void) | null = null

  constructor(schedule: Schedule, onReport: OnReport) {
    this.#schedule = schedule
    this.#onReport = onReport
  }

  /** Some bytes of an incarnation were removed; the figure may be an estimate. */
  freed(session: Session, incarnation: number, bytes: number): void {
    const before = this.#freed.get(incarnation)
    // Past the bound LevelDB's own merging has to do; a document forgotten here comes back with its next
    // removal.
    if (before === undefined && this.#freed.size >= bounds.compactIncarnationsMax) return
    this.#freed.set(incarnation, (before ?? 0) + bytes)
    if ((before ?? 0) + bytes >= bounds.compactFreedBytesMin) this.#arm(session)
  }

  /** Cancels the timer, and compacts what little there is, if that can be. The session calls it when nothing else runs. */
  async close(database: OrderedDatabase | null): Promise<void> {
    this.#cancel?.()
    this.#cancel = null
    if (database === null) return
    const due = this.#due()
    if (sum(due) > bounds.compactFreedBytesAtClose) return
    for (const range of due.flatMap(rangesOf)) await database.compactRange(range.from, range.to)
  }

  #arm(session: Session): void {
    const due = this.#due()
    if (session.isClosing || due.length === 0) return
    this.#cancel?.()
    const delayMs = sum(due) >= bounds.compactFreedBytesUrgent ? 0 : bounds.compactQuietMs
    this.#cancel = this.#schedule(delayMs, () => {
      this.#cancel = null
      this.#run(session).catch(error => {
        this.#onReport({ kind: 'compaction-failed', cause: asStoreError(error) })
      })
    })
  }

  async #run(session: Session): Promise<void> {
    if (session.isClosing) return
    const due = this.#due()
    for (const { incarnation } of due) this.#freed.delete(incarnation)
    const ranges = due.flatMap(rangesOf)
    await session.operation(async () => {
      // One read per range: a reopening waits for one range at most.
      for (const range of ranges) {
        if (session.isClosing) return
        await session.read(database => database.compactRange(range.from, range.to))
      }
    })
    this.#onReport({ kind: 'compacted', ranges: ranges.length, freedBytes: sum(due) })
    this.#arm(session)
  }

  /** What is worth compacting now, most freed first. */
  #due(): Freed[] {
    return [...this.#freed]
      .map(([incarnation, bytes]) => ({ incarnation, bytes }))
      .filter(({ bytes }) => bytes >= bounds.compactFreedBytesMin)
      .sort((left, right) => right.bytes - left.bytes)
      .slice(0, bounds.compactDocumentsMax)
  }
}

type Freed = { readonly incarnation: number; readonly bytes: number }

function rangesOf({ incarnation }: Freed): KeyRange[] {
  return [recordRange(incarnation, 0, numberMax), segmentRange(incarnation, 0, numberMax)]
}

function sum(freed: readonly Freed[]): number {
  return freed.reduce((total, { bytes }) => total + bytes, 0)
}
