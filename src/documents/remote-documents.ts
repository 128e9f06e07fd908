/**
 * Documents as programs ask for them over HTTP: read, listed, written and created, with the version that each answer is of.
 * Who may is looked at before. Everything that is written is paid for like what members send.
 */
import type { Author } from '../../persistence/author.ts'
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Reader } from '../base/reader.ts'
import type { Slices } from '../base/slices.ts'
import { NamedWorkQueue, WorkQueue } from '../base/work-queue.ts'
import type { RootKind } from '../document/contents.ts'
import { mergeUpdates } from '../document/splice.ts'
import { decodeStateVector } from '../document/state-vector.ts'
import { versionOf } from '../document/version.ts'
import type { Workers } from '../document/workers.ts'
import { scanInSlices } from '../room/intake.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import { storeFault } from '../room/store-fault.ts'
import type { Documents, Stored } from './documents.ts'
import { editOf } from './edit.ts'
import { fillRoots } from './fill-roots.ts'
import { View } from './view.ts'

type Parts = {
  readonly documents: Documents
  readonly rooms: Rooms
  readonly store: Store
  readonly workers: Workers
  readonly slices: Slices
  readonly limits: Limits
}

/** Bytes of a document in some form, and the version that they are of. */
export type Versioned = { readonly version: string; readonly bytes: Uint8Array }

export type Wanted =
  /** `vector`: as `Y.encodeStateVector` gives it; null: everything is wanted. */
  | { readonly as: 'update'; readonly vector: Uint8Array | null }
  /** Null: all root types that have something in them. */
  | { readonly as: 'json'; readonly types: Readonly<Record<string, RootKind>> | null }
  | { readonly as: 'text'; readonly name: string }

/** `bytes`: null where it is not known without reading the document. `people`: null where it is not open here. */
export type Listed = {
  readonly name: string
  readonly version: string | null
  readonly bytes: number | null
  readonly people: readonly Present[] | null
}

/** A connection that has the document open. */
export type Present = {
  readonly user: string | null
  readonly connection: string
  readonly access: 'read' | 'write'
}

export class RemoteDocuments {
  readonly #parts: Parts
  readonly #reads: WorkQueue
  /** One at a time for each document: whether it is there is looked at first. */
  readonly #creations: NamedWorkQueue

  constructor(parts: Parts) {
    this.#parts = parts
    const { readsMax: atOnceMax, readsWaitingMax: waitingMax } = parts.limits
    this.#reads = new WorkQueue({ atOnceMax, waitingMax })
    this.#creations = new NamedWorkQueue({ atOnceMax, waitingMax })
  }

  /** Of what is durable, without reading it. Null: there is no such document. Rejects with ERR_STORE. */
  async version(document: string): Promise<string | null> {
    try {
      const [found] = await this.#parts.store.heads([{ document }])
      const incarnation = found?.incarnation ?? null
      return incarnation === null ? null : versionOf({ incarnation, head: found?.head ?? 0 })
    } catch (error) {
      throw storeFault(error)
    }
  }

  /**
   * Rejects with ERR_NO_DOCUMENT, ERR_DELETED, ERR_ANSWER_TOO_LARGE, ERR_DEADLINE, ERR_BAD_MESSAGE for a state vector that is
   * none, and as `server.read`.
   */
  async read(document: string, wanted: Wanted): Promise<Versioned> {
    const { limits } = this.#parts
    const clientsMax = limits.stateVectorEntriesMax
    const given = wanted.as === 'update' ? wanted.vector : null
    const vector = given === null ? new Map<number, number>() : decodeStateVector(given, { clientsMax })
    return this.#reads.run(async () => {
      const stored = await this.#stored(document)
      const { version, updates: segments } = stored
      if (wanted.as === 'update')
        return { version, bytes: await this.#parts.documents.asOne(document, segments, vector) }
      const question = { ...wanted, bytesMax: limits.answerBytesMax }
      return { version, bytes: await this.#parts.workers.contents({ document, segments, question }) }
    })
  }

  async #stored(document: string): Promise<Stored> {
    const stored = await this.#parts.documents.stored(document, true)
    if (stored === null) throw new Fault('ERR_NO_DOCUMENT')
    return stored
  }

  /**
   * Commits the updates in their order, all in one. Resolves with a version that has them, when that is durable. Rejects with
   * ERR_TOO_OFTEN when the document takes no more now, ERR_UPDATE_MALFORMED and ERR_UPDATE_TOO_LARGE: nothing was written;
   * else as `server.apply`.
   */
  async write(document: string, updates: readonly Uint8Array[], user: string | null): Promise<string> {
    const check = (room: Room) => {
      if (isDeleted(room)) throw new Fault('ERR_DELETED')
      charge(room, updates)
    }
    await this.#commit(document, updates, { author: authorOf(user), check })
    return this.#versionNow(document)
  }

  /** The same of a document that must not be there: else ERR_EXISTS, and nothing was written. */
  create(document: string, updates: readonly Uint8Array[], user: string | null): Promise<string> {
    return this.#creations.run(document, async () => {
      const check = (room: Room) => {
        if (room.life.incarnation !== null || room.document.bytes > 0) throw new Fault('ERR_EXISTS')
        charge(room, updates)
      }
      await this.#commit(document, updates, { author: authorOf(user), check })
      return this.#versionNow(document)
    })
  }

  /** Creates it with root types of these contents: see `fillRoots`. Rejects with ERR_BAD_MESSAGE for what is none. */
  async createFrom(
    document: string,
    contents: Readonly<Record<string, unknown>>,
    { types, user }: { types: Readonly<Record<string, RootKind>> | null; user: string | null }
  ): Promise<string> {
    const update = await editOf(null, (doc, yjs) => fillRoots(doc, yjs, { contents, types: types ?? {} }))
    if (update === null) throw nothingToCreate()
    return this.create(document, [update], user)
  }

  /** What is there goes to a document that must not be there. Rejects as `read` and `create`. */
  async copy(document: string, to: string, user: string | null): Promise<string> {
    const { bytes } = await this.read(document, { as: 'update', vector: null })
    return this.create(to, [bytes], user)
  }

  /** A page of the names in the order of their UTF-8 bytes. */
  async list(page: { prefix?: string; after?: string; limit: number }): Promise<readonly Listed[]> {
    const { documents, store, rooms } = this.#parts
    const names = await documents.list(page)
    try {
      const heads = names.length === 0 ? [] : await store.heads(names.map(document => ({ document })))
      return names.map((name, at) => {
        const { incarnation = null, head = 0 } = heads[at] ?? {}
        const version = incarnation === null ? null : versionOf({ incarnation, head })
        const room = rooms.find(name)
        return { name, version, bytes: room?.document.bytes ?? null, people: room && peopleIn(room) }
      })
    } catch (error) {
      throw error instanceof Fault ? error : storeFault(error)
    }
  }

  /** Who has it open on this node, and what people are shown of each other (by clientID). Opens nothing. */
  presence(document: string): { people: readonly Present[]; states: ReadonlyMap<number, Uint8Array> } {
    const room = this.#parts.rooms.find(document)
    return { people: room === null ? [] : peopleIn(room), states: room?.awareness.shown() ?? new Map() }
  }

  async #versionNow(document: string): Promise<string> {
    const version = await this.version(document)
    // Somebody has deleted it in the same moment.
    if (version === null) throw new Fault('ERR_DELETED')
    return version
  }

  async #commit(
    document: string,
    updates: readonly Uint8Array[],
    options: { author: Author; check: (room: Room) => void }
  ): Promise<void> {
    const { documents, slices, limits } = this.#parts
    try {
      // Each by itself first: of several, all are taken or none is.
      for (const each of updates) await slices.run(scanInSlices(each, limits), null)
      const update = updates.length === 1 ? updates[0] : mergeUpdates(updates)
      if (update === undefined) return
      const scan = await slices.run(scanInSlices(update, limits), null)
      await documents.commit(document, { update, scan }, options)
    } catch (error) {
      throw notSetAside(error)
    }
  }
}

/** Updates one after the other, each behind its length (lib0 `writeVarUint8Array`). Throws ERR_BAD_MESSAGE. */
export function readUpdates(
  bytes: Uint8Array,
  { updatesMax }: { readonly updatesMax: number }
): Uint8Array[] {
  const reader = new Reader(bytes)
  const updates: Uint8Array[] = []
  while (!reader.isAtEnd) {
    if (updates.length === updatesMax) throw new Fault('ERR_BAD_MESSAGE', `more than ${updatesMax} updates`)
    updates.push(reader.byteArray())
  }
  if (updates.length === 0) throw new Fault('ERR_BAD_MESSAGE', 'no update')
  return updates
}

/** It was deleted, and nobody has begun it anew. */
export function isDeleted({ life, document }: Room): boolean {
  return life.incarnation === null && document.bytes === 0 && document.tombstone !== null
}

function charge(room: Room, updates: readonly Uint8Array[]): void {
  const owedMs = room.throttle.charge(updates.reduce((sum, { length }) => sum + length, 0))
  if (owedMs > 0) throw new Fault('ERR_TOO_OFTEN', `${owedMs} ms are owed`, { retryAfterMs: owedMs })
}

function peopleIn(room: Room): readonly Present[] {
  return [...room.members]
    .filter(({ port }) => !(port instanceof View))
    .map(({ person, port, access }) => ({
      user: person.user?.id ?? null,
      connection: port.id,
      access
    }))
}

/** A record names no connection: there was none that stays. */
function authorOf(user: string | null): Author {
  return { user, connection: null, origin: 'server' }
}

/** What a client sends and is refused is set aside. What comes in a request is its sender's to keep. */
function notSetAside(error: unknown): unknown {
  if (!(error instanceof Fault)) return error
  const { code, message } = error
  if (code === 'ERR_UPDATE_MALFORMED')
    return new Fault(code, message, { publicReason: 'the update could not be read' })
  if (code === 'ERR_UPDATE_TOO_LARGE')
    return new Fault(code, message, { publicReason: 'the update is too large for the document' })
  return error
}

function nothingToCreate(): Fault {
  const publicReason = 'the body has no root type with something in it'
  return new Fault('ERR_BAD_MESSAGE', publicReason, { publicReason })
}
