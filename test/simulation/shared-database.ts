/**
 * The database that the nodes of a run share: what is true, in memory. Each method is one statement: it happens at once, and
 * all of it. It does what the statements of `persistence/postgres` do, and can be put back to an earlier state, as by a
 * standby that was behind or a backup that was restored.
 */
import { checkCheckpoint } from '../../persistence/arguments.ts'
import { following } from '../../persistence/following.ts'
import { Leases } from '../../persistence/leases.ts'
import { createMemoryStore } from '../../persistence/memory.ts'
import type {
  AppendAnswer,
  AppendEntry,
  CheckpointRequest,
  DocumentHead,
  HeadQuery,
  LoadedDocument,
  RecordIdentity,
  RecordLimits,
  RecordsAfter,
  StoredRecord,
  Tombstone
} from '../../persistence/store.ts'
import { hideWhatIsNeeded, type RowHistory, SharedHistories } from './shared-histories.ts'

type Kept = StoredRecord & {
  /** When a checkpoint replaced it; null: it is part of the document. It can be read for a while afterwards. */
  readonly replacedAtMs: number | null
  /** Replaced, and yet needed by the history. */
  readonly isHidden: boolean
}

export type Row = {
  /** Null: there is no document. */
  incarnation: number | null
  lastSequence: number
  /** The last number of the lives before this one. */
  floor: number
  /** 0: no checkpoint. */
  generation: number
  partCount: number
  /** Who wrote the record of `lastSequence`. */
  newest: RecordIdentity | null
  readonly records: Map<number, Kept>
  /** Of each attempt at a checkpoint: its meta and segments, by their place. */
  readonly parts: Map<number, Map<number, Uint8Array>>
  history: RowHistory | null
}

export type EarlierState = {
  readonly numbers: number
  readonly rows: ReadonlyMap<string, Row>
  readonly lanes: ReadonlyMap<string, number>
  readonly tombstones: ReadonlyMap<string, Tombstone>
}

/** One batch of a node: sent again after a lost answer, it is written once. */
export type Batch = {
  readonly node: string
  readonly lane: number
  /** The batch before it in this lane. */
  readonly before: number
  readonly number: number
  readonly entries: readonly AppendEntry[]
}

type Options = {
  readonly nowMs: () => number
  /** How long what a checkpoint has replaced can still be read. */
  readonly graceMs: number
}

const nobody: Omit<Row, 'records' | 'parts'> = {
  incarnation: null,
  lastSequence: 0,
  floor: 0,
  generation: 0,
  partCount: 0,
  newest: null,
  history: null
}

const fresh = { replacedAtMs: null, isHidden: false } as const

export class SharedDatabase {
  /** What was set aside and the metadata: it stays when the rest goes back. */
  readonly beside = createMemoryStore()
  /** Told of each entry that is written, and of each life that ends, before anyone else is. */
  onAppended: (entry: AppendEntry) => void = () => {}
  onEnded: (document: string) => void = () => {}
  /** A document has a new checkpoint. */
  onSwitched: (document: string) => void = () => {}
  readonly histories = new SharedHistories({
    rowOf: document => this.#rowOf(document),
    rows: () => this.#rows,
    nextAttempt: () => this.nextAttempt()
  })
  readonly #options: Options
  readonly #leases: Leases
  #numbers = 0
  /** Does not go back with the rest. */
  #attempts = 0
  #rows = new Map<string, Row>()
  #lanes = new Map<string, number>()
  #tombstones = new Map<string, Tombstone>()

  constructor(options: Options) {
    this.#options = options
    this.#leases = new Leases(options.nowMs)
  }

  stateNow(): EarlierState {
    const rows = new Map([...this.#rows].map(([name, row]) => [name, copyOf(row)]))
    return {
      numbers: this.#numbers,
      rows,
      lanes: new Map(this.#lanes),
      tombstones: new Map(this.#tombstones)
    }
  }

  goBack({ numbers, rows, lanes, tombstones }: EarlierState): void {
    this.#numbers = numbers
    this.#rows = new Map([...rows].map(([name, row]) => [name, copyOf(row)]))
    this.#lanes = new Map(lanes)
    this.#tombstones = new Map(tombstones)
  }

  /** Another lane of a node. */
  openLane(node: string): number {
    const lane = this.nextNumber()
    this.#lanes.set(laneKey(node, lane), 0)
    return lane
  }

  /** Null: nothing was done, as the batch before is not the last one of its lane. */
  append({ node, lane, before, number, entries }: Batch): AppendAnswer[] | null {
    const key = laneKey(node, lane)
    if (this.#lanes.get(key) !== before) return null
    this.#lanes.set(key, number)
    return entries.map(entry => this.#appendOne(entry, { node, batch: number }))
  }

  #appendOne(entry: AppendEntry, identity: RecordIdentity): AppendAnswer {
    const { document, record } = entry
    const row = this.#rowOf(document)
    const refusal = refusalOf(row, entry)
    if (refusal !== null) return refusal
    row.incarnation ??= this.nextNumber()
    const sequence = ++row.lastSequence
    row.records.set(sequence, { sequence, identity, record: record.slice(), ...fresh })
    row.newest = identity
    this.onAppended(entry)
    return { outcome: 'written', incarnation: String(row.incarnation), sequence, identity }
  }

  /** What became of a batch that may have been written before; null: nobody knows of it. */
  resolve({ node, lane, number, entries }: Batch): AppendAnswer[] | null {
    if (this.#lanes.get(laneKey(node, lane)) !== number) return null
    // Of each document what this batch has written to it, in order: looked for once, as a batch may have thousands.
    const writtenTo = new Map<string, IterableIterator<StoredRecord>>()
    const isOfBatch = ({ sequence, identity }: StoredRecord, { floor }: { floor: number }) =>
      identity.node === node && identity.batch === number && sequence > floor
    return entries.map(entry => {
      const row = this.#rowOf(entry.document)
      const found =
        writtenTo.get(entry.document) ??
        [...row.records.values()].filter(record => isOfBatch(record, row)).values()
      writtenTo.set(entry.document, found)
      const written = found.next().value
      if (written === undefined) return refusalOf(row, entry) ?? { outcome: 'gone', floor: row.floor }
      const { sequence, identity } = written
      return { outcome: 'written', incarnation: String(row.incarnation), sequence, identity }
    })
  }

  load(document: string): LoadedDocument {
    const row = this.#rowOf(document)
    const { floor } = row
    const tombstone = this.#tombstones.get(document) ?? null
    if (row.incarnation === null)
      return { incarnation: null, head: 0, checkpoint: null, records: [], damaged: [], tombstone, floor }
    const parts = this.#partsOf(row, row.generation)
    const [meta = new Uint8Array(), ...segments] = parts ?? []
    return {
      incarnation: String(row.incarnation),
      head: row.lastSequence,
      checkpoint: parts === null ? null : { generation: row.generation, meta, segments },
      records: [...row.records.values()].filter(each => each.replacedAtMs === null).map(storedOf),
      damaged: [],
      tombstone,
      floor
    }
  }

  /** The records that were replaced are among them, while they are there. */
  recordsAfter(
    document: string,
    incarnation: string,
    { sequence, limits }: { readonly sequence: number; readonly limits: RecordLimits }
  ): Promise<RecordsAfter> | RecordsAfter {
    const row = this.#rowOf(document)
    if (row.incarnation === null || String(row.incarnation) !== incarnation)
      return { outcome: 'gone', floor: row.floor }
    const oldestMs = this.#options.nowMs() - this.#options.graceMs
    for (const { sequence: at, replacedAtMs, isHidden } of [...row.records.values()])
      if (replacedAtMs !== null && replacedAtMs < oldestMs && !isHidden) row.records.delete(at)
    const after = Math.max(sequence, row.floor)
    const later = [...row.records.values()].filter(each => each.sequence > after).map(storedOf)
    return following(later, { after, head: row.lastSequence, limits })
  }

  heads(queries: readonly HeadQuery[]): DocumentHead[] {
    return queries.map(({ document, at = 0 }) => {
      const row = this.#rowOf(document)
      const { incarnation, generation, lastSequence: head, newest, floor } = row
      if (incarnation === null) return { incarnation, generation: 0, head: 0, identity: null, floor }
      const identity = at === head ? newest : at > floor ? (row.records.get(at)?.identity ?? null) : null
      return { incarnation: String(incarnation), generation, head, identity, floor }
    })
  }

  segments(document: string, generation: number): readonly Uint8Array[] | null {
    const row = this.#rowOf(document)
    if (row.incarnation === null || row.generation !== generation || generation === 0) return null
    return this.#partsOf(row, generation)?.slice(1) ?? null
  }

  /** The number of an attempt at a checkpoint, its own; null: superseded already. */
  beginCheckpoint(request: CheckpointRequest): number | null {
    const row = this.#rowOf(request.document)
    if (!isOf(row, request)) return null
    // A life that has not begun has no records.
    checkCheckpoint(request, row.incarnation === null ? 0 : row.lastSequence)
    const generation = this.nextAttempt()
    if (!row.parts.has(generation)) row.parts.set(generation, new Map())
    return generation
  }

  /** A part that is there stays as it is. */
  putPart(document: string, generation: number, { at, bytes }: { at: number; bytes: Uint8Array }): void {
    const parts = this.#rowOf(document).parts.get(generation)
    if (parts !== undefined && !parts.has(at)) parts.set(at, bytes.slice())
  }

  /** Compares, and makes the attempt the checkpoint. */
  switchCheckpoint(
    request: CheckpointRequest,
    { generation, parts }: { readonly generation: number; readonly parts: number }
  ): boolean {
    const row = this.#rowOf(request.document)
    if (!isOf(row, request) || !hasMerged(row, request) || row.parts.get(generation)?.size !== parts)
      return false
    if (row.incarnation === null) {
      row.incarnation = this.nextNumber()
      row.lastSequence++
      row.newest = null
    }
    row.generation = generation
    row.partCount = parts
    const replacedAtMs = this.#options.nowMs()
    for (const sequence of request.replaces) {
      const record = row.records.get(sequence)
      if (record !== undefined) row.records.set(sequence, { ...record, replacedAtMs, isHidden: true })
    }
    hideWhatIsNeeded(row)
    for (const other of [...row.parts.keys()]) if (other < generation) row.parts.delete(other)
    this.onSwitched(request.document)
    return true
  }

  isCurrent(document: string, generation: number): boolean {
    return this.#rowOf(document).generation === generation
  }

  incarnationOf(document: string): number | null {
    return this.#rowOf(document).incarnation
  }

  /** False: the document is of another life meanwhile. `undefined`: the tombstone stays as it is. */
  end(document: string, incarnation: string | null, tombstone: Tombstone | null | undefined): boolean {
    const row = this.#rowOf(document)
    if ((row.incarnation === null ? null : String(row.incarnation)) !== incarnation) return false
    if (tombstone === null) this.#tombstones.delete(document)
    else if (tombstone !== undefined) this.#tombstones.set(document, tombstone)
    if (incarnation === null) return true
    const { lastSequence } = row
    Object.assign(row, { ...nobody, lastSequence, floor: lastSequence })
    row.parts.clear()
    for (const [sequence, record] of row.records)
      row.records.set(sequence, { ...record, replacedAtMs: this.#options.nowMs(), isHidden: false })
    this.onEnded(document)
    return true
  }

  tombstones(): { document: string; timeMs: number }[] {
    const kept = [...this.#tombstones].map(([document, { timeMs }]) => ({ document, timeMs }))
    return kept.sort((a, b) => a.timeMs - b.timeMs || (a.document < b.document ? -1 : 1))
  }

  dropTombstones(documents: readonly string[]): void {
    for (const document of documents) this.#tombstones.delete(document)
  }

  names(): string[] {
    return [...this.#rows].filter(([, { incarnation }]) => incarnation !== null).map(([name]) => name)
  }

  lease(key: string, holder: string, ms: number): boolean {
    return this.#leases.take(key, holder, ms)
  }

  /** Above those before it, and not given again after the database went back: in PostgreSQL the lower part is random. */
  nextAttempt(): number {
    return this.nextNumber() * 2 ** 20 + (this.#attempts++ % 2 ** 20)
  }

  /** One sequence for lives, lanes and attempts. */
  nextNumber(): number {
    return ++this.#numbers
  }

  #rowOf(document: string): Row {
    const present = this.#rows.get(document)
    if (present !== undefined) return present
    const row = { ...nobody, records: new Map(), parts: new Map() }
    this.#rows.set(document, row)
    return row
  }

  #partsOf(row: Row, generation: number): Uint8Array[] | null {
    const parts = row.parts.get(generation)
    if (generation === 0 || parts === undefined) return null
    return [...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
  }
}

function laneKey(node: string, lane: number): string {
  return `${node}/${lane}`
}

function refusalOf(row: Row, { incarnation = null, ifHead, ifFloor }: AppendEntry): AppendAnswer | null {
  const present = row.incarnation === null ? null : String(row.incarnation)
  if (incarnation !== null && incarnation !== present) return { outcome: 'gone', floor: row.floor }
  if (ifFloor !== undefined && ifFloor !== row.floor) return { outcome: 'gone', floor: row.floor }
  const head = present === null ? 0 : row.lastSequence
  return ifHead !== undefined && ifHead !== head ? { outcome: 'conflict', head } : null
}

/** After the store went back, another record may have the number of the last one that was merged. */
function hasMerged(row: Row, { replaces, through = null }: CheckpointRequest): boolean {
  if (through === null) return true
  const last = row.records.get(Math.max(0, ...replaces))
  const isThere = last !== undefined && last.replacedAtMs === null
  return isThere && last.identity.node === through.node && last.identity.batch === through.batch
}

function isOf(row: Row, { incarnation, base }: Pick<CheckpointRequest, 'incarnation' | 'base'>): boolean {
  const present = row.incarnation === null ? null : String(row.incarnation)
  return present === incarnation && row.generation === (base ?? 0)
}

function storedOf({ sequence, identity, record }: Kept): StoredRecord {
  return { sequence, identity, record }
}

function copyOf(row: Row): Row {
  const parts = new Map([...row.parts].map(([generation, each]) => [generation, new Map(each)]))
  return { ...row, records: new Map(row.records), parts }
}
