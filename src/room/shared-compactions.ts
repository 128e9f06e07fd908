/**
 * Compaction of documents that other nodes may have open too: one node at a time, whoever has taken the document's lease.
 * It first takes up what others have merged. A holder that stands still does no harm: a checkpoint is compare-and-set.
 */
import type { Store } from '../../persistence/store.ts'
import { hashedName } from '../base/hashed-name.ts'
import type { Log } from '../base/log.ts'
import type { Cancel, Time } from '../base/time.ts'
import { type Compacted, type CompactionParts, compactLoaded } from './compaction.ts'
import type { Nodes } from './nodes.ts'
import type { Room } from './room.ts'
import type { Uncompacted } from './uncompacted.ts'

type Parts = {
  readonly store: Store
  readonly nodes: Nodes
  readonly time: Time
  readonly limits: { readonly compactionLeaseMs: number; readonly compactionLookMs: number }
  readonly log: Log
  readonly uncompacted: Uncompacted
}

export class SharedCompactions {
  readonly #parts: Parts
  /** Rooms whose documents another node compacts, or that could do nothing: not before this time again. */
  readonly #notBeforeMs = new WeakMap<Room, number>()

  /** The checkpoint that each room had when its log was found to cost too much. */
  readonly #judged = new WeakMap<Room, number>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Whether it is worth asking for the document's lease: its room is asked after every commit. */
  mayAsk(room: Room): boolean {
    return !room.isAdopting && this.#parts.time.nowMs() >= (this.#notBeforeMs.get(room) ?? 0)
  }

  /** The room's log costs too much: worth a compaction unless there is another checkpoint by then. */
  judged(room: Room): void {
    this.#judged.set(room, room.document.checkpoint?.generation ?? 0)
  }

  /**
   * Runs the work if this node has or gets the lease; null: it does not. The lease is kept while the work runs, and after
   * it if there is `more` to come, which asks again. Rejects with what the store or the work rejects with.
   */
  async holding<T>(
    room: Room,
    work: () => Promise<T>,
    { more }: { more: (result: T) => boolean }
  ): Promise<T | null> {
    this.#rest(room)
    if (!(await this.#lease(room, this.#parts.limits.compactionLeaseMs))) return null
    const cancel = this.#keep(room)
    let isToCome = false
    try {
      const result = await work()
      isToCome = more(result)
      return result
    } finally {
      cancel()
      // What was found out of the document is there for whoever has the lease next.
      await this.#parts.uncompacted.settled()
      if (!isToCome) await this.#lease(room, 0).catch(error => this.#notKept(room, error))
    }
  }

  /** With the lease. Null: others have done it, or it would come to nothing. Rejects as `compactDocument` does. */
  async compact(room: Room, parts: CompactionParts): Promise<Compacted | null> {
    const { uncompacted, store, nodes } = this.#parts
    await uncompacted.learn(room.name)
    if (!uncompacted.isDue(room.name)) return null
    const loaded = await store.load(room.name)
    const isAsJudged = (loaded.checkpoint?.generation ?? 0) === this.#judged.get(room)
    if (!isAsJudged || loaded.incarnation !== room.life.incarnation) {
      // The room judges anew when it has taken this up.
      room.found(loaded)
      return null
    }
    const compacted = await compactLoaded(room.name, loaded, parts)
    if (compacted !== null) {
      this.#notBeforeMs.delete(room)
      nodes.announceChange(room.name)
    }
    return compacted
  }

  #rest(room: Room): void {
    this.#notBeforeMs.set(room, this.#parts.time.nowMs() + this.#parts.limits.compactionLookMs)
  }

  #lease(room: Room, ms: number): Promise<boolean> {
    const { store, nodes } = this.#parts
    return store.lease(`compaction/${hashedName(room.name)}`, nodes.node, ms)
  }

  /** Until the returned function is called. Should it be lost all the same, the work is only done twice. */
  #keep(room: Room): Cancel {
    const { time, limits } = this.#parts
    let cancel: Cancel = () => {}
    const later = () => {
      cancel = time.after(limits.compactionLeaseMs / 3, () => {
        this.#lease(room, limits.compactionLeaseMs).catch(error => this.#notKept(room, error))
        later()
      })
    }
    later()
    return () => cancel()
  }

  #notKept(room: Room, error: unknown): void {
    const { log } = this.#parts
    log.warn({ error, document: room.name }, 'the lease of a compaction could be neither kept nor given up')
  }
}
