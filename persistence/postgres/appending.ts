/**
 * Appending: one statement for a batch, which is its own transaction. It locks the rows of the batch's documents in one
 * order, gives each record its document's next number and takes the number of the batch in its lane, all or nothing. A
 * batch whose reply was lost is sent again with the same number; whichever came first has won, and what it wrote is read.
 */
import { checkAppend } from '../arguments.ts'
import { type AppendAnswer, type AppendEntry, type Gone, type RecordIdentity, StoreError } from '../store.ts'
import type { Connections, Row } from './connections.ts'
import { asPostgresError, isOfContent } from './faults.ts'
import type { Lane, Lanes } from './lanes.ts'
import type { NameRow, Names } from './names.ts'

export type AppendingParts = {
  readonly connections: Connections
  readonly lanes: Lanes
  readonly names: Names
  readonly schema: string
  readonly durability: 'sync' | 'relaxed'
  readonly isPreparing: boolean
}

/** The entries of one document: all are written or none. `at`: their places among the entries of the call. */
type Share = {
  readonly document: string
  readonly incarnation: string | null
  readonly ifHead: number | null
  readonly ifFloor: number | null
  readonly leavesMark: boolean
  readonly records: Uint8Array[]
  readonly at: number[]
}

type Batch = {
  readonly lane: Lane
  readonly number: number
  readonly shares: readonly (Share & { readonly row: NameRow })[]
}

/** Beyond so many bytes, a call is written as several batches. */
const batchBytesMax = 64 * 1024 * 1024

export class Appending {
  readonly #parts: AppendingParts
  readonly #append: string
  readonly #resolve: string

  constructor(parts: AppendingParts) {
    this.#parts = parts
    this.#append = appendStatement(parts.schema, parts.durability)
    this.#resolve = resolveStatement(parts.schema)
  }

  /** As `Store.append`. */
  async append(entries: readonly AppendEntry[]): Promise<AppendAnswer[]> {
    checkAppend(entries)
    if (entries.length === 0) return []
    const shares = sharesOf(entries)
    const documents = new Set(shares.map(({ document }) => document))
    return this.#parts.lanes.run(documents, async lane => {
      const answers = new Array<AppendAnswer>(entries.length)
      for (const part of partsOf(shares)) await this.#write(lane, part, answers)
      return answers
    })
  }

  /** A document that PostgreSQL does not take is found by halves, so that the others are written. */
  async #write(lane: Lane, shares: readonly Share[], answers: AppendAnswer[]): Promise<void> {
    const rows = await this.#parts.names.rows(shares.map(({ document }) => document))
    const placed = shares.map(share => ({ ...share, row: rows.get(share.document) as NameRow }))
    const batch = { lane, number: this.#parts.lanes.nextBatch(), shares: placed }
    try {
      const left = await this.#send(batch, answers)
      if (left.length > 0) await this.#write(lane, left, answers)
    } catch (error) {
      if (!(error instanceof StoreError) || !isOfContent(error.cause)) throw error
      if (shares.length === 1) {
        for (const at of shares[0]?.at ?? []) answers[at] = { outcome: 'failed', cause: error }
        return
      }
      const middle = shares.length >> 1
      await this.#write(lane, shares.slice(0, middle), answers)
      await this.#write(lane, shares.slice(middle), answers)
    }
  }

  /** Until the batch is answered or resolved. Gives back the shares whose rows were not there: of another database. */
  async #send(batch: Batch, answers: AppendAnswer[]): Promise<Share[]> {
    const { connections, isPreparing } = this.#parts
    const query = {
      text: this.#append,
      values: this.#values(batch),
      ...(isPreparing ? { name: 'chorus-append' } : {})
    }
    try {
      return await connections.patiently(async tries => {
        const rows = await connections.once(query)
        if (rows[0]?.mine === 1) {
          batch.lane.batch = batch.number
          return this.#answer(batch, rows, answers)
        }
        return this.#resolved(batch, tries, answers)
      })
    } catch (error) {
      // Refused for its content, it was not written, and the lane is as before.
      const cause = asPostgresError(error)
      if (!isOfContent(cause.cause)) batch.lane.isUsable = false
      throw cause
    }
  }

  #values({ lane, number, shares }: Batch): unknown[] {
    const entries = shares.flatMap((share, index) => share.records.map(record => ({ index, record })))
    let offset = 1
    const offsets = entries.map(({ record }) => {
      const start = offset
      offset += record.length
      return start
    })
    return [
      shares.map(({ row }) => row.id),
      shares.map(({ incarnation }) => incarnation),
      shares.map(({ ifHead }) => ifHead),
      shares.map(({ ifFloor }) => ifFloor),
      shares.map(({ records }) => records.length),
      Buffer.concat(shares.map(({ row }) => row.hash)),
      entries.map(({ index }) => index + 1),
      offsets,
      entries.map(({ record }) => record.length),
      Buffer.concat(entries.map(({ record }) => record)),
      this.#parts.lanes.node,
      lane.number,
      lane.batch,
      number,
      shares.map(({ leavesMark }) => leavesMark)
    ]
  }

  #answer(batch: Batch, rows: readonly Row[], answers: AppendAnswer[]): Share[] {
    const byId = new Map(rows.map(row => [row.id, row]))
    const left: Share[] = []
    for (const share of batch.shares) {
      const row = byId.get(share.row.id)
      if (row === undefined) {
        this.#parts.names.forget(share.document)
        left.push(share)
      } else if (row.life === null) this.#refuse(share, row, answers)
      else this.#wrote(batch, share, { life: String(row.life), base: Number(row.base) }, answers)
    }
    return left
  }

  #wrote(
    { number }: Batch,
    share: Share,
    { life, base }: { readonly life: string; readonly base: number },
    answers: AppendAnswer[]
  ): void {
    const identity: RecordIdentity = { node: this.#parts.lanes.node, batch: number }
    for (const [index, at] of share.at.entries()) {
      answers[at] = { outcome: 'written', incarnation: life, sequence: base + index + 1, identity }
    }
  }

  #refuse({ incarnation, ifHead, ifFloor, at }: Share, row: Row, answers: AppendAnswer[]): void {
    const present = row.incarnation === null ? null : String(row.incarnation)
    const isOther = incarnation !== null && incarnation !== present
    const isGone = isOther || (ifFloor !== null && ifFloor !== Number(row.floor))
    const head = present === null ? 0 : Number(row.last_sequence)
    for (const each of at) {
      answers[each] = isGone || ifHead === null ? goneBy(row) : { outcome: 'conflict', head }
    }
  }

  /** The statement was not carried out this time. Was it before? */
  async #resolved(batch: Batch, tries: number, answers: AppendAnswer[]): Promise<Share[]> {
    const { connections, lanes } = this.#parts
    const rows = await connections.once({
      text: this.#resolve,
      values: [lanes.node, batch.lane.number, batch.shares.map(({ row }) => row.id), batch.number]
    })
    if (rows.length === 0 || Number(rows[0]?.batch) !== batch.number || tries === 0) {
      throw new StoreError(
        'STORE_FAILED',
        'PostgreSQL does not know the batch before this one: it was put back to an earlier state'
      )
    }
    batch.lane.batch = batch.number
    const byId = new Map(rows.map(row => [row.id, row]))
    const left: Share[] = []
    for (const share of batch.shares) {
      const row = byId.get(share.row.id)
      // Then as now there was no such row, and nothing was written: see `#answer`.
      if (row === undefined || !share.row.hash.equals(row.hash as Buffer)) {
        this.#parts.names.forget(share.document)
        left.push(share)
      } else this.#resolvedShare(batch, { share, row }, answers)
    }
    return left
  }

  #resolvedShare(
    batch: Batch,
    { share, row }: { readonly share: Share; readonly row: Row },
    answers: AppendAnswer[]
  ): void {
    if (row.first === null) return this.#refuse(share, row, answers)
    const first = Number(row.first)
    if (first > Number(row.floor)) {
      return this.#wrote(batch, share, { life: String(row.incarnation), base: first - 1 }, answers)
    }
    // It was written to a life that has ended since, and is gone with it, whatever was asked of the head.
    for (const at of share.at) answers[at] = goneBy(row)
  }
}

function goneBy(row: Row): Gone {
  return { outcome: 'gone', floor: Number(row.floor) }
}

function sharesOf(entries: readonly AppendEntry[]): Share[] {
  const shares = new Map<string, Share>()
  for (const [index, { document, record, ...asked }] of entries.entries()) {
    const share = shares.get(document)
    if (share === undefined) {
      const { incarnation = null, ifHead = null, ifFloor = null, leavesMark = false } = asked
      const conditions = { incarnation, ifHead, ifFloor, leavesMark }
      shares.set(document, { document, ...conditions, records: [record], at: [index] })
    } else {
      share.records.push(record)
      share.at.push(index)
    }
  }
  return [...shares.values()]
}

function* partsOf(shares: readonly Share[]): Generator<Share[]> {
  let part: Share[] = []
  let bytes = 0
  for (const share of shares) {
    part.push(share)
    bytes += share.records.reduce((sum, { length }) => sum + length, 0)
    if (bytes < batchBytesMax) continue
    yield part
    part = []
    bytes = 0
  }
  if (part.length > 0) yield part
}

/**
 * $1 to $6 documents: id, life, head and floor, each or null, number of records, hashes in one. $7 to $10 records: whose, offset,
 * length, bytes in one. $11 to $14: node, lane, its last batch, this batch. $15: which documents get a mark, if they have none. A row for each document that was found;
 * `life` is null where nothing was written.
 */
function appendStatement(s: string, durability: 'sync' | 'relaxed'): string {
  const commit = durability === 'sync' ? syncedCommit : "'off'"
  return `
WITH me AS (
  UPDATE ${s}.lanes SET batch = $14, seen = now() WHERE node = $11 AND lane = $12 AND batch = $13::bigint RETURNING 1),
wanted AS (
  SELECT t.id, t.incarnation, t.if_head, t.if_floor, t.n, t.is_marked, t.place, substring($6::bytea FROM (t.place::int - 1) * 32 + 1 FOR 32) AS hash
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $15::bool[]) WITH ORDINALITY
    AS t(id, incarnation, if_head, if_floor, n, is_marked, place)),
locked AS (
  SELECT d.id, d.hash, d.incarnation, d.last_sequence, d.floor FROM ${s}.documents d
  WHERE d.id = ANY($1::bigint[]) AND EXISTS (SELECT FROM me) ORDER BY d.id FOR UPDATE),
bumped AS (
  UPDATE ${s}.documents d SET last_sequence = d.last_sequence + w.n, node = $11, batch = $14,
    incarnation = coalesce(d.incarnation, nextval('${s}.numbers'))
  FROM locked l JOIN wanted w ON w.id = l.id AND w.hash = l.hash
  WHERE d.id = l.id AND (w.incarnation IS NULL OR w.incarnation = l.incarnation)
    AND (w.if_floor IS NULL OR w.if_floor = l.floor)
    AND (w.if_head IS NULL OR w.if_head = CASE WHEN l.incarnation IS NULL THEN 0 ELSE l.last_sequence END)
  RETURNING d.id, d.incarnation AS life, d.last_sequence - w.n AS base, w.place),
put AS (
  INSERT INTO ${s}.records (document, sequence, node, batch, record)
  SELECT b.id, b.base + row_number() OVER (PARTITION BY b.id ORDER BY r.entry), $11, $14,
    substring($10::bytea FROM r.o FOR r.l)
  FROM unnest($7::bigint[], $8::int[], $9::int[]) WITH ORDINALITY AS r(place, o, l, entry)
  JOIN bumped b ON b.place = r.place),
marked AS (
  INSERT INTO ${s}.marks (document, incarnation, after)
  SELECT b.id, b.life, CASE WHEN l.incarnation IS NULL THEN 0 ELSE b.base END
  FROM bumped b JOIN wanted w ON w.place = b.place AND w.is_marked JOIN locked l ON l.id = b.id
  ON CONFLICT (document) DO NOTHING)
SELECT m.mine, m.durable, l.id, l.incarnation, l.last_sequence, l.floor, b.life, b.base
FROM (SELECT count(*)::int AS mine, set_config('synchronous_commit', ${commit}, true) AS durable FROM me) m
LEFT JOIN (locked l JOIN wanted w ON w.id = l.id AND w.hash = l.hash) ON true
LEFT JOIN bumped b ON b.id = l.id`
}

/** What the operator has chosen stays, save "off": what we acknowledge is on disk. In the statement: poolers lose sessions. */
export const syncedCommit =
  "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END"

/** $1 node, $2 lane, $3 documents, $4 batch. */
function resolveStatement(s: string): string {
  return `
SELECT l.batch, d.id, d.hash, d.incarnation, d.last_sequence, d.floor,
  (SELECT min(r.sequence) FROM ${s}.records r WHERE r.document = d.id AND r.node = $1 AND r.batch = $4) AS first
FROM ${s}.lanes l LEFT JOIN ${s}.documents d ON d.id = ANY($3::bigint[])
WHERE l.node = $1 AND l.lane = $2`
}
