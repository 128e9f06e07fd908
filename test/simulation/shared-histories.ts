/**
 * What the database that nodes share keeps of the past of documents. As in `shared-database.ts` each method is one statement,
 * and what a node sends twice, because an answer was lost, is carried out once.
 */
import { checkReleased } from '../../persistence/arguments.ts'
import type {
  HistoryBlob,
  HistoryRequest,
  StoredHistory,
  UnreleasedRecords
} from '../../persistence/history.ts'
import { isOther, isReleased, unreleasedOf } from '../../persistence/releasing.ts'
import { type RecordLimits, StoreError } from '../../persistence/store.ts'
import type { Row } from './shared-database.ts'

export type RowHistory = {
  readonly stored: StoredHistory
  readonly blobs: ReadonlyMap<number, Uint8Array>
  /** Of its writes: so a node whose answer was lost learns that it was the one. */
  readonly generations: ReadonlySet<number>
}

type Database = {
  rowOf(document: string): Row
  rows(): Iterable<readonly [string, Row]>
  /** Of a write; not given again after the database went back. */
  nextAttempt(): number
}

export class SharedHistories {
  readonly #database: Database
  /** Blobs of writes under way, by their generation. */
  readonly #attempts = new Map<number, Map<number, Uint8Array>>()
  /** What drops were answered with, by the number that each has. */
  readonly #drops = new Map<number, boolean>()

  constructor(database: Database) {
    this.#database = database
  }

  read(document: string): StoredHistory | null {
    return this.#database.rowOf(document).history?.stored ?? null
  }

  /** The generation of an attempt, its own; null: superseded already. */
  begin(request: HistoryRequest): number | null {
    const row = this.#database.rowOf(request.document)
    if (!isCurrent(row, request)) return null
    checkReleased(request, { before: row.history?.stored.releasedTo ?? 0, head: row.lastSequence })
    for (const { number } of request.blobs) {
      if (row.history?.blobs.has(number) !== true) continue
      throw new StoreError('STORE_ARGUMENT', `There is a blob ${number} already`)
    }
    const generation = this.#database.nextAttempt()
    this.#attempts.set(generation, new Map())
    return generation
  }

  putBlob(generation: number, { number, bytes }: HistoryBlob): void {
    const blobs = this.#attempts.get(generation)
    if (blobs !== undefined && !blobs.has(number)) blobs.set(number, bytes.slice())
  }

  /** Compares, and makes the attempt the history. */
  switch(request: HistoryRequest, generation: number): boolean {
    const row = this.#database.rowOf(request.document)
    const own = this.#attempts.get(generation)
    if (own === undefined || !isCurrent(row, request) || own.size !== request.blobs.length) return false
    this.#attempts.delete(generation)
    const blobs = new Map([...(row.history?.blobs ?? []), ...own])
    for (const number of request.drops) blobs.delete(number)
    const { incarnation, releasedTo, pins } = request
    const manifest = request.manifest.slice()
    const stored = { incarnation, generation, manifest, releasedTo, pins: [...pins] }
    const generations = new Set([...(row.history?.generations ?? []), generation])
    row.history = { stored, blobs, generations }
    hideWhatIsNeeded(row)
    return true
  }

  isWritten(document: string, generation: number): boolean {
    return this.#database.rowOf(document).history?.generations.has(generation) ?? false
  }

  blobs(document: string, incarnation: string, numbers: readonly number[]): (Uint8Array | null)[] {
    const row = this.#lifeOf(document, incarnation)
    return numbers.map(number => row?.history?.blobs.get(number) ?? null)
  }

  async unreleased(
    document: string,
    incarnation: string,
    { sequence, limits }: { readonly sequence: number; readonly limits: RecordLimits }
  ): Promise<UnreleasedRecords> {
    const row = this.#lifeOf(document, incarnation)
    if (row === null) return { outcome: 'gone', floor: this.#database.rowOf(document).floor }
    const { lastSequence: head, history } = row
    const needed = [...row.records.values()]
      .filter(each => each.sequence > Math.max(sequence, row.floor))
      .filter(each => each.isHidden || each.replacedAtMs === null)
      .filter(each => history === null || !isReleased(history.stored, each.sequence))
      .map(({ replacedAtMs, isHidden: isReplaced, ...record }) => ({ ...record, isReplaced }))
    return unreleasedOf(needed, { head, limits })
  }

  /** `number`: of this drop. */
  drop(document: string, incarnation: string, number: number): boolean {
    const before = this.#drops.get(number)
    if (before !== undefined) return before
    const row = this.#lifeOf(document, incarnation)
    const isThere = row !== null && row.history !== null
    this.#drops.set(number, isThere)
    if (!isThere) return false
    row.history = null
    hideWhatIsNeeded(row)
    return true
  }

  names(): string[] {
    return [...this.#database.rows()].filter(([, { history }]) => history !== null).map(([name]) => name)
  }

  #lifeOf(document: string, incarnation: string): Row | null {
    const row = this.#database.rowOf(document)
    return row.incarnation !== null && String(row.incarnation) === incarnation ? row : null
  }
}

/** Of what a checkpoint has replaced, only what the history needs stays. */
export function hideWhatIsNeeded(row: Row): void {
  const { history } = row
  for (const [sequence, record] of row.records) {
    if (!record.isHidden) continue
    const isHidden = history !== null && !isReleased(history.stored, sequence)
    row.records.set(sequence, { ...record, isHidden })
  }
}

function isCurrent(
  row: Row,
  { incarnation, base, checkpoint, releasedTo, through }: HistoryRequest
): boolean {
  if (row.incarnation === null || String(row.incarnation) !== incarnation) return false
  if ((row.history?.stored.generation ?? null) !== base) return false
  if (checkpoint !== undefined && checkpoint !== row.generation) return false
  return !isOther(through, row.records.get(releasedTo)?.identity ?? null)
}
