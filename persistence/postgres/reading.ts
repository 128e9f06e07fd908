/** Reading: a document in one statement and so in one view; what follows a position; where documents stand; names. */
import { checkHeads, checkList, checkRecordsAfter } from '../arguments.ts'
import { following } from '../following.ts'
import { encodePrefix, plain } from '../format.ts'
import {
  type DocumentHead,
  type HeadQuery,
  type ListOptions,
  type LoadedDocument,
  type RecordLimits,
  type RecordsAfter,
  type StoredCheckpoint,
  type StoredRecord,
  StoreError
} from '../store.ts'
import type { Connections, Row } from './connections.ts'
import { hashOf } from './names.ts'

const empty = { incarnation: null, head: 0, checkpoint: null, records: [], damaged: [] } as const
const nothing: DocumentHead = { incarnation: null, generation: 0, head: 0, identity: null, floor: 0 }

export class Reading {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  async load(document: string): Promise<LoadedDocument> {
    const rows = await this.#connections.query(loadStatement(this.#schema), [hashOf(document)])
    const of = (kind: number) => rows.filter(row => row.kind === kind)
    const [buried] = of(1)
    const tombstone =
      buried === undefined ? null : { timeMs: Number(buried.time_ms), bytes: plain(buried.bytes as Buffer) }
    const [place] = of(5)
    const floor = Number(place?.a ?? 0)
    const [row] = of(0)
    if (row === undefined) return { ...empty, tombstone, floor }
    const records = of(3)
      .map(recordOf)
      .sort((a, b) => a.sequence - b.sequence)
    const [end] = of(4)
    return {
      incarnation: String(row.a),
      head: Number(end?.a ?? 0),
      checkpoint: checkpointOf(document, row, of(2)),
      records,
      damaged: [],
      tombstone,
      floor
    }
  }

  async segments(document: string, generation: number): Promise<readonly Uint8Array[] | null> {
    const rows = await this.#connections.query(segmentsStatement(this.#schema), [
      hashOf(document),
      generation
    ])
    const [row] = rows
    if (row === undefined) return null
    const parts = rows.filter(({ kind }) => kind === 2)
    return checkpointOf(document, row, parts)?.segments ?? null
  }

  async recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<RecordsAfter> {
    checkRecordsAfter(document, sequence, limits)
    const rows = await this.#connections.query(recordsAfterStatement(this.#schema), [
      hashOf(document),
      sequence,
      limits.records,
      limits.bytes
    ])
    const [first] = rows
    if (first === undefined) return { outcome: 'gone', floor: 0 }
    if (first.incarnation === null || String(first.incarnation) !== incarnation) {
      return { outcome: 'gone', floor: Number(first.floor) }
    }
    // Below the beginning of this life there is nothing of it.
    const after = Math.max(sequence, Number(first.floor))
    const stored = rows.filter(row => row.a !== null).map(recordOf)
    return following(stored, { after, head: Number(first.last_sequence), limits })
  }

  async heads(queries: readonly HeadQuery[]): Promise<DocumentHead[]> {
    checkHeads(queries)
    if (queries.length === 0) return []
    const rows = await this.#connections.query(headsStatement(this.#schema), [
      queries.map(({ document }) => hashOf(document)),
      queries.map(({ at }) => at ?? null)
    ])
    const heads = queries.map(() => nothing)
    for (const row of rows) {
      const floor = Number(row.floor)
      heads[Number(row.place) - 1] =
        row.incarnation === null
          ? { ...nothing, floor }
          : {
              incarnation: String(row.incarnation),
              generation: Number(row.generation),
              head: Number(row.last_sequence),
              identity: row.node === null ? null : { node: String(row.node), batch: Number(row.batch) },
              floor
            }
    }
    return heads
  }

  async list(options?: ListOptions): Promise<readonly string[]> {
    const { prefix, after, limit } = checkList(options)
    const from = encodePrefix(prefix)
    const rows = await this.#connections.query(listStatement(this.#schema), [
      encodePrefix(after),
      from,
      from.length === 0 ? Buffer.from([0xff]) : endOf(from),
      limit
    ])
    return rows.map(({ name }) => (name as Buffer).toString('utf8'))
  }
}

function recordOf(row: Row): StoredRecord {
  const identity = { node: String(row.b), batch: Number(row.c) }
  return { sequence: Number(row.a), identity, record: plain(row.bytes as Buffer) }
}

/** The parts come in any order; segment 0 is the meta. */
function checkpointOf(document: string, row: Row, parts: readonly Row[]): StoredCheckpoint | null {
  const generation = Number(row.b)
  if (generation === 0) return null
  if (parts.length !== Number(row.c)) {
    const text = `Checkpoint ${generation} of document ${JSON.stringify(document)} has ${parts.length} of ${row.c} parts`
    throw new StoreError('STORE_DAMAGED', text)
  }
  const chunks: Buffer[][] = []
  const inOrder = [...parts].sort((x, y) => Number(x.a) - Number(y.a) || Number(x.b) - Number(y.b))
  for (const part of inOrder) {
    const segment = Number(part.a)
    const present = chunks[segment]
    if (present === undefined) chunks[segment] = [part.bytes as Buffer]
    else present.push(part.bytes as Buffer)
  }
  const [meta, ...segments] = chunks.map(each =>
    plain(each.length === 1 ? (each[0] as Buffer) : Buffer.concat(each))
  )
  if (meta === undefined) throw new StoreError('STORE_DAMAGED', `Checkpoint ${generation} has no head`)
  return { generation, meta, segments }
}

/** The first name behind all that begin with the prefix. No byte of UTF-8 is 0xff. */
function endOf(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix)
  end[end.length - 1] = (end.at(-1) as number) + 1
  return end
}

const partColumns =
  'sg.segment::bigint AS a, sg.part::bigint AS b, NULL::bigint AS c, NULL::float8 AS time_ms, sg.bytes'

function loadStatement(s: string): string {
  const records = 'r.sequence AS a, r.node AS b, r.batch AS c, NULL::float8 AS time_ms, r.record AS bytes'
  return `
WITH d AS MATERIALIZED (SELECT * FROM ${s}.documents WHERE hash = $1 AND incarnation IS NOT NULL)
SELECT 0 AS kind, incarnation AS a, generation AS b, parts::bigint AS c, NULL::float8 AS time_ms, NULL::bytea AS bytes FROM d
UNION ALL SELECT 4, last_sequence, NULL, NULL, NULL, NULL FROM d
UNION ALL SELECT 5, x.floor, NULL, NULL, NULL, NULL FROM ${s}.documents x WHERE x.hash = $1
UNION ALL SELECT 1, NULL, NULL, NULL, t.time_ms, t.bytes FROM ${s}.tombstones t WHERE t.hash = $1
UNION ALL SELECT 2, ${partColumns} FROM d JOIN ${s}.segments sg ON sg.document = d.id AND sg.generation = d.generation
UNION ALL SELECT 3, ${records} FROM d JOIN ${s}.records r ON r.document = d.id AND r.sequence > d.merged_to
UNION ALL SELECT 3, ${records} FROM d JOIN ${s}.records r ON r.document = d.id AND r.kept
  AND r.sequence > d.floor AND r.sequence <= d.merged_to`
}

function segmentsStatement(s: string): string {
  return `
WITH d AS MATERIALIZED (
  SELECT * FROM ${s}.documents WHERE hash = $1 AND incarnation IS NOT NULL AND generation = $2 AND generation > 0)
SELECT 0 AS kind, incarnation AS a, generation AS b, parts::bigint AS c, NULL::float8 AS time_ms, NULL::bytea AS bytes FROM d
UNION ALL SELECT 2, ${partColumns} FROM d JOIN ${s}.segments sg ON sg.document = d.id AND sg.generation = d.generation`
}

/**
 * $2 position, $3 records, $4 bytes. Replaced records are given too while they are there. A document that was deleted has
 * a row as well: it says how far the lives that are over had come.
 */
function recordsAfterStatement(s: string): string {
  return `
SELECT d.incarnation, d.floor, d.last_sequence, r.*
FROM ${s}.documents d LEFT JOIN LATERAL (
  SELECT w.sequence AS a, w.node AS b, w.batch AS c, w.record AS bytes FROM (
    SELECT x.*, sum(length(x.record)) OVER (ORDER BY x.sequence) - length(x.record) AS before FROM (
      SELECT * FROM ${s}.records y WHERE y.document = d.id AND y.sequence > greatest($2::bigint, d.floor)
      ORDER BY y.sequence LIMIT $3) x) w
  WHERE w.before < $4 ORDER BY w.sequence) r ON true
WHERE d.hash = $1 ORDER BY r.a`
}

/** The row of a document knows who wrote its newest record, also when that was replaced. */
function headsStatement(s: string): string {
  return `
SELECT q.place, d.incarnation, d.generation, d.last_sequence, d.floor,
  CASE WHEN q.at = d.last_sequence AND d.node <> 0 THEN d.node ELSE r.node END AS node,
  CASE WHEN q.at = d.last_sequence AND d.node <> 0 THEN d.batch ELSE r.batch END AS batch
FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS q(hash, at, place)
JOIN ${s}.documents d ON d.hash = q.hash
LEFT JOIN ${s}.records r ON r.document = d.id AND r.sequence = q.at AND r.sequence > d.floor`
}

/** By the part of names that an index holds, and by the whole name where those are equal. */
function listStatement(s: string): string {
  const start = (name: string) => `substring(${name} FROM 1 FOR 512)`
  return `
SELECT name FROM ${s}.documents
WHERE incarnation IS NOT NULL AND name > $1 AND name >= $2 AND name < $3
  AND ${start('name')} >= ${start('greatest($1::bytea, $2::bytea)')} AND ${start('name')} <= ${start('$3::bytea')}
ORDER BY ${start('name')}, name LIMIT $4`
}
