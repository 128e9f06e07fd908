/**
 * Turns a join's plan for the checkpoint into updates to send: segments from memory or from the store, diffs computed
 * once per state vector. Work shared by joiners is shared: hundreds come back with the same vector after a restart.
 */
import type { Store } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Checkpoint } from '../document/checkpoint.ts'
import { joinSegments } from '../document/segments.ts'
import { diffUpdate } from '../document/splice.ts'
import { encodeStateVector } from '../document/state-vector.ts'
import type { CheckpointPlan } from '../document/sync.ts'
import type { Workers } from '../document/workers.ts'
import { storeFault } from './store-fault.ts'

/** The checkpoint was replaced while it was being read. The document has a newer one by now or in a moment. */
export class Superseded extends Error {}

type Updates = readonly Uint8Array[]
type DiffPlan = CheckpointPlan & { readonly type: 'diff' }

export class CheckpointReads {
  readonly #store: Store
  readonly #workers: Workers
  readonly #limits: Limits
  readonly #loading = new WeakMap<Checkpoint, Promise<Updates>>()
  readonly #diffing = new WeakMap<Checkpoint, Map<string, Promise<Updates>>>()

  constructor(store: Store, workers: Workers, limits: Limits) {
    this.#store = store
    this.#workers = workers
    this.#limits = limits
  }

  /** The updates, if they can be had at once and cheaply, else null. */
  atHand(plan: CheckpointPlan): Updates | null {
    if (plan.type === 'nothing') return []
    const { segments, bytes } = plan.checkpoint
    if (plan.type === 'segments') return segments === null ? null : pick(segments, plan.indexes)
    const key = keyOf(plan)
    const cached = plan.checkpoint.diffs.get(key)
    if (cached !== undefined) return cached
    if (segments === null || bytes > this.#limits.scanBytesMax) return null
    return this.#keep(plan, key, [diffUpdate(joinSegments(segments), plan.vector)])
  }

  /** The updates, from the store or the worker. Rejects with Superseded, a Fault, or what the worker threw. */
  async prepare(document: string, plan: CheckpointPlan): Promise<Updates> {
    if (plan.type === 'nothing') return []
    const segments = plan.checkpoint.segments ?? (await this.#load(document, plan.checkpoint))
    if (plan.type === 'segments') return pick(segments, plan.indexes)
    return this.#diff(document, plan, segments)
  }

  #load(document: string, checkpoint: Checkpoint): Promise<Updates> {
    let loading = this.#loading.get(checkpoint)
    if (loading === undefined) {
      loading = this.#read(document, checkpoint).finally(() => this.#loading.delete(checkpoint))
      this.#loading.set(checkpoint, loading)
    }
    return loading
  }

  async #read(document: string, checkpoint: Checkpoint): Promise<Updates> {
    const segments = await this.#store.segments(document, checkpoint.generation).catch(error => {
      throw storeFault(error)
    })
    if (segments === null) throw new Superseded()
    checkpoint.segments = segments
    return segments
  }

  #diff(document: string, plan: DiffPlan, segments: Updates): Promise<Updates> {
    const diffing = this.#diffing.get(plan.checkpoint) ?? new Map<string, Promise<Updates>>()
    this.#diffing.set(plan.checkpoint, diffing)
    const key = keyOf(plan)
    let running = diffing.get(key)
    if (running === undefined) {
      running = this.#compute(document, plan, segments)
        .then(updates => this.#keep(plan, key, updates))
        .finally(() => diffing.delete(key))
      diffing.set(key, running)
    }
    return running
  }

  /** One transaction for the client, whatever the size: above one frame's worth it is held back (I13). */
  async #compute(document: string, { vector }: DiffPlan, segments: Updates): Promise<Updates> {
    const { wholeFrameBytesMax, heldBackFrameBytes } = this.#limits
    const diff = await this.#workers.diff({ document, segments, vector })
    if (diff.length <= wholeFrameBytesMax) return [diff]
    return this.#workers.heldBack({ document, update: diff, frameBytesMax: heldBackFrameBytes })
  }

  #keep({ checkpoint }: DiffPlan, key: string, updates: Updates): Updates {
    const { diffs } = checkpoint
    const { diffCacheEntriesMax, diffCacheBytesMax } = this.#limits
    diffs.set(key, updates)
    let bytes = 0
    for (const kept of diffs.values()) bytes += bytesOf(kept)
    for (const [oldest, kept] of diffs) {
      if (diffs.size <= diffCacheEntriesMax && bytes <= diffCacheBytesMax) break
      bytes -= bytesOf(kept)
      diffs.delete(oldest)
    }
    return updates
  }
}

function keyOf({ vector }: DiffPlan): string {
  return Buffer.from(encodeStateVector(vector)).toString('latin1')
}

function pick(segments: Updates, indexes: readonly number[] | 'all'): Updates {
  return indexes === 'all' ? segments : indexes.map(index => segments[index] as Uint8Array)
}

function bytesOf(updates: Updates): number {
  return updates.reduce((sum, update) => sum + update.length, 0)
}
