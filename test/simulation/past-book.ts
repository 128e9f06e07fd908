/**
 * What people were told who changed documents by their past, what workers computed for them, and what the store owes of it: a
 * restore happens once, on top of all those before it, and comes to what it says; what has a name keeps it.
 */
import * as Y from 'yjs'
import type { Author } from '../../persistence/author.ts'
import type { LoadedDocument } from '../../persistence/store.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { HistoryVersion, RestoreAnswer } from '../../src/documents/history-api.ts'
import type { Manifest } from '../../src/history/manifest.ts'
import type { Moment } from '../../src/history/moment.ts'
import { contentsBy, isApartAfter, type PastTruth, type TruthRecord } from './past-truth.ts'
import type { TakenBack } from './past-work.ts'
import { Violation } from './trace.ts'

/** What is told holds as long as this is the same: the document was not deleted, and the store did not go back. */
export type Stamp = { readonly ledger: object; readonly timeline: number; readonly deletions: number }

/** What somebody did after one record and up to another. */
export type Undo = {
  readonly by: { readonly user: string } | { readonly connection: string }
  readonly from: number
  readonly to: number
}

/** A restore or an undo that somebody asked for. `undo`: what can be looked at of it. `isUnknown`: one of its tries was not answered. */
export type Asked = {
  readonly room: string
  readonly key: string
  readonly stamp: Stamp
  readonly undo: Undo | null
  isUnknown: boolean
  isRefused: boolean
  answer: RestoreAnswer | null
}

type Named = { readonly room: string; readonly stamp: Stamp; readonly version: HistoryVersion }

type Parts = {
  readonly stampOf: (room: string) => Stamp
  /** No update waits for another one: who did what is then told by the records alone. */
  readonly isCausal: boolean
}

export type BookInspection = {
  readonly room: string
  readonly loaded: LoadedDocument
  /** Null: it has no history. */
  readonly manifest: Manifest | null
  readonly truth: PastTruth
  readonly where: string
}

/** A restore in the log. */
type Restored = { readonly sequence: number; readonly client: number; readonly key: string }

export class PastBook {
  readonly #parts: Parts
  readonly #asked: Asked[] = []
  readonly #named: Named[] = []
  /** By the clients of what they wrote. */
  readonly #taken = new Map<number, TakenBack>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  stampOf(room: string): Stamp {
    return this.#parts.stampOf(room)
  }

  holds(room: string, { ledger, timeline, deletions }: Stamp): boolean {
    const now = this.stampOf(room)
    return now.ledger === ledger && now.timeline === timeline && now.deletions === deletions
  }

  asks(room: string, key: string, undo: Undo | null): Asked {
    const stamp = this.stampOf(room)
    const asked = { room, key, stamp, undo, isUnknown: false, isRefused: false, answer: null }
    this.#asked.push(asked)
    return asked
  }

  /** Throws when an earlier answer was another one. */
  answered(asked: Asked, answer: RestoreAnswer): void {
    const { room, key, stamp, answer: before } = asked
    asked.answer = answer
    if (before === null || !this.holds(room, stamp)) return
    const isSame = before.sequence === answer.sequence && before.isChanged === answer.isChanged
    if (!isSame)
      throw new Violation(`${key} was answered ${JSON.stringify(before)}, then ${JSON.stringify(answer)}`)
  }

  named(room: string, stamp: Stamp, version: HistoryVersion): void {
    this.#named.push({ room, stamp, version })
  }

  /** Nobody is owed it any more; whether it goes or not. */
  unnamed(id: string): void {
    const at = this.#named.findIndex(({ version }) => version.id === id)
    if (at >= 0) this.#named.splice(at, 1)
  }

  tookBack(taken: TakenBack): void {
    if (taken.update !== null) this.#taken.set(taken.job.client, taken)
  }

  /** Throws when the store does not have what people were told. */
  check({ room, loaded, manifest, truth, where }: BookInspection): void {
    const { incarnation, head } = loaded
    if (incarnation === null) return
    const records = truth.records(incarnation, head)
    const restored = records.flatMap(record => restoresIn(record, where))
    for (const [index, one] of restored.entries()) {
      if (restored.slice(0, index).some(({ key }) => key === one.key))
        throw new Violation(`${where}, ${room}: ${one.key} happened twice`)
      this.#checkBase(one, restored.slice(0, index), where)
      this.#checkContents(one, records, where)
    }
    for (const asked of this.#asked) {
      if (asked.room === room && this.holds(room, asked.stamp)) checkAnswer(asked, restored, where)
    }
    if (manifest !== null) this.#checkNamed(room, manifest, where)
  }

  /** It was computed on top of those before it. */
  #checkBase({ client, key }: Restored, before: readonly Restored[], where: string): void {
    const { now } = this.#takenBy(client, key).job
    const known = new Set(now.flatMap(update => scanUpdate(update).structs.map(range => range.client)))
    const missed = before.find(each => !known.has(each.client))
    if (missed === undefined) return
    throw new Violation(`${where}: ${key} was computed without ${missed.key}, which came before it`)
  }

  #takenBy(client: number, key: string): TakenBack {
    const taken = this.#taken.get(client)
    if (taken === undefined) throw new Violation(`${key} is in the log, and no worker has computed it`)
    return taken
  }

  #checkContents({ client, key }: Restored, records: readonly TruthRecord[], where: string): void {
    const { job, update } = this.#takenBy(client, key)
    if (job.roots !== null || update === null) return
    const after = [...job.now, update]
    if ('at' in job) {
      const upTo = lastOf(job.at.moment, records)
      if (upTo === null) return
      const was = contentsBy(upTo)
      const is = contentsBy(after)
      if (was !== is) throw new Violation(`${where}: ${key} came to something else\n${is}\n${was}`)
      return
    }
    const undo = this.#asked.find(asked => asked.key === key)?.undo ?? null
    if (!this.#parts.isCausal || undo === null) return
    const { by, from, to } = undo
    const upTo = records.filter(({ sequence }) => sequence <= to)
    const before = records.filter(({ sequence }) => sequence <= from).length
    const isTheirs = (author: Author | null) =>
      'user' in by ? author?.user === by.user : author?.connection === by.connection
    if (![before, upTo.length].every(count => isApartAfter(records, count, isTheirs))) return
    const left = standing(after, insertedBy(isTheirs, upTo, before))
    if (left !== null) throw new Violation(`${where}: ${key} has left ${left}`)
  }

  #checkNamed(room: string, { versions, beginsAt }: Manifest, where: string): void {
    for (const { version, stamp, room: its } of this.#named) {
      if (its !== room || !this.holds(room, stamp) || version.sequence < beginsAt.sequence) continue
      const found = versions.find(({ id }) => id === version.id)
      if (found?.name === version.name && found.sequence === version.sequence) continue
      throw new Violation(`${where}, ${room}: the version ${version.name} is not there`)
    }
    const lost = versions.find(({ sequence }) => sequence < beginsAt.sequence)
    if (lost !== undefined)
      throw new Violation(`${where}, ${room}: the version ${lost.id} is of before its history`)
  }
}

function restoresIn({ sequence, record }: TruthRecord, where: string): Restored[] {
  const updates = decodeRecord(record)
  if (!updates.some(({ author }) => author?.origin === 'restore')) return []
  const [first, ...others] = updates
  const clients = new Set(
    first === undefined ? [] : scanUpdate(first.update).structs.map(each => each.client)
  )
  const [client] = clients
  if (others.length > 0 || client === undefined || clients.size !== 1)
    throw new Violation(`${where}: record ${sequence} is of more than a restore`)
  return [{ sequence, client, key: first?.author?.user ?? '' }]
}

function checkAnswer(asked: Asked, restored: readonly Restored[], where: string): void {
  const { key, answer, isRefused, isUnknown } = asked
  const found = restored.find(each => each.key === key)
  if (answer?.isChanged === true && found?.sequence !== answer.sequence)
    throw new Violation(`${where}: ${key} was answered ${answer.sequence} and is at ${found?.sequence}`)
  if (answer?.isChanged === false && found !== undefined)
    throw new Violation(`${where}: ${key} was answered that nothing changed, and is at ${found.sequence}`)
  // Who was not answered once may have done it.
  if (isRefused && !isUnknown && found !== undefined)
    throw new Violation(`${where}: ${key} was refused, and is at ${found.sequence}`)
}

/** The records up to a moment, which is told apart from what follows; null: it is not, or not known. */
function lastOf(moment: Moment, records: readonly TruthRecord[]): readonly TruthRecord[] | null {
  if (!('sequence' in moment)) return null
  const upTo = records.filter(({ sequence }) => sequence <= moment.sequence)
  return isApartAfter(records, upTo.length) ? upTo : null
}

/** What was new in their records, from the one at this place on. */
function insertedBy(
  isTheirs: (author: Author | null) => boolean,
  records: readonly TruthRecord[],
  from: number
): ClockRuns {
  const [known, theirs] = [new ClockRuns(), new ClockRuns()]
  for (const [index, { record }] of records.entries()) {
    for (const { author, update } of decodeRecord(record)) {
      const { structs } = scanUpdate(update)
      if (index >= from && isTheirs(author)) theirs.addAll(ClockRuns.from(structs).subtract(known).ranges())
      known.addAll(structs)
    }
  }
  return theirs
}

/** Something of these that the document shows; null: nothing. */
function standing(updates: readonly Uint8Array[], runs: ClockRuns): string | null {
  const doc = new Y.Doc({ guid: 'undone' })
  Y.applyUpdate(doc, Y.mergeUpdates([...updates]))
  const left = ClockRuns.from(shown(doc)).intersect(runs)
  doc.destroy()
  return left.clientCount === 0 ? null : JSON.stringify([...left.ranges()])
}

function* shown({ store }: Y.Doc) {
  for (const [client, structs] of store.clients) {
    for (const struct of structs) {
      if (struct instanceof Y.Item && !struct.deleted)
        yield { client, clock: struct.id.clock, length: struct.length }
    }
  }
}
