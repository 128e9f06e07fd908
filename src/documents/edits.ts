/**
 * Edits by those who have no copy of a document. A worker computes them from what is durable; they are committed only if
 * what they rest on was not touched meanwhile, else they are computed anew. So nobody's change is overwritten unseen.
 */
import { type LoadedDocument, type Store, StoreError } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { NamedWorkQueue } from '../base/work-queue.ts'
import { ClockRuns } from '../document/clocks.ts'
import type { Guard } from '../document/guard.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { versionOf } from '../document/version.ts'
import type { EditedMessage, EditStep, GuardMessage, ReadQuestion } from '../editing/jobs.ts'
import type { EditWorkers } from '../editing/workers.ts'
import { checkDocumentName } from '../room/document-name.ts'
import { scanInSlices } from '../room/intake.ts'
import type { Room } from '../room/room.ts'
import type { Rooms } from '../room/rooms.ts'
import { openingFault, storeFault } from '../room/store-fault.ts'
import type { Watch } from '../room/watches.ts'
import type { EditCall, EditOutcome, ReadAnswer } from './edit-api.ts'
import { EditClients } from './edit-clients.ts'
import { EditKeys } from './edit-keys.ts'
import { sinceOf, stateMessage } from './stored-state.ts'
import { Typing } from './typing.ts'

type Parts = {
  readonly rooms: Rooms
  readonly store: Pick<Store, 'load'>
  readonly workers: EditWorkers
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
  /** From 0 to below 1. */
  readonly random: () => number
}

/** One edit, from its question to its answer. */
type Asked = EditCall & {
  /** Null with a key. */
  readonly room: Room | null
  client: number
  /** The edit was made if the client has come beyond this clock. Null: nothing of it was tried yet. */
  knownAbove: number | null
}

type Edited = Extract<EditedMessage, { readonly outcome: 'edited' }>
type Began = {
  readonly outcome: EditOutcome
  readonly rest: readonly EditStep[]
  readonly last: number | null
}

export class Edits {
  readonly #parts: Parts
  readonly #turns: NamedWorkQueue
  readonly #clients: EditClients
  readonly #keys: EditKeys
  readonly #typing: Typing

  constructor(parts: Parts) {
    this.#parts = parts
    const { limits } = parts
    this.#turns = new NamedWorkQueue({
      atOnceMax: limits.editsAtOnceMax,
      waitingMax: limits.editsWaitingMax
    })
    this.#clients = new EditClients(parts.random)
    this.#keys = new EditKeys(limits)
    this.#typing = new Typing(parts)
  }

  /**
   * What is durable, with its version. Opens no room. Null: there is no such document, block or root type. Rejects with
   * ERR_ROOM_NAME, ERR_ANSWER_TOO_LARGE, and as workers and stores do.
   */
  async read(document: string, question: ReadQuestion, signal?: AbortSignal): Promise<ReadAnswer | null> {
    const { workers, limits } = this.#parts
    checkDocumentName(document, limits)
    const loaded = await this.#load(document)
    if (loaded.incarnation === null) return null
    const answerBytesMax = limits.editAnswerBytesMax
    const state = () => stateMessage(loaded, { sequence: null, isLost: false }, null)
    const job = async () => ({ state: await state(), question, answerBytesMax })
    const json = await workers.ask('read', { document, job, signal })
    return json === null ? null : { version: versionOf(loaded), json }
  }

  /**
   * Resolves when the edit is durable and was sent to everybody who has the document open. Rejects with ERR_BAD_EDIT,
   * ERR_NO_DOCUMENT, ERR_KEY_REUSED, ERR_OVERLOADED, ERR_CANCELLED, ERR_UPDATE_TOO_LARGE and as workers do: then nothing was
   * changed. With ERR_STORE and ERR_GOING_DOWN it may have been: asking again with the same key finds out.
   */
  async edit(call: EditCall): Promise<EditOutcome> {
    const { document } = call
    checkDocumentName(document, this.#parts.limits)
    const { began, asked } = await this.#turns.run(document, () => this.#once(call))
    const { outcome, rest, last } = began
    // Others may edit meanwhile; only what is computed takes turns.
    const isWhole = rest.length === 0 || (await this.#typing.type(call, rest, last))
    // Not before: the steps count on its clocks.
    if (asked !== null) this.#clients.giveBack(asked)
    return outcome.outcome === 'edited' ? { ...outcome, isInterrupted: !isWhole } : outcome
  }

  /** Nobody types on, and nothing is computed any more. */
  close(): void {
    this.#typing.close()
  }

  async #once(call: EditCall): Promise<{ readonly began: Began; readonly asked: Asked | null }> {
    const known = this.#keys.find(call)
    if (known !== null) return { began: began({ ...known, isRepeated: true }), asked: null }
    const { time, limits } = this.#parts
    const untilMs = time.nowMs() + limits.editTriesMs
    const room = call.key === null ? await this.#parts.rooms.open(call.document) : null
    const client = this.#clients.take(call, room)
    const asked: Asked = { ...call, room, client, knownAbove: call.key === null ? null : 0 }
    for (let tries = 1; tries <= limits.editTriesMax && time.nowMs() < untilMs; tries++) {
      const answered = await this.#attempt(asked)
      if (answered === 'again') continue
      if (answered.outcome.outcome === 'edited') this.#keys.add(call, answered.outcome)
      return { began: answered, asked }
    }
    throw new Fault('ERR_OVERLOADED', 'others change the passage all the time')
  }

  async #attempt(asked: Asked): Promise<Began | 'again'> {
    const room = await this.#parts.rooms.open(asked.document)
    const release = room.keep()
    const watch = room.writing.watch()
    try {
      return await this.#inRoom(asked, room, watch)
    } catch (error) {
      if (error instanceof Fault && error.code === 'ERR_ROOM_RESTARTS') return 'again'
      throw error
    } finally {
      watch.end()
      release()
    }
  }

  async #inRoom(asked: Asked, room: Room, watch: Watch): Promise<Began | 'again'> {
    // What was taken before the watch began is in the state; what comes later is seen by the watch.
    await room.writing.durable()
    const loaded = await this.#load(asked.document)
    if (loaded.incarnation === null) throw new Fault('ERR_NO_DOCUMENT')
    if (room.life.incarnation !== loaded.incarnation) return 'again'
    const result = await this.#compute(asked, loaded)
    const version = versionOf(loaded)
    switch (result.outcome) {
      case 'wrong':
        throw new Fault('ERR_BAD_EDIT', result.reason, {
          publicReason: `change ${result.change}: ${result.reason}`
        })
      case 'stale': {
        const { change, passage, by } = result
        return began({ outcome: 'stale', version, change, passage, by })
      }
      case 'known':
        return began({ ...edited(version), isRepeated: true })
      case 'edited':
        return this.#commit(asked, result, { room, watch, loaded })
      default:
        return result satisfies never
    }
  }

  async #compute(asked: Asked, loaded: LoadedDocument): Promise<EditedMessage> {
    const { workers, limits } = this.#parts
    const { document, question, client, key, signal } = asked
    const since = sinceOf(loaded, asked.version)
    const job = async () => ({
      state: await stateMessage(loaded, since, asked.author.connection),
      question,
      client,
      knownAbove: asked.knownAbove,
      isKeyed: key !== null,
      wordsAtOnce: this.#typing.wordsAtOnce(asked),
      passageMax: limits.editPassageMax
    })
    return workers.ask('edit', { document, job, signal })
  }

  async #commit(
    asked: Asked,
    { steps, guard }: Edited,
    { room, watch, loaded }: { readonly room: Room; readonly watch: Watch; readonly loaded: LoadedDocument }
  ): Promise<Began | 'again'> {
    const [first, ...rest] = steps
    const version = versionOf(loaded)
    if (first === undefined) return began({ ...edited(version), isChanged: false })
    if (asked.signal?.aborted === true) throw new Fault('ERR_CANCELLED')
    watch.guard(guardOf(guard))
    const scanned = await this.#scanned(first.update)
    asked.knownAbove = clockBefore(scanned, asked.client)
    const { author } = asked
    const sequence = await room.writing.restore(scanned, { author, watch })
    if (sequence === null) return 'again'
    asked.onStep?.(first.cursor)
    // What others wrote elsewhere meanwhile was not seen.
    const seen = watch.wasQuiet ? { incarnation: loaded.incarnation, head: sequence } : loaded
    return { outcome: edited(versionOf(seen)), rest, last: first.last }
  }

  async #scanned(update: Uint8Array): Promise<ScannedUpdate> {
    const { slices, limits } = this.#parts
    return { update, scan: await slices.run(scanInSlices(update, limits), null) }
  }

  async #load(document: string): Promise<LoadedDocument> {
    try {
      return await this.#parts.store.load(document)
    } catch (error) {
      throw error instanceof StoreError ? storeFault(error) : openingFault(error)
    }
  }
}

function edited(version: string) {
  return {
    outcome: 'edited',
    version,
    isChanged: true,
    isRepeated: false,
    isInterrupted: false
  } as const
}

function began(outcome: EditOutcome): Began {
  return { outcome, rest: [], last: null }
}

function guardOf({ deletes, origins, rights, hasEmpty }: GuardMessage): Guard {
  const runs = ClockRuns.from
  return { deletes: runs(deletes), origins: runs(origins), rights: runs(rights), hasEmpty }
}

function clockBefore({ scan }: ScannedUpdate, client: number): number | null {
  return scan.structs.find(range => range.client === client)?.clock ?? null
}
