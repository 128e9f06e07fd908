/** Documents as the embedding application sees them: read, changed, listed and deleted without being a client. */
import type { Author } from '../../persistence/author.ts'
import type { Store } from '../../persistence/store.ts'
import { checkOptions, matching, oneOf, type ShapeOf, text, whole } from '../base/check.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { NamedWorkQueue, WorkQueue } from '../base/work-queue.ts'
import type { Document } from '../document/document.ts'
import { hasPartsAtMost } from '../document/load-cost.ts'
import { joinSegments } from '../document/segments.ts'
import { diffUpdate } from '../document/splice.ts'
import { decodeStateVector } from '../document/state-vector.ts'
import { openDocument } from '../document/stored-document.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { versionOf } from '../document/version.ts'
import type { Workers } from '../document/workers.ts'
import { checkDocumentName } from '../room/document-name.ts'
import { scanInSlices } from '../room/intake.ts'
import type { OldCopiesAre, Rooms } from '../room/rooms.ts'
import { openingFault, storeFault } from '../room/store-fault.ts'
import { applyIn, type CommitOptions } from './applying.ts'
import { editOf, type Mutate } from './edit.ts'

export type ReadOptions = {
  /** As `Y.encodeStateVector` gives it: the update holds only what a document there lacks. Default: it holds all. */
  readonly stateVector?: Uint8Array
}

export const readShape = {
  stateVector: matching<Uint8Array>('a state vector, a Uint8Array', value => value instanceof Uint8Array)
} as const satisfies ShapeOf<ReadOptions>

export type ApplyOptions = {
  /** The `user` whom the log and `onChange` name, with the origin `server`. Default: nobody. */
  readonly author?: string
}

export const applyShape = { author: text('a string') } as const satisfies ShapeOf<ApplyOptions>

export type DeleteOptions = {
  /**
   * What becomes of the copies that clients have. `refused` (the default): old copies are recognised
   * and refused. `welcome`: nothing is known of them any more; who comes back with one brings it back.
   */
  readonly copies?: OldCopiesAre
}

export const deleteShape = { copies: oneOf('refused', 'welcome') } as const satisfies ShapeOf<DeleteOptions>

export type ListDocumentsOptions = {
  /** What the names begin with. Default: all names. */
  readonly prefix?: string
  /** The last name of the page before. Default: from the first one. */
  readonly after?: string
  /** How many names. Default: all. */
  readonly limit?: number
}

export const listShape = {
  prefix: text('the beginning of a name'),
  after: text('a name'),
  limit: whole(1, Number.MAX_SAFE_INTEGER)
} as const satisfies ShapeOf<ListDocumentsOptions>

/** What the store has of a document, in the order in which a joiner is sent it. */
export type Stored = { readonly version: string; readonly updates: readonly Uint8Array[] }

type Parts = {
  readonly rooms: Rooms
  readonly store: Store
  readonly workers: Workers
  readonly time: Time
  readonly limits: Limits
  readonly slices: Slices
}

/** What a call costs beside its bytes, for the bound on all of them. */
const callBytes = 1024

/** A worker on a busy machine takes so much longer than on a core of its own, and is then given up. */
const busyFactor = 5

export class Documents {
  readonly #parts: Parts
  readonly #reads: WorkQueue
  readonly #edits: NamedWorkQueue
  readonly #deletions: WorkQueue
  #applyingBytes = 0

  constructor(parts: Parts) {
    this.#parts = parts
    const { readsMax, readsWaitingMax } = parts.limits
    this.#reads = new WorkQueue({ atOnceMax: readsMax, waitingMax: readsWaitingMax })
    // One at a time for each document: who reads before they write must not be overtaken.
    this.#edits = new NamedWorkQueue({ atOnceMax: readsMax, waitingMax: readsWaitingMax })
    this.#deletions = new WorkQueue({ atOnceMax: readsMax, waitingMax: readsWaitingMax })
  }

  async read(document: string, options: ReadOptions = {}): Promise<Uint8Array | null> {
    checkOptions('server.read', options, readShape)
    const { stateVector } = options
    const { limits } = this.#parts
    checkDocumentName(document, limits)
    const vector =
      stateVector === undefined
        ? new Map<number, number>()
        : decodeStateVector(stateVector, { clientsMax: limits.stateVectorEntriesMax })
    return this.#reads.run(async () => {
      const stored = await this.stored(document)
      return stored === null ? null : this.asOne(document, stored.updates, vector)
    })
  }

  async apply(document: string, update: Uint8Array, options: ApplyOptions = {}): Promise<void> {
    checkOptions('server.apply', options, applyShape)
    const { author } = options
    const { limits, slices } = this.#parts
    if (!(update instanceof Uint8Array)) throw new TypeError('server.apply takes a Yjs update, a Uint8Array')
    const by = authorNamed(author, limits)
    if (update.length > limits.documentBytesMax) {
      throw new Fault('ERR_UPDATE_TOO_LARGE', `an update of ${update.length} bytes`)
    }
    const cost = update.length + callBytes
    // One alone may be as large as a document may be.
    if (this.#applyingBytes > 0 && this.#applyingBytes + cost > limits.applyBytesMax) {
      throw new Fault('ERR_OVERLOADED', `${this.#applyingBytes} bytes are being applied; await the calls`)
    }
    this.#applyingBytes += cost
    try {
      const copy = Uint8Array.from(update)
      const scan = await slices.run(scanInSlices(copy, limits), null)
      await this.commit(document, { update: copy, scan }, { author: by })
    } finally {
      this.#applyingBytes -= cost
    }
  }

  async change(document: string, mutate: Mutate, options: ApplyOptions = {}): Promise<void> {
    checkOptions('server.change', options, applyShape)
    if (typeof mutate !== 'function') throw new TypeError('server.change takes a function (doc, Y) => …')
    return this.#edits.run(document, async () => {
      // Opened first, so that it has been loaded if it is new.
      await this.#parts.rooms.open(document)
      const stored = await this.read(document)
      if (stored !== null) await this.#tryLoading(document, stored)
      const update = await editOf(stored, mutate)
      if (update !== null) await this.apply(document, update, options)
    })
  }

  async list(options: ListDocumentsOptions = {}): Promise<readonly string[]> {
    checkOptions('server.documents', options, listShape)
    return this.#reads.run(async () => {
      try {
        return await this.#parts.store.list(options)
      } catch (error) {
        throw storeFault(error)
      }
    })
  }

  async delete(document: string, options: DeleteOptions = {}): Promise<boolean> {
    checkOptions('server.delete', options, deleteShape)
    const { copies = 'refused' } = options
    checkDocumentName(document, this.#parts.limits)
    return this.#deletions.run(() => this.#parts.rooms.delete(document, copies))
  }

  /** What is durable, straight from the store; null: nothing is. Throws ERR_DELETED of what was, if `isStrict`. */
  async stored(document: string, isStrict = false): Promise<Stored | null> {
    const { store, rooms, time } = this.#parts
    try {
      const loaded = await store.load(document)
      if (isStrict && rooms.isBuried(loaded)) throw new Fault('ERR_DELETED')
      const { incarnation, head } = loaded
      if (incarnation === null) return null
      // What cannot be read is left out here as it is for clients; it is reported and set aside when a room opens.
      const opened = await openDocument(
        document,
        loaded,
        () => new Promise(resolve => void time.soon(resolve))
      )
      return { version: versionOf({ incarnation, head }), updates: updatesOf(opened.document) }
    } catch (error) {
      if (error instanceof Fault) throw error
      throw openingFault(error)
    }
  }

  /**
   * Rejects with ERR_DEADLINE when the document would hold the event loop for longer than its size explains. What is
   * small cannot; the rest is loaded in a worker first, where it holds nobody.
   */
  async #tryLoading(document: string, stored: Uint8Array): Promise<void> {
    const { workers, limits } = this.#parts
    const { scanBytesMax, changePartsMax, changeLoadMs, changeLoadMsPerMiB, joinDeadlineMs } = limits
    if (stored.length <= scanBytesMax && hasPartsAtMost(stored, changePartsMax)) return
    const allowedMs = changeLoadMs + (changeLoadMsPerMiB * stored.length) / 2 ** 20
    const deadlineMs = Math.min(busyFactor * allowedMs, Math.max(joinDeadlineMs, allowedMs))
    const tookMs = await workers.load({ document, update: stored, deadlineMs })
    if (tookMs <= allowedMs) return
    throw new Fault('ERR_DEADLINE', `loading ${stored.length} bytes took ${Math.round(tookMs)} ms`)
  }

  /** The updates joined, without what the state vector has. */
  async asOne(
    document: string,
    updates: readonly Uint8Array[],
    vector: ReadonlyMap<number, number>
  ): Promise<Uint8Array> {
    const { workers, limits } = this.#parts
    const bytes = updates.reduce((sum, update) => sum + update.length, 0)
    if (bytes > limits.scanBytesMax) return workers.diff({ document, segments: updates, vector })
    return Uint8Array.from(diffUpdate(joinSegments(updates), vector))
  }

  /** A room that restarts has thrown away what it had not written. Applying an update twice does no harm. */
  commit(document: string, scanned: ScannedUpdate, options: CommitOptions): Promise<void> {
    return applyIn(this.#parts.rooms, document, scanned, options)
  }
}

function authorNamed(user: string | undefined, { authorLengthMax }: Limits): Author {
  if (user === undefined) return { user: null, connection: null, origin: 'server' }
  if (typeof user !== 'string' || user.length > authorLengthMax || !user.isWellFormed()) {
    throw new TypeError(`author is a well-formed string of at most ${authorLengthMax} UTF-16 units`)
  }
  return { user, connection: null, origin: 'server' }
}

/** In the order in which a joiner is sent them. */
export function updatesOf({ checkpoint, tail }: Document): readonly Uint8Array[] {
  const updates = [...(checkpoint?.segments ?? [])]
  for (let node = tail.head.next; node !== null; node = node.next) {
    if (node.update !== null) updates.push(node.update)
  }
  return updates
}
