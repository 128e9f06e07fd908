/**
 * Checkpoints: each attempt has a number of its own and writes its parts under it, insert only; then one compare-and-set
 * of the document's row makes it the checkpoint, if all its parts are there and nobody has collected them. What it
 * replaces is hidden at once and removed later, by `collecting.ts`.
 */
import { checkCheckpoint } from '../arguments.ts'
import { runsOf } from '../runs.ts'
import { type CheckpointRequest, type CheckpointResult, StoreError } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections } from './connections.ts'
import type { NameRow, Names } from './names.ts'
import { columnsOf, type Part, partsOf, stepsOf } from './parts.ts'

const superseded: CheckpointResult = { outcome: 'superseded' }

export class Checkpoints {
  readonly #connections: Connections
  readonly #names: Names
  readonly #schema: string

  constructor(connections: Connections, names: Names, schema: string) {
    this.#connections = connections
    this.#names = names
    this.#schema = schema
  }

  /** As `Store.checkpoint`. */
  async write(request: CheckpointRequest): Promise<CheckpointResult> {
    checkCheckpoint(request, Number.POSITIVE_INFINITY)
    const row = (await this.#names.rows([request.document])).get(request.document) as NameRow
    const generation = await this.#begin(row, request)
    if (generation === null) return superseded
    const values = [request.meta, ...request.segments].map((bytes, of) => ({ of, bytes }))
    const parts = [...partsOf(values)]
    for (const step of stepsOf(parts)) await this.#put(row, generation, step)
    if (await this.#switch(row, generation, parts.length, request)) return { outcome: 'written', generation }
    await this.#remove(row, generation)
    return superseded
  }

  /** The number of this attempt, noted as garbage until it is the checkpoint; null: superseded already. */
  async #begin({ id, hash }: NameRow, request: CheckpointRequest): Promise<number | null> {
    const s = this.#schema
    const rows = await this.#connections.query(
      `WITH d AS (
         SELECT id, last_sequence FROM ${s}.documents
         WHERE id = $1 AND hash = $2 AND incarnation IS NOT DISTINCT FROM $3::bigint AND generation = $4),
       noted AS (
         INSERT INTO ${s}.garbage (document, generation_to, sequence_to)
         SELECT id, nextval('${s}.numbers'), 0 FROM d RETURNING generation_to)
       SELECT noted.generation_to, d.last_sequence, set_config('synchronous_commit', ${syncedCommit}, true) FROM noted, d`,
      [id, hash, request.incarnation, request.base ?? 0]
    )
    const [row] = rows
    if (row === undefined) return null
    // A life that has not begun has no records.
    checkCheckpoint(request, request.incarnation === null ? 0 : Number(row.last_sequence))
    return Number(row.generation_to)
  }

  /** Sent twice, it writes once. */
  async #put({ id }: NameRow, generation: number, parts: readonly Part[]): Promise<void> {
    await this.#connections.query(
      `INSERT INTO ${this.#schema}.segments (document, generation, segment, part, bytes)
       SELECT $1, $2, t.segment, t.part, substring($7::bytea FROM t.o FOR t.l)
       FROM unnest($3::int[], $4::int[], $5::int[], $6::int[]) AS t(segment, part, o, l),
         (SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable
       ON CONFLICT DO NOTHING`,
      [id, generation, ...columnsOf(parts)]
    )
  }

  async #switch(
    { id, hash }: NameRow,
    generation: number,
    partCount: number,
    request: CheckpointRequest
  ): Promise<boolean> {
    const runs = runsOf(request.replaces)
    const gaps = runs.map(({ first }, index) => ({
      first: (runs[index - 1]?.last ?? 0) + 1,
      last: first - 1
    }))
    const values = [
      ...[id, hash, request.incarnation, request.base ?? 0, generation, partCount, runs.at(-1)?.last ?? 0],
      ...[runs.map(({ first }) => first), runs.map(({ last }) => last)],
      ...[gaps.map(({ first }) => first), gaps.map(({ last }) => last)],
      ...[request.through?.node ?? null, request.through?.batch ?? null]
    ]
    return this.#connections.patiently(async tries => {
      const [row] = await this.#connections.once({ text: switchStatement(this.#schema), values })
      if (row?.switched === 1) return true
      // The reply of an earlier try was lost: a generation is of one attempt, so it tells whether that was carried out.
      if (tries > 0) return this.#isCurrent(id, generation)
      if (row?.found === 1) {
        throw new StoreError(
          'STORE_FAILED',
          `The checkpoint has ${row.present} of ${partCount} parts; it was not taken`
        )
      }
      return false
    })
  }

  async #isCurrent(id: string, generation: number): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.#schema}.documents WHERE id = $1 AND generation = $2`
    return (await this.#connections.once({ text, values: [id, generation] })).length === 1
  }

  /** The parts of an attempt that has lost. Should this fail, they are collected later. */
  async #remove({ id }: NameRow, generation: number): Promise<void> {
    await this.#connections
      .once({
        text: `DELETE FROM ${this.#schema}.segments sg USING ${this.#schema}.documents d
          WHERE d.id = $1 AND sg.document = $1 AND sg.generation = $2 AND d.generation <> $2`,
        values: [id, generation]
      })
      .catch(() => {})
  }
}

/**
 * $1 id, $2 hash, $3 incarnation, $4 base, $5 generation, $6 parts, $7 the last record that is replaced, $8 and $9 runs of
 * what is replaced, $10 and $11 what lies between them and stays, $12 and $13 who wrote the last record that is replaced:
 * after the database was put back, that number may be another record's, which nobody has merged. One row.
 */
function switchStatement(s: string): string {
  return `
WITH target AS MATERIALIZED (
  SELECT d.id, d.merged_to FROM ${s}.documents d
  WHERE d.id = $1 AND d.hash = $2 AND d.incarnation IS NOT DISTINCT FROM $3::bigint AND d.generation = $4
    AND d.collected_to < $5 AND ($12::bigint IS NULL OR EXISTS (
      SELECT FROM ${s}.records r WHERE r.document = $1 AND r.sequence = $7 AND r.node = $12::bigint
        AND r.batch = $13::bigint AND (r.kept OR r.sequence > d.merged_to))) FOR UPDATE),
counted AS MATERIALIZED (
  SELECT count(*)::int AS present FROM ${s}.segments WHERE document = $1 AND generation = $5),
complete AS MATERIALIZED (SELECT t.* FROM target t, counted c WHERE c.present = $6),
keeping AS (
  UPDATE ${s}.records r SET kept = true FROM complete t, unnest($10::bigint[], $11::bigint[]) AS gap(first, last)
  WHERE r.document = $1 AND r.sequence BETWEEN greatest(gap.first, t.merged_to + 1) AND gap.last),
freeing AS (
  UPDATE ${s}.records r SET kept = false FROM complete t, unnest($8::bigint[], $9::bigint[]) AS run(first, last)
  WHERE r.document = $1 AND r.kept AND r.sequence BETWEEN run.first AND run.last),
switched AS (
  UPDATE ${s}.documents d SET generation = $5, parts = $6,
    incarnation = coalesce(d.incarnation, nextval('${s}.numbers')),
    last_sequence = d.last_sequence + (d.incarnation IS NULL)::int,
    node = CASE WHEN d.incarnation IS NULL THEN 0 ELSE d.node END,
    merged_to = greatest(d.merged_to, $7::bigint)
  FROM complete t WHERE d.id = t.id RETURNING d.id),
noted AS (
  INSERT INTO ${s}.garbage (document, generation_to, sequence_to) SELECT id, $4::bigint, $7::bigint FROM switched)
SELECT (SELECT count(*)::int FROM switched) AS switched, (SELECT count(*)::int FROM target) AS found, c.present,
  set_config('synchronous_commit', ${syncedCommit}, true) AS durable
FROM counted c`
}
