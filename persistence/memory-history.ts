/**
 * The histories of the memory store: what a life keeps of its past, beside its log. As simple as the rest of it: every call
 * is finished before it returns its promise.
 */
import {
  checkBlobNumbers,
  checkHistory,
  checkList,
  checkRecordsAfter,
  checkReleased,
  compareUtf8
} from './arguments.ts'
import type { HistoryRecord, HistoryRequest, HistoryResult, HistoryStore, StoredHistory } from './history.ts'
import { isOther, isReleased, unreleasedOf } from './releasing.ts'
import { type Floor, type StoredCheckpoint, StoreError, singleWriter } from './store.ts'

export type Life = {
  readonly incarnation: string
  /** Its numbers are above this one. */
  readonly floor: number
  lastSequence: number
  checkpoint: StoredCheckpoint | null
  readonly records: Map<number, Uint8Array>
  /** Records that a checkpoint has replaced, kept for the history. */
  readonly hidden: Map<number, Uint8Array>
  history: LifeHistory | null
}

type LifeHistory = {
  readonly stored: StoredHistory
  readonly blobs: Map<number, Uint8Array>
}

/** What the memory store lends: its lives, its check of each call, and its numbers. */
type Lender = {
  readonly lives: ReadonlyMap<string, Life>
  checkOpen(...names: readonly string[]): void
  floorOf(life: Life | undefined): Floor
  nextNumber(): number
}

/** Takes a record out of the log, which a checkpoint has replaced: for good, or for the history to have. */
export function replaceRecord(life: Life, sequence: number): void {
  const record = life.records.get(sequence)
  life.records.delete(sequence)
  if (record === undefined || life.history === null) return
  if (!isReleased(life.history.stored, sequence)) life.hidden.set(sequence, record)
}

export class MemoryHistories implements HistoryStore {
  readonly #lender: Lender

  constructor(lender: Lender) {
    this.#lender = lender
  }

  async read(document: string): Promise<StoredHistory | null> {
    this.#lender.checkOpen(document)
    return this.#lender.lives.get(document)?.history?.stored ?? null
  }

  async write(request: HistoryRequest): Promise<HistoryResult> {
    this.#lender.checkOpen(request.document)
    checkHistory(request)
    const life = this.#lender.lives.get(request.document)
    if (life === undefined || !isCurrent(life, request)) return { outcome: 'superseded' }
    const before = life.history?.stored.releasedTo ?? 0
    checkReleased(request, { head: life.lastSequence, before })
    const blobs = new Map(life.history?.blobs)
    for (const { number, bytes } of request.blobs) {
      if (blobs.has(number)) throw new StoreError('STORE_ARGUMENT', `There is a blob ${number} already`)
      blobs.set(number, bytes.slice())
    }
    for (const number of request.drops) blobs.delete(number)
    const { incarnation, releasedTo } = request
    const generation = this.#lender.nextNumber()
    const manifest = request.manifest.slice()
    const stored = { incarnation, generation, manifest, releasedTo, pins: [...request.pins] }
    life.history = { stored, blobs }
    for (const sequence of life.hidden.keys()) {
      if (isReleased(stored, sequence)) life.hidden.delete(sequence)
    }
    return { outcome: 'written', generation }
  }

  async blobs(
    document: string,
    incarnation: string,
    numbers: readonly number[]
  ): Promise<readonly (Uint8Array | null)[]> {
    this.#lender.checkOpen(document)
    checkBlobNumbers(numbers)
    const life = this.#lifeOf(document, incarnation)
    return numbers.map(number => life?.history?.blobs.get(number) ?? null)
  }

  async unreleased(...[document, incarnation, sequence, limits]: Parameters<HistoryStore['unreleased']>) {
    this.#lender.checkOpen()
    checkRecordsAfter(document, sequence, limits)
    const life = this.#lifeOf(document, incarnation)
    if (life === undefined) {
      return { outcome: 'gone', floor: this.#lender.floorOf(this.#lender.lives.get(document)) } as const
    }
    return unreleasedOf(recordsOf(life, sequence), { head: life.lastSequence, limits })
  }

  async drop(document: string, incarnation: string): Promise<boolean> {
    this.#lender.checkOpen(document)
    const life = this.#lifeOf(document, incarnation)
    if (life === undefined || life.history === null) return false
    life.history = null
    life.hidden.clear()
    return true
  }

  async list(options?: Parameters<HistoryStore['list']>[0]): Promise<readonly string[]> {
    this.#lender.checkOpen()
    const { after, limit } = checkList(options)
    return [...this.#lender.lives]
      .filter(([name, { history }]) => history !== null && (after === '' || compareUtf8(name, after) > 0))
      .map(([name]) => name)
      .sort(compareUtf8)
      .slice(0, limit)
  }

  #lifeOf(document: string, incarnation: string): Life | undefined {
    const life = this.#lender.lives.get(document)
    return life?.incarnation === incarnation ? life : undefined
  }
}

function isCurrent(life: Life, { incarnation, base, checkpoint, through }: HistoryRequest): boolean {
  if (life.incarnation !== incarnation) return false
  if ((life.history?.stored.generation ?? null) !== base) return false
  if (checkpoint !== undefined && checkpoint !== (life.checkpoint?.generation ?? 0)) return false
  return !isOther(through, singleWriter)
}

/** What the history still needs above a sequence number, in order. */
function* recordsOf(life: Life, above: number): Generator<HistoryRecord> {
  const kept = [...life.records, ...life.hidden]
    .filter(([sequence]) => sequence > above)
    .sort(([one], [other]) => one - other)
  for (const [sequence, record] of kept) {
    if (life.history !== null && isReleased(life.history.stored, sequence)) continue
    yield { sequence, identity: singleWriter, record, isReplaced: life.hidden.has(sequence) }
  }
}
