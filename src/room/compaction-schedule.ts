/**
 * When a room's log is compacted: when it costs more than a share of the checkpoint, so that the total work stays
 * proportional to what was written; and before an idle room closes. One at a time in each of two lanes, as each holds
 * a whole document: those that take long wait for one another, and nobody waits for them.
 */
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { type CompactionLane, isDeadline, type Workers } from '../document/workers.ts'
import type { Compaction, Histories } from '../history/histories.ts'
import { type Compacted, compactDocument } from './compaction.ts'
import type { Nodes } from './nodes.ts'
import type { Room } from './room.ts'
import { SharedCompactions } from './shared-compactions.ts'
import { Uncompacted } from './uncompacted.ts'

type Parts = {
  readonly store: Store
  readonly workers: Workers
  /** Null: this node is the only one. */
  readonly nodes: Nodes | null
  readonly slices: Slices
  /** Null: no document has a history. */
  readonly histories: Histories | null
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class CompactionSchedule {
  readonly #parts: Parts
  readonly #uncompacted: Uncompacted
  readonly #shared: SharedCompactions | null
  /** Under way or waiting for their turn. Bounded by the number of rooms. */
  readonly #running = new Map<Room, Promise<void>>()
  readonly #turns: Record<CompactionLane, Promise<unknown>> = {
    quick: Promise.resolve(),
    long: Promise.resolve()
  }
  /** After an attempt that failed through no fault of the document: what the log must cost before the next one. */
  readonly #floors = new WeakMap<Room, number>()
  /** What was compacted and is not sealed yet. */
  readonly #unsealed = new WeakMap<Room, Compaction>()
  /** Up to which record the last compaction of a room has judged all. */
  readonly #judgedTo = new WeakMap<Room, number>()
  /** Rooms whose documents were deleted while they were compacted. */
  readonly #deleted = new WeakSet<Room>()
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
    const { nodes } = parts
    this.#uncompacted = new Uncompacted(parts, { keys: nodes === null ? 'one' : 'each' })
    this.#shared =
      nodes === null ? null : new SharedCompactions({ ...parts, nodes, uncompacted: this.#uncompacted })
  }

  /** How many documents could not be compacted and are served as they are. */
  get uncompacted(): number {
    return this.#uncompacted.count
  }

  /** Takes up what the store knows of those. Rejects with what the store rejects with. */
  restore(): Promise<void> {
    return this.#uncompacted.restore()
  }

  /** Starts a compaction if the log has grown enough and none is running. Cheap: called after every commit. */
  consider(room: Room): void {
    if (this.#running.has(room) || this.#isClosed) return
    if (this.#cost(room) > this.#threshold(room) && this.#isDue(room)) this.#start(room)
  }

  #isDue(room: Room): boolean {
    return this.#uncompacted.isDue(room.name) && (this.#shared === null || this.#shared.mayAsk(room))
  }

  /** Resolves when none of this room is under way. Never rejects. */
  over(room: Room): Promise<void> {
    return this.#running.get(room) ?? Promise.resolve()
  }

  /**
   * Compacts the room whatever its log costs, and seals it: whether all records up to this one have been judged. False also
   * where it is another node's turn, or the room has ended. Never rejects.
   */
  async compactNow(room: Room, sequence: number): Promise<boolean> {
    const isJudged = () => (this.#judgedTo.get(room) ?? 0) >= sequence
    // One that is under way may have read the log before this record was there.
    await this.over(room)
    if (isJudged()) return true
    if (this.#isClosed || room.isEnded || room.isAdopting) return false
    await (this.#running.get(room) ?? this.#start(room))
    return isJudged()
  }

  /** The compaction that the room should wait for before it closes, or null. */
  beforeClose(room: Room): Promise<void> | null {
    const running = this.#running.get(room)
    if (running !== undefined) return running
    if (this.#isClosed || this.#floors.has(room) || !this.#isDue(room)) return null
    const { records } = room.document.tail
    const isLong = records >= this.#parts.limits.compactionRecordsAtClose
    return isLong || this.#cost(room) > this.#threshold(room) ? this.#start(room) : null
  }

  /**
   * The server is about to stop: rooms with long logs are compacted, those first that cost most to read again, as far as
   * `compactionStopMs` goes. Where there are other nodes they do so when it is due. Never rejects.
   */
  async beforeStop(rooms: readonly Room[]): Promise<void> {
    if (this.#shared !== null) return
    const { time, limits } = this.#parts
    let isLate = false
    let cancel = () => {}
    const late = new Promise<void>(resolve => {
      cancel = time.after(limits.compactionStopMs, () => {
        isLate = true
        resolve()
      })
    })
    for (const room of [...rooms].sort((one, other) => this.#cost(other) - this.#cost(one))) {
      if (isLate) break
      await Promise.race([this.beforeClose(room), late])
    }
    cancel()
  }

  /** The document was deleted. */
  forget(document: string): void {
    for (const room of this.#running.keys()) if (room.name === document) this.#deleted.add(room)
    this.#uncompacted.deleted(document)
  }

  /** The room has another checkpoint. What is carried over (updates that wait for others) must not start the next one at once. */
  checkpointReplaced(room: Room): void {
    this.#floors.delete(room)
    this.#uncompacted.compactedElsewhere(room.name)
    if (this.#cost(room) > this.#threshold(room)) this.#floors.set(room, 2 * this.#cost(room))
  }

  /** No new ones; resolves when those under way are over, which closing the worker hastens. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#running.values())
    await this.#uncompacted.settled()
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
    this.#shared?.judged(room)
    const sealed = this.#inTurn(room).then(() => this.#seal(room))
    const running = sealed.finally(() => this.#running.delete(room))
    this.#running.set(room, running)
    return running
  }

  async #inTurn(room: Room): Promise<void> {
    const isKnown = this.#uncompacted.has(room.name)
    if (!isKnown && (await this.#turn('quick', room)) === 'over') return
    await this.#turn('long', room)
  }

  /** Out of turn: whoever waits for one compacts meanwhile. Never rejects. */
  async #seal(room: Room): Promise<void> {
    const unsealed = this.#unsealed.get(room)
    this.#unsealed.delete(room)
    if (unsealed !== undefined) await this.#parts.histories?.seal(room.name, unsealed)
  }

  #turn(lane: CompactionLane, room: Room): Promise<'over' | 'too-long'> {
    const turn = this.#turns[lane].then(() => this.#compactInTurn(room, lane))
    this.#turns[lane] = turn
    return turn
  }

  /** Never rejects. */
  async #compactInTurn(room: Room, lane: CompactionLane): Promise<'over' | 'too-long'> {
    if (this.#isClosed || room.isEnded) return 'over'
    if (this.#shared === null) return this.#compact(room, lane)
    const work = () => this.#compact(room, lane)
    const holding = this.#shared.holding(room, work, { more: outcome => outcome === 'too-long' })
    const outcome = await holding.catch(error => {
      this.#parts.log.warn({ error, document: room.name }, 'the lease of a compaction cannot be had')
    })
    return outcome ?? 'over'
  }

  /** Never rejects. */
  async #compact(room: Room, lane: CompactionLane): Promise<'over' | 'too-long'> {
    try {
      const parts = { ...this.#parts, lane, isShared: this.#shared !== null }
      const compacted =
        this.#shared === null
          ? await compactDocument(room.name, parts)
          : await this.#shared.compact(room, parts)
      this.#parts.metrics.compacted(compacted === null ? 'superseded' : 'written')
      if (compacted !== null) this.#compacted(room, compacted)
    } catch (error) {
      if (this.#isClosed) return 'over'
      if (lane === 'quick' && isDeadline(error)) return 'too-long'
      this.#failed(room, error)
    }
    return 'over'
  }

  #compacted(room: Room, compacted: Compacted): void {
    this.#uncompacted.forget(room.name)
    for (const { author } of compacted.refused) {
      this.#parts.log.error({ document: room.name, author }, 'an update could not be integrated; set aside')
    }
    this.#judgedTo.set(room, compacted.sequence)
    room.compacted(compacted)
    if (compacted.toSeal !== null) this.#unsealed.set(room, compacted.toSeal)
  }

  #failed(room: Room, error: unknown): void {
    const { metrics, log } = this.#parts
    metrics.compacted('failed')
    log.error({ error, document: room.name }, 'compaction failed; the document stays as it is')
    if (!isOfDocument(error)) this.#floors.set(room, 2 * this.#cost(room))
    else if (!this.#deleted.has(room)) this.#uncompacted.failed(room.name, error.code)
  }
}

/** Whether it was the document that could not be compacted: it took too long, or the worker failed of it. */
function isOfDocument(error: unknown): error is Fault {
  if (!(error instanceof Fault)) return false
  return error.code !== 'ERR_OVERLOADED' && error.code !== 'ERR_GOING_DOWN' && error.code !== 'ERR_STORE'
}
