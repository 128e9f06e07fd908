/**
 * What a client that asks for the document is sent, and in which order: the checkpoint or what it lacks of it, then
 * the tail. A client must see the stored document in one transaction (I13), so nothing is cut within an update.
 */
import type { Checkpoint } from './checkpoint.ts'
import type { Document } from './document.ts'
import type { ClockRange } from './scan.ts'
import { diffUpdate } from './splice.ts'
import { isBeyond, type TailNode } from './tail.ts'

/**
 * What a join needs of the checkpoint. `segments`: these, as they are. `diff`: what the checkpoint has beyond the
 * vector, as one update. `nothing`: the client has its structs.
 */
export type CheckpointPlan =
  | { readonly type: 'nothing' }
  | {
      readonly type: 'segments'
      readonly checkpoint: Checkpoint
      readonly indexes: readonly number[] | 'all'
    }
  | { readonly type: 'diff'; readonly checkpoint: Checkpoint; readonly vector: ReadonlyMap<number, number> }

export type JoinPlan = {
  readonly fromCheckpoint: CheckpointPlan
  /** Where the tail begins that belongs to this checkpoint. */
  readonly tailHead: TailNode
  readonly vector: ReadonlyMap<number, number>
  /** Its deletions are sent when its own SyncStep2 has told which ones it has. */
  readonly awaitsDeletes: boolean
}

/** Decides, without copying or reading a byte of the document. O(clients of the checkpoint). */
export function planJoin(document: Document, vector: ReadonlyMap<number, number>): JoinPlan {
  const fromCheckpoint = planCheckpoint(document.checkpoint, vector)
  const isPart =
    fromCheckpoint.type === 'nothing' ||
    (fromCheckpoint.type === 'segments' && fromCheckpoint.indexes !== 'all')
  const awaitsDeletes = isPart && vector.size > 0
  return { fromCheckpoint, tailHead: document.tail.head, vector, awaitsDeletes }
}

function planCheckpoint(checkpoint: Checkpoint | null, vector: ReadonlyMap<number, number>): CheckpointPlan {
  if (checkpoint === null) return { type: 'nothing' }
  if (covers(vector, checkpoint.vector)) return vector.size === 0 ? all(checkpoint) : { type: 'nothing' }
  if (!sharesClients(vector, checkpoint.vector)) return all(checkpoint)
  if (checkpoint.layout !== 'causal') return { type: 'diff', checkpoint, vector }
  const indexes = checkpoint.segmentEnds.flatMap((ends, index) => (covers(vector, ends) ? [] : [index]))
  return { type: 'segments', checkpoint, indexes }
}

function all(checkpoint: Checkpoint): CheckpointPlan {
  return { type: 'segments', checkpoint, indexes: 'all' }
}

/** Whether the vector knows all that lies below the other: per client no lower clock. O(clients of the other). */
export function covers(vector: ReadonlyMap<number, number>, ends: ReadonlyMap<number, number>): boolean {
  for (const [client, clock] of ends) if ((vector.get(client) ?? 0) < clock) return false
  return true
}

/** Without a common client a diff is the whole: a page that typed before it connected has only its own structs. */
function sharesClients(vector: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): boolean {
  for (const [client, clock] of vector) if (clock > 0 && other.has(client)) return true
  return false
}

/** A smaller update is not worth a pass; a larger one would hold the event loop, and is compacted soon. */
const slicedBytesMin = 512
const slicedBytesMax = 512 * 1024

function hasBelow(structs: readonly ClockRange[], vector: ReadonlyMap<number, number>): boolean {
  return structs.some(({ client, clock }) => clock < (vector.get(client) ?? 0))
}

/**
 * A joiner's place in the document: first what comes from the checkpoint, then the tail, reading on as the tail grows. It keeps alive the
 * checkpoint it reads; nothing is queued for the joiner meanwhile.
 */
export class JoinCursor {
  readonly #fromCheckpoint: readonly Uint8Array[]
  readonly #vector: ReadonlyMap<number, number>
  #wants: (node: TailNode) => boolean
  #index = 0
  #node: TailNode

  constructor(fromCheckpoint: readonly Uint8Array[], plan: JoinPlan) {
    this.#fromCheckpoint = fromCheckpoint
    this.#node = plan.tailHead
    const { vector, awaitsDeletes } = plan
    this.#vector = vector
    this.#wants =
      vector.size === 0
        ? () => true
        : node => isBeyond(node.structs, vector) || (node.hasDeletes && !awaitsDeletes)
  }

  /** From here on deletions count too: those so far are being sent apart from the tail. */
  wantDeletes(): void {
    const wants = this.#wants
    this.#wants = node => node.hasDeletes || wants(node)
  }

  /** The next update to send, or null when the joiner has everything durable for now. */
  next(): Uint8Array | null {
    const update = this.#fromCheckpoint[this.#index]
    if (update !== undefined) {
      this.#index++
      return update
    }
    while (this.#node.next !== null) {
      this.#node = this.#node.next
      if (this.#node.update !== null && this.#wants(this.#node))
        return this.#lacking(this.#node, this.#node.update)
    }
    return null
  }

  /** A document may have come as one update: who has most of it is sent the rest. */
  #lacking(node: TailNode, update: Uint8Array): Uint8Array {
    if (update.length < slicedBytesMin || update.length > slicedBytesMax) return update
    return hasBelow(node.structs, this.#vector) ? diffOf(node, update, this.#vector) : update
  }
}

/** So many diffs of an update are kept, if they are so small: larger ones cost more to send than to make. */
const keptDiffsMax = 4
const keptDiffBytesMax = 32 * 1024

function diffOf(node: TailNode, update: Uint8Array, vector: ReadonlyMap<number, number>): Uint8Array {
  const isSame = (other: ReadonlyMap<number, number>) =>
    node.structs.every(({ client }) => (vector.get(client) ?? 0) === (other.get(client) ?? 0))
  const found = node.diffs.find(diff => isSame(diff.vector))
  if (found !== undefined) return found.update
  const diff = diffUpdate(update, vector)
  if (diff.length <= keptDiffBytesMax)
    node.diffs = [...node.diffs.slice(1 - keptDiffsMax), { vector, update: diff }]
  return diff
}
