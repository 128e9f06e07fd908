/**
 * The tombstones of all documents: what a deletion leaves, and how many and how old they may become. What one does in
 * a room is in `old-copies.ts`.
 */
import type { LoadedDocument, Store, Tombstone as StoredTombstone } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import type { Document } from '../document/document.ts'
import { decodeTombstone, encodeTombstone, Tombstone, unite } from '../document/tombstone.ts'
import type { Nodes } from './nodes.ts'

type Parts = {
  readonly store: Store
  /** Null: no other node leaves or drops any. */
  readonly nodes: Nodes | null
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class Tombstones {
  readonly #parts: Parts
  /** When each was left, the oldest first. Read at the first deletion: a server that deletes nothing needs none. */
  #kept: Promise<Map<string, number>> | null = null

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** That of a document that is being opened; null: there is none, or it is too old to count. */
  of(loaded: LoadedDocument): Tombstone | null {
    const { tombstone } = loaded
    if (tombstone === null || this.#isOver(tombstone.timeMs)) return null
    return new Tombstone(decodeTombstone(tombstone.bytes))
  }

  /** What a deletion of the document leaves: all its lives in one, by all that is known of it. */
  after(documents: readonly Document[]): StoredTombstone | undefined {
    const { limits, time, metrics, log } = this.#parts
    const lives = documents.flatMap(each => [each.tombstone?.ends ?? new Map(), each.clientEnds()])
    const { ends, isWhole } = unite(lives, limits.tombstoneClientsMax)
    if (ends.size === 0) return undefined
    if (!isWhole) {
      metrics.tombstonesDropped('in-part', 1)
      const clientsMax = limits.tombstoneClientsMax
      log.warn(
        { document: documents[0]?.name, clientsMax },
        'the tombstone of a document does not name all clients'
      )
    }
    return { timeMs: time.wallMs(), bytes: encodeTombstone(ends) }
  }

  /** The store has this one now. Drops those that are too many or too old. Never rejects: the next deletion drops them. */
  async left(document: string, tombstone: StoredTombstone | null): Promise<void> {
    try {
      await this.#makeRoom(document, tombstone)
    } catch (error) {
      this.#parts.log.error({ error }, 'tombstones that are too many or too old could not be dropped')
    }
  }

  async #makeRoom(document: string, tombstone: StoredTombstone | null): Promise<void> {
    const kept = await this.#all()
    kept.delete(document)
    if (tombstone !== null) kept.set(document, tombstone.timeMs)
    const fresh = await this.#reread(kept)
    const { tooOld, tooMany } = this.#beyond(fresh)
    await this.#drop(fresh, tooOld, 'too-old')
    await this.#drop(fresh, tooMany, 'too-many')
  }

  /** Where other nodes may have left a document's tombstone anew, none is dropped by what was known before. */
  async #reread(kept: Map<string, number>): Promise<Map<string, number>> {
    const { tooOld, tooMany } = this.#beyond(kept)
    if (this.#parts.nodes === null || tooOld.length + tooMany.length === 0) return kept
    this.#kept = null
    return this.#all()
  }

  #beyond(kept: ReadonlyMap<string, number>): { tooOld: readonly string[]; tooMany: readonly string[] } {
    const tooOld: string[] = []
    const tooMany: string[] = []
    for (const [name, timeMs] of kept) {
      if (this.#isOver(timeMs)) tooOld.push(name)
      else if (kept.size - tooOld.length - tooMany.length > this.#parts.limits.tombstonesMax)
        tooMany.push(name)
      else break
    }
    return { tooOld, tooMany }
  }

  async #drop(
    kept: Map<string, number>,
    documents: readonly string[],
    reason: 'too-old' | 'too-many'
  ): Promise<void> {
    if (documents.length === 0) return
    const { store, metrics, log } = this.#parts
    await store.dropTombstones(documents)
    for (const name of documents) kept.delete(name)
    metrics.tombstonesDropped(reason, documents.length)
    log.warn(
      { reason, count: documents.length, first: documents[0] },
      'tombstones were dropped: old copies of these documents are taken again'
    )
  }

  async #all(): Promise<Map<string, number>> {
    this.#kept ??= this.#parts.store
      .tombstones()
      .then(found => new Map(found.map(({ document, timeMs }) => [document, timeMs])))
    try {
      return await this.#kept
    } catch (error) {
      this.#kept = null
      throw error
    }
  }

  #isOver(timeMs: number): boolean {
    return timeMs + this.#parts.limits.tombstoneAgeMs <= this.#parts.time.wallMs()
  }
}
