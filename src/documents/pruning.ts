/**
 * What is to be forgotten may still be in the log, as the newest edits are: a prune compacts the document as far as that
 * goes, and then takes it out of the history.
 */
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { recordHead } from '../document/record.ts'
import type { Histories, Pruned } from '../history/histories.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import type { Rooms } from '../room/rooms.ts'
import { orStoreFault } from '../room/store-fault.ts'

type Parts = {
  readonly rooms: Rooms
  readonly compactions: Pick<CompactionSchedule, 'compactNow'>
  readonly store: Pick<Store, 'load'>
  readonly histories: Histories
  readonly time: Time
  readonly limits: Limits
}

/** How long it waits when another node compacts the document; doubled each time. */
const firstWaitMs = 50

export class Pruning {
  readonly #parts: Parts
  /** Ends the rests that are under way. */
  readonly #rests = new Set<() => void>()
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Contents from before a time (since the epoch) go, of a document that has a history. Rejects with ERR_DELETED when it is
   * gone, ERR_OVERLOADED when the log could not be compacted: then nothing was pruned.
   */
  async prune(document: string, beforeMs: number): Promise<Pruned> {
    try {
      await this.#emptyLog(document, beforeMs)
      const pruned = await this.#parts.histories.prune(document, beforeMs)
      if (pruned === null) throw new Fault('ERR_DELETED')
      return pruned
    } catch (error) {
      throw orStoreFault(error)
    }
  }

  /** What rests before it tries again is given up (ERR_GOING_DOWN). Leaves no timer. */
  close(): void {
    this.#isClosed = true
    for (const end of this.#rests) end()
  }

  /** Updates that wait for others stay in the log all the same. */
  async #emptyLog(document: string, beforeMs: number): Promise<void> {
    const { historyTriesMax } = this.#parts.limits
    for (let tries = 0; tries < historyTriesMax; tries++) {
      if (tries > 0 && !this.#isClosed) await this.#rest(firstWaitMs * 2 ** (tries - 1))
      if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
      const sequence = await this.#lastBefore(document, beforeMs)
      if (sequence === null || (await this.#compact(document, sequence))) return
    }
    const why = 'the log of the document could not be compacted, and may hold what is to go; ask again later'
    throw new Fault('ERR_OVERLOADED', why)
  }

  /** The last record in the log that is from before the time; null: there is none. */
  async #lastBefore(document: string, beforeMs: number): Promise<number | null> {
    const { records } = await this.#parts.store.load(document)
    return records.findLast(({ record }) => recordHead(record).timeMs < beforeMs)?.sequence ?? null
  }

  async #compact(document: string, sequence: number): Promise<boolean> {
    const { rooms, compactions } = this.#parts
    const room = await rooms.open(document)
    const letGo = room.keep()
    try {
      return await compactions.compactNow(room, sequence)
    } finally {
      letGo()
    }
  }

  #rest(ms: number): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        cancel()
        this.#rests.delete(end)
        resolve()
      }
      const cancel = this.#parts.time.after(ms, end)
      this.#rests.add(end)
    })
  }
}
