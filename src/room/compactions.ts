/**
 * When a room's log is compacted: when it costs more than a share of the checkpoint, so that the total work stays
 * proportional to what was written; and before an idle room closes. One at a time, as each holds a whole document.
 */
import type { Store } from '../../persistence/store.ts'
import type { Compactor } from '../document/compactor.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Cancel, Time } from '../time.ts'
import { compactDocument } from './compaction.ts'
import type { Room } from './room.ts'

type Parts = {
  readonly store: Store
  readonly compactor: Compactor
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class Compactions {
  readonly #parts: Parts
  /** Under way or waiting for their turn. Bounded by the number of rooms. */
  readonly #running = new Map<Room, Promise<void>>()
  #turn: Promise<void> = Promise.resolve()
  #cancelRest: Cancel = () => {}
  /** After an attempt that failed: what the log must cost before the next one. */
  readonly #floors = new WeakMap<Room, number>()
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Starts a compaction if the log has grown enough and none is running. Cheap: called after every commit. */
  consider(room: Room): void {
    if (this.#running.has(room) || this.#isClosed) return
    if (this.#cost(room) > this.#threshold(room)) this.#start(room)
  }

  /** Resolves when none of this room is under way. Never rejects. */
  over(room: Room): Promise<void> {
    return this.#running.get(room) ?? Promise.resolve()
  }

  /** The compaction that the room should wait for before it closes, or null. */
  beforeClose(room: Room): Promise<void> | null {
    const running = this.#running.get(room)
    if (running !== undefined) return running
    if (this.#isClosed || this.#floors.has(room)) return null
    const { records } = room.document.tail
    const isLong = records >= this.#parts.limits.compactionRecordsAtClose
    return isLong || this.#cost(room) > this.#threshold(room) ? this.#start(room) : null
  }

  /** No new ones; resolves when those under way are over, which closing the worker hastens. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelRest()
    await Promise.all(this.#running.values())
  }

  #cost({ document: { tail } }: Room): number {
    return tail.bytes + tail.records * this.#parts.limits.recordOverheadBytes
  }

  #threshold(room: Room): number {
    const { compactionBytesMin, compactionRatio } = this.#parts.limits
    const checkpointBytes = room.document.checkpoint?.bytes ?? 0
    return Math.max(this.#floors.get(room) ?? compactionBytesMin, compactionRatio * checkpointBytes)
  }

  #start(room: Room): Promise<void> {
    this.#cancelRest()
    this.#turn = this.#turn.then(() => this.#compact(room)).finally(() => this.#ended(room))
    this.#running.set(room, this.#turn)
    return this.#turn
  }

  #ended(room: Room): void {
    this.#running.delete(room)
    if (this.#running.size > 0 || this.#isClosed) return
    const { time, limits, compactor } = this.#parts
    this.#cancelRest = time.after(limits.workerIdleMs, () => compactor.rest())
  }

  /** Never rejects. */
  async #compact(room: Room): Promise<void> {
    const { metrics, log } = this.#parts
    if (this.#isClosed || room.isEnded) return
    try {
      const compacted = await compactDocument(room.name, this.#parts)
      metrics.compacted(compacted === null ? 'superseded' : 'written')
      if (compacted === null) return
      this.#floors.delete(room)
      for (const { author } of compacted.refused) {
        log.error({ document: room.name, author }, 'an update could not be integrated; set aside')
      }
      room.compacted(compacted)
      // What is carried over (updates that wait for others) must not start the next one at once.
      if (this.#cost(room) > this.#threshold(room)) this.#floors.set(room, 2 * this.#cost(room))
    } catch (error) {
      if (this.#isClosed) return
      metrics.compacted('failed')
      log.error({ error, document: room.name }, 'compaction failed; the document stays as it is')
      this.#floors.set(room, 2 * this.#cost(room))
    }
  }
}
