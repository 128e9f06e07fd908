/** Documents as the embedding application sees them: read, changed, listed and deleted without being a client. */
import type { Store } from '../../persistence/store.ts'
import { decodeStateVector } from '../document/clocks.ts'
import type { Compactor } from '../document/compactor.ts'
import { type Document, openDocument } from '../document/document.ts'
import { joinSegments } from '../document/segments.ts'
import { diffUpdate } from '../document/splice.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { checkDocumentName } from '../room/document-name.ts'
import { scanInSlices } from '../room/intake.ts'
import type { Rooms } from '../room/rooms.ts'
import { openingFault, storeFault } from '../room/store-fault.ts'
import type { Time } from '../time.ts'
import { WorkQueue } from '../work-queue.ts'
import { editOf, type Mutate } from './edit.ts'

/** `stateVector`, as `Y.encodeStateVector` gives it: the update holds only what a document there lacks. */
export type ReadOptions = { readonly stateVector?: Uint8Array }

/** `author`: who the log and `onChange` name. Default `server`. */
export type ApplyOptions = { readonly author?: string }

/** `after`: the last name of the page before. Default: all names. */
export type ListDocumentsOptions = {
  readonly prefix?: string
  readonly after?: string
  readonly limit?: number
}

type Parts = {
  readonly rooms: Rooms
  readonly store: Store
  readonly compactor: Compactor
  readonly time: Time
  readonly limits: Limits
}

/** What a call costs beside its bytes, for the bound on all of them. */
const callBytes = 1024

/** How often an update is given to a new room because the one it was in restarted. */
const attemptsMax = 5

export class Documents {
  readonly #parts: Parts
  readonly #reads: WorkQueue
  readonly #edits: WorkQueue
  readonly #deletions: WorkQueue
  #applyingBytes = 0

  constructor(parts: Parts) {
    this.#parts = parts
    const { readsMax, readsWaitingMax } = parts.limits
    this.#reads = new WorkQueue({ atOnceMax: readsMax, waitingMax: readsWaitingMax })
    // One at a time: each holds a whole Y.Doc, and who reads before they write must not be overtaken.
    this.#edits = new WorkQueue({ atOnceMax: 1, waitingMax: readsWaitingMax })
    this.#deletions = new WorkQueue({ atOnceMax: readsMax, waitingMax: readsWaitingMax })
  }

  async read(document: string, { stateVector }: ReadOptions = {}): Promise<Uint8Array | null> {
    const { limits } = this.#parts
    checkDocumentName(document, limits)
    const vector =
      stateVector === undefined
        ? new Map<number, number>()
        : decodeStateVector(stateVector, { clientsMax: limits.stateVectorEntriesMax })
    return this.#reads.run(async () => {
      const updates = await this.#stored(document)
      return updates === null ? null : this.#asOne(updates, vector)
    })
  }

  async apply(document: string, update: Uint8Array, { author = 'server' }: ApplyOptions = {}): Promise<void> {
    const { limits } = this.#parts
    if (!(update instanceof Uint8Array)) throw new TypeError('server.apply takes a Yjs update, a Uint8Array')
    if (author.length > limits.authorLengthMax || !author.isWellFormed()) {
      throw new TypeError(`an author of ${author.length} characters; at most ${limits.authorLengthMax}`)
    }
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
      await this.#commit(document, { update: copy, scan: await scanInSlices(copy, this.#parts) }, author)
    } finally {
      this.#applyingBytes -= cost
    }
  }

  change(document: string, mutate: Mutate, options: ApplyOptions = {}): Promise<void> {
    return this.#edits.run(async () => {
      // Opened first, so that it has been loaded if it is new.
      await this.#parts.rooms.open(document)
      const update = await editOf(await this.read(document), mutate)
      if (update !== null) await this.apply(document, update, options)
    })
  }

  async list(options: ListDocumentsOptions = {}): Promise<readonly string[]> {
    return this.#reads.run(async () => {
      try {
        return await this.#parts.store.list(options)
      } catch (error) {
        throw storeFault(error)
      }
    })
  }

  async delete(document: string): Promise<boolean> {
    checkDocumentName(document, this.#parts.limits)
    return this.#deletions.run(() => this.#parts.rooms.delete(document))
  }

  /** What is durable, straight from the store, in the order in which a joiner is sent it; null: nothing ever was. */
  async #stored(document: string): Promise<readonly Uint8Array[] | null> {
    const { store, time } = this.#parts
    try {
      const loaded = await store.load(document)
      if (loaded.incarnation === null) return null
      // What cannot be read is left out here as it is for clients; it is reported and set aside when a room opens.
      const opened = await openDocument(
        document,
        loaded,
        () => new Promise(resolve => void time.soon(resolve))
      )
      return updatesOf(opened.document)
    } catch (error) {
      throw openingFault(error)
    }
  }

  async #asOne(updates: readonly Uint8Array[], vector: ReadonlyMap<number, number>): Promise<Uint8Array> {
    const { compactor, limits } = this.#parts
    const bytes = updates.reduce((sum, update) => sum + update.length, 0)
    if (bytes > limits.scanBytesMax) return compactor.diff({ segments: updates, vector })
    return Uint8Array.from(diffUpdate(joinSegments(updates), vector))
  }

  /** A room that restarts has thrown away what it had not written. Applying an update twice does no harm. */
  async #commit(document: string, scanned: ScannedUpdate, author: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const room = await this.#parts.rooms.open(document)
      try {
        return await room.apply(scanned, author)
      } catch (error) {
        const isOver = error instanceof Fault && error.code === 'ERR_ROOM_RESTARTS' && attempt < attemptsMax
        if (!isOver) throw error
      }
    }
  }
}

function updatesOf({ checkpoint, tail }: Document): readonly Uint8Array[] {
  const updates = [...(checkpoint?.segments ?? [])]
  for (let node = tail.head.next; node !== null; node = node.next) {
    if (node.update !== null) updates.push(node.update)
  }
  return updates
}
