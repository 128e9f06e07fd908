/**
 * Restores and undos, each once: what is asked under a key is committed as one ordinary update, however often it is asked
 * and whatever crashes meanwhile. The manifest says beforehand under which clientID; the document says whether it was.
 * What the update is, a worker computes.
 */
import type { HistoryBlob, HistoryStore } from '../../persistence/history.ts'
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { NamedWorkQueue } from '../base/work-queue.ts'
import { newClientID } from '../document/client-id.ts'
import { openDocument } from '../document/stored-document.ts'
import { mergeCopies } from '../history/copies.ts'
import type { RestoredMessage } from '../history/jobs.ts'
import type { Change, Kept, KeptHistories } from '../history/kept.ts'
import type { RestoreEntry, Version } from '../history/manifest.ts'
import * as entries from '../history/restore-entries.ts'
import { scanInSlices } from '../room/intake.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import { openingFault, orStoreFault } from '../room/store-fault.ts'
import { updatesOf } from './documents.ts'
import type { RestoreAnswer } from './history-api.ts'
import { RestoreSearch } from './restore-search.ts'

/** What is to be done, in `text` so that two questions are the same if their texts are. */
export type RestoreQuestion = {
  readonly text: string
  /** Rejects with a Fault when the moment is not known (any more), and as a worker's jobs do. */
  compute(job: RestoreInput): Promise<RestoredMessage>
}

export type RestoreInput = {
  /** The document as it is, as updates (V1). */
  readonly now: readonly Uint8Array[]
  /** Of all restores so far, as `encodeCopies` gives them. */
  readonly copies: readonly Uint8Array[]
  /** As in a RestoreJob. */
  readonly client: number
}

export type RestoreSettings = {
  /** The user who restores; null: nobody is named. */
  readonly user: string | null
  /** Null: one is made. */
  readonly key: string | null
  /** Until the commit begins, it can be given up. */
  readonly signal: AbortSignal | null
}

type Parts = {
  readonly rooms: Rooms
  readonly store: Pick<Store, 'load'>
  readonly history: HistoryStore
  /** Begins the history of a document that is to have one. Rejects with ERR_NO_DOCUMENT, ERR_NO_HISTORY and ERR_STORE. */
  begin(document: string): Promise<Kept>
  readonly histories: KeptHistories
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
  /** From 0 to below 1. */
  readonly random: () => number
  readonly newId: () => string
}

/** One restore, from its question to its answer. `failed`: clients of tries that are known not to have been committed. */
type Asked = RestoreSettings & {
  readonly document: string
  readonly question: RestoreQuestion
  readonly key: string
  readonly failed: number[]
}

/** The durable document, read when the room had shown so many restores. */
type State = {
  readonly incarnation: string | null
  readonly head: number
  readonly updates: readonly Uint8Array[]
  readonly vector: ReadonlyMap<number, number>
}

/** What was computed, from which copies and for which client. */
type Made = {
  readonly client: number
  readonly restored: RestoredMessage
  readonly copies: readonly Uint8Array[]
}

/** `again`: others were faster, or the room restarted. */
type Outcome = RestoreAnswer | 'again'

export class Restores {
  readonly #parts: Parts
  readonly #search: RestoreSearch
  readonly #turns: NamedWorkQueue

  constructor(parts: Parts) {
    this.#parts = parts
    this.#search = new RestoreSearch(parts)
    const { restoresAtOnceMax, readsWaitingMax } = parts.limits
    // One at a time for each document: the second is computed on top of the first.
    this.#turns = new NamedWorkQueue({ atOnceMax: restoresAtOnceMax, waitingMax: readsWaitingMax })
  }

  /**
   * Resolves when it is durable and was sent to whoever has the document open. Asked again with the same key, the answer is
   * the same. Rejects with ERR_NO_DOCUMENT, ERR_NO_HISTORY, ERR_KEY_REUSED, ERR_DELETED, ERR_UPDATE_TOO_LARGE, ERR_OVERLOADED,
   * ERR_CANCELLED and with what the question rejects with: then nothing was changed. With ERR_STORE and ERR_GOING_DOWN it
   * may have been, and asking again with the key finds out.
   */
  once(document: string, question: RestoreQuestion, settings: RestoreSettings): Promise<RestoreAnswer> {
    const key = settings.key ?? this.#parts.newId()
    const asked: Asked = { ...settings, document, question, key, failed: [] }
    return this.#turns
      .run(document, () => this.#once(asked))
      .catch((error: unknown) => {
        throw orStoreFault(error)
      })
  }

  async #once(asked: Asked): Promise<RestoreAnswer> {
    const { restoreAttemptsMax } = this.#parts.limits
    for (let attempt = 1; attempt <= restoreAttemptsMax; attempt++) {
      const outcome = await this.#attempt(asked, attempt)
      if (outcome !== 'again') return outcome
    }
    await this.#abandon(asked)
    throw new Fault('ERR_OVERLOADED', 'others restore the document all the time')
  }

  async #attempt(asked: Asked, attempt: number): Promise<Outcome> {
    const { rooms } = this.#parts
    const { document } = asked
    const kept = attempt === 1 ? await this.#parts.begin(document) : await this.#kept(document)
    const entry = this.#entryOf(kept, asked)
    if (entry !== null && entry.sequence !== null) return answerOf(entry, entry.sequence)
    const room = await rooms.open(document)
    const release = room.keep()
    try {
      return await this.#inRoom(asked, kept, room)
    } catch (error) {
      if (error instanceof Fault && error.code === 'ERR_ROOM_RESTARTS') return 'again'
      throw error
    } finally {
      release()
    }
  }

  async #inRoom(asked: Asked, kept: Kept, room: Room): Promise<Outcome> {
    // Before the state is read: one that comes in between is in the state, and found to be one too many.
    const seen = room.writing.restores
    const state = await this.#state(asked.document)
    if (state.incarnation !== kept.incarnation || room.life.incarnation !== kept.incarnation) return 'again'
    const known = entries.committedTry(this.#entryOf(kept, asked), state.vector)
    if (known !== null) return this.#found(asked, kept, known.client, state)
    const client = this.#freshClient(state.vector)
    const copies = await this.#copies(asked.document, kept)
    if (copies === null) return 'again'
    checkSignal(asked)
    const { question } = asked
    const restored = await question.compute({ now: state.updates, copies, client })
    checkSignal(asked)
    if (restored.update === null) return this.#nothingToDo(asked, kept, state)
    const begun = await this.#begin(asked, kept, state, { client, restored, copies })
    if (!begun) return 'again'
    return this.#commit(asked, kept, room, { client, seen, update: restored.update })
  }

  async #commit(
    asked: Asked,
    kept: Kept,
    room: Room,
    { client, seen, update }: { readonly client: number; readonly seen: number; readonly update: Uint8Array }
  ): Promise<Outcome> {
    const { slices, limits } = this.#parts
    const author = { user: asked.user, connection: null, origin: 'restore' } as const
    try {
      const scan = await slices.run(scanInSlices(update, limits), null)
      const sequence = await room.writing.restore({ update, scan }, { author, seen })
      if (sequence !== null) return await this.#finish(asked, kept, { client, sequence })
      asked.failed.push(client)
      return 'again'
    } catch (error) {
      if (!isRefusal(error)) throw error
      asked.failed.push(client)
      await this.#abandon(asked)
      throw error
    }
  }

  /** Committed by an earlier try of which the answer was lost. */
  async #found(asked: Asked, kept: Kept, client: number, state: State): Promise<Outcome> {
    const { document } = asked
    const found = await this.#parts.histories.unlessOvertaken(document, kept, async () => {
      return { sequence: await this.#search.find(document, kept, client) }
    })
    if (found === null) return 'again'
    return this.#finish(asked, kept, { client, sequence: found.sequence ?? state.head })
  }

  /** False: another try with the same key may have been committed meanwhile. */
  async #begin(asked: Asked, kept: Kept, state: State, made: Made): Promise<boolean> {
    const { limits, time, newId } = this.#parts
    const { document, key, question, failed } = asked
    const written = this.#newCopies(kept, made)
    const timeMs = time.wallMs()
    const version: Version = {
      ...{ id: newId(), name: '', kind: 'before-restore', sequence: state.head },
      ...{ timeMs, madeMs: timeMs, author: asked.user }
    }
    const beginning = {
      key,
      asked: question.text,
      client: made.client,
      copies: written?.copies ?? null,
      version,
      failed
    }
    const begun = await this.#change(document, kept, now => {
      const entry = this.#entryOf(now, asked)
      if (entry !== null && entry.sequence !== null) return null
      if (entries.committedTry(entry, state.vector) !== null) return null
      const manifest = entries.withTry(now.manifest, beginning, limits)
      return { manifest, blobs: written === null ? [] : [written.blob] }
    })
    return begun !== null
  }

  /** Written before the commit: were they written after it, a crash could lose them. Many blobs become one. */
  #newCopies(
    { manifest }: Kept,
    { restored, copies }: Made
  ): { blob: HistoryBlob; copies: entries.NewCopies } | null {
    const { limits, histories } = this.#parts
    if (restored.copies === null) return null
    const isMany = manifest.copies.length >= limits.restoreCopiesMax
    const bytes = isMany
      ? mergeCopies([...copies, restored.copies], limits.restoreCopiesBytesMax)
      : restored.copies
    const { entry, blob } = histories.newBlob(bytes)
    const replaces = isMany ? manifest.copies.map(each => each.blob) : []
    return { blob, copies: { entry, replaces } }
  }

  async #finish(
    asked: Asked,
    kept: Kept,
    done: { readonly client: number; readonly sequence: number }
  ): Promise<Outcome> {
    const { document, key } = asked
    const after = await this.#change(document, kept, now => ({
      manifest: entries.committed(now.manifest, key, done)
    }))
    const entry = after === null ? null : entries.restoreWith(after.manifest, key)
    return { key, isChanged: true, sequence: done.sequence, version: entry?.version ?? null }
  }

  async #nothingToDo(asked: Asked, kept: Kept, state: State): Promise<Outcome> {
    const { limits, time } = this.#parts
    const { document, key, question } = asked
    const entry = { key, asked: question.text, timeMs: time.wallMs(), sequence: state.head }
    const known = this.#entryOf(kept, asked)?.tries.map(({ client }) => client) ?? []
    const after = await this.#change(document, kept, now => {
      const there = this.#entryOf(now, asked)
      // It is over, or another try of it has begun since the state was read, and may have been committed.
      const isOvertaken =
        there !== null && (there.sequence !== null || there.tries.some(each => !known.includes(each.client)))
      if (isOvertaken) return null
      return { manifest: entries.unchanged(now.manifest, entry, limits) }
    })
    if (after === null) return 'again'
    return { key, isChanged: false, sequence: state.head, version: null }
  }

  /** Nothing of it was committed, nor will be. */
  async #abandon(asked: Asked): Promise<void> {
    const { document, key, failed } = asked
    const kept = await this.#kept(document)
    await this.#change(document, kept, now => {
      const entry = entries.restoreWith(now.manifest, key)
      if (entry === null || entry.sequence !== null) return null
      const isAll = entry.tries.every(({ client }) => failed.includes(client))
      const { manifest } = now
      return {
        manifest: isAll ? entries.abandoned(manifest, key) : entries.withoutTries(manifest, key, failed)
      }
    })
  }

  async #kept(document: string): Promise<Kept> {
    const kept = await this.#parts.histories.read(document)
    if (kept === null) throw new Fault('ERR_DELETED')
    return kept
  }

  #change(document: string, kept: Kept, edit: (kept: Kept) => Change | null): Promise<Kept | null> {
    return this.#parts.histories.change(document, kept.incarnation, edit)
  }

  #entryOf({ manifest }: Kept, { key, question }: Asked): RestoreEntry | null {
    const entry = entries.restoreWith(manifest, key)
    if (entry !== null && entry.asked !== question.text) throw new Fault('ERR_KEY_REUSED')
    return entry
  }

  /** Null: others have changed the history meanwhile, and some are not there any more. */
  #copies(document: string, kept: Kept): Promise<readonly Uint8Array[] | null> {
    const { histories } = this.#parts
    const { incarnation, manifest } = kept
    return histories.unlessOvertaken(document, kept, () =>
      histories.blobs(document, incarnation, manifest.copies)
    )
  }

  async #state(document: string): Promise<State> {
    const { store, time } = this.#parts
    try {
      const loaded = await store.load(document)
      const breathe = () => new Promise<void>(resolve => void time.soon(resolve))
      const { document: opened } = await openDocument(document, loaded, breathe)
      const { incarnation, head } = loaded
      return { incarnation, head, updates: updatesOf(opened), vector: opened.clientEnds() }
    } catch (error) {
      throw openingFault(error)
    }
  }

  #freshClient(vector: ReadonlyMap<number, number>): number {
    const { random } = this.#parts
    for (;;) {
      const client = newClientID(random)
      if (!vector.has(client)) return client
    }
  }
}

function checkSignal({ signal }: Asked): void {
  if (signal?.aborted === true) throw new Fault('ERR_CANCELLED')
}

/** Of these it is known that nothing was committed. */
function isRefusal(error: unknown): boolean {
  return error instanceof Fault && (error.code === 'ERR_UPDATE_TOO_LARGE' || error.code === 'ERR_OVERLOADED')
}

function answerOf({ key, tries, version }: RestoreEntry, sequence: number): RestoreAnswer {
  return { key, isChanged: tries.length > 0, sequence, version }
}
