/**
 * Writing histories. As with checkpoints, each attempt has a number of its own and writes its parts under it, insert only;
 * then one compare-and-set takes them, if all are there and the collector has not closed the attempt. The note that an
 * attempt begins with says afterwards whether it was taken, and of what it replaced that it may go. Records are not touched.
 */
import { checkHistory, checkReleased } from '../arguments.ts'
import type { HistoryRequest, HistoryResult } from '../history.ts'
import { StoreError } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections } from './connections.ts'
import { hashOf } from './names.ts'
import { columnsOf, type Part, partCount, partsOf, stepsOf } from './parts.ts'

const superseded: HistoryResult = { outcome: 'superseded' }

/** Of the blobs of a history, the one that is its manifest. Callers number theirs from 1. */
export const manifestNumber = 0

/** `row`: of the document. `number`: the generation that this becomes. */
type Attempt = { readonly row: string; readonly hash: Buffer; readonly number: number }

export class Histories {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  /** As `HistoryStore.write`. */
  async write(request: HistoryRequest): Promise<HistoryResult> {
    checkHistory(request)
    if (!isLife(request.incarnation)) return superseded
    const parts = [...partsOf(valuesOf(request))]
    const [first = [], ...others] = stepsOf(parts)
    const attempt = await this.#begin(request, first)
    if (attempt === null) return superseded
    for (const step of others) await this.#put(attempt, step)
    if (await this.#switch(attempt, request, parts.length)) {
      return { outcome: 'written', generation: attempt.number }
    }
    await this.#remove(attempt.number)
    return superseded
  }

  /** As `HistoryStore.drop`: by the number of the history, so that a second try cannot drop the next one. */
  async drop(document: string, incarnation: string): Promise<boolean> {
    const hash = hashOf(document)
    if (!isLife(incarnation)) return false
    const s = this.#schema
    const [found] = await this.#connections.query(
      `SELECT h.document, h.id FROM ${s}.documents d JOIN ${s}.histories h
         ON h.document = d.id AND h.incarnation = d.incarnation
       WHERE d.hash = $1 AND d.incarnation = $2`,
      [hash, incarnation]
    )
    if (found === undefined) return false
    const query = { text: dropStatement(s), values: [found.document, found.id] }
    return this.#connections.patiently(
      async tries => (await this.#connections.once(query)).length > 0 || tries > 0
    )
  }

  /** Notes the attempt and writes its first step; null: superseded already. Sent twice, it leaves one to be collected. */
  async #begin(request: HistoryRequest, first: readonly Part[]): Promise<Attempt | null> {
    const hash = hashOf(request.document)
    const { incarnation, base, checkpoint = null, blobs } = request
    const values = [hash, incarnation, base, checkpoint, blobs.map(({ number }) => number)]
    const rows = await this.#connections.query(beginStatement(this.#schema), [...values, ...columnsOf(first)])
    const [row] = rows
    if (row === undefined) return null
    const attempt = { row: String(row.document), hash, number: Number(row.attempt) }
    try {
      checkReleased(request, { before: Number(row.released_to ?? 0), head: Number(row.last_sequence) })
      if (row.used !== null) throw new StoreError('STORE_ARGUMENT', `There is a blob ${row.used} already`)
    } catch (error) {
      await this.#remove(attempt.number)
      throw error
    }
    return attempt
  }

  /** Sent twice, it writes once. Not under an attempt that the collector has closed: nobody would look there again. */
  async #put(attempt: Attempt, parts: readonly Part[]): Promise<void> {
    await this.#connections.query(
      `WITH attempt AS MATERIALIZED (
         SELECT g.id FROM ${this.#schema}.history_garbage g WHERE g.id = $1 AND NOT g.is_closed FOR SHARE)
       INSERT INTO ${this.#schema}.history_parts (attempt, number, part, bytes)
       SELECT a.id, t.number, t.part, substring($6::bytea FROM t.o FOR t.l)
       FROM attempt a, unnest($2::bigint[], $3::int[], $4::int[], $5::int[]) AS t(number, part, o, l),
         (SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable
       ON CONFLICT DO NOTHING`,
      [attempt.number, ...columnsOf(parts)]
    )
  }

  async #switch(attempt: Attempt, request: HistoryRequest, partsWritten: number): Promise<boolean> {
    const {
      incarnation,
      base,
      checkpoint = null,
      releasedTo,
      pins,
      through,
      blobs,
      drops,
      manifest
    } = request
    const values = [
      ...[attempt.row, attempt.hash, incarnation, base, checkpoint, attempt.number, partsWritten],
      ...[releasedTo, pins, through?.node ?? null, through?.batch ?? null],
      ...[blobs.map(({ number }) => number), blobs.map(({ bytes }) => partCount(bytes))],
      ...[partCount(manifest), drops]
    ]
    return this.#connections.patiently(async tries => {
      const [row] = await this.#connections.once({ text: switchStatement(this.#schema), values })
      if (row?.written === 1) return true
      // The reply of an earlier try was lost: the note of the attempt tells whether that was carried out.
      if (tries > 0 && (await this.#isTaken(attempt.number))) return true
      if (row?.present === partsWritten && row.open === 1) return false
      if (row?.found === 0) return false
      const text = `The history has ${row?.present} of ${partsWritten} parts; it was not taken`
      throw new StoreError('STORE_FAILED', text)
    })
  }

  async #isTaken(attempt: number): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.#schema}.history_garbage WHERE id = $1 AND is_taken`
    return (await this.#connections.once({ text, values: [attempt] })).length === 1
  }

  /** What an attempt that has lost has written. Should this fail, it is collected later. */
  async #remove(attempt: number): Promise<void> {
    await this.#connections
      .once({
        text: `WITH note AS (
            DELETE FROM ${this.#schema}.history_garbage WHERE id = $1 AND NOT is_taken RETURNING id)
          DELETE FROM ${this.#schema}.history_parts p USING note WHERE p.attempt = note.id`,
        values: [attempt]
      })
      .catch(() => {})
  }
}

/** Lives are numbers here. What is none is the name of no life. */
export function isLife(incarnation: string): boolean {
  return /^[1-9]\d{0,17}$/.test(incarnation)
}

function* valuesOf({ manifest, blobs }: HistoryRequest): Generator<{ of: number; bytes: Uint8Array }> {
  yield { of: manifestNumber, bytes: manifest }
  for (const { number, bytes } of blobs) yield { of: number, bytes }
}

/** $1 hash, $2 incarnation, $3 base, $4 checkpoint, $5 numbers of new blobs, $6 to $10 parts. A row, if all of this is so. */
function beginStatement(s: string): string {
  return `
WITH target AS MATERIALIZED (
  SELECT d.id, d.last_sequence, h.id AS history, h.released_to, nextval('${s}.numbers') AS attempt
  FROM ${s}.documents d LEFT JOIN ${s}.histories h ON h.document = d.id AND h.incarnation = d.incarnation
  WHERE d.hash = $1 AND d.incarnation = $2::bigint AND h.generation IS NOT DISTINCT FROM $3::bigint
    AND ($4::bigint IS NULL OR d.generation = $4)),
noted AS (
  INSERT INTO ${s}.history_garbage (id, document, history)
  SELECT attempt, id, coalesce(history, attempt) FROM target),
put AS (
  INSERT INTO ${s}.history_parts (attempt, number, part, bytes)
  SELECT target.attempt, t.number, t.part, substring($10::bytea FROM t.o FOR t.l)
  FROM target, unnest($6::bigint[], $7::int[], $8::int[], $9::int[]) AS t(number, part, o, l))
SELECT t.id AS document, t.attempt, t.last_sequence, t.released_to,
  (SELECT min(b.number) FROM ${s}.history_blobs b WHERE b.history = t.history AND b.number = ANY($5::bigint[])) AS used,
  set_config('synchronous_commit', ${syncedCommit}, true) AS durable
FROM target t`
}

/**
 * $1 row of the document, $2 hash, $3 incarnation, $4 base, $5 checkpoint, $6 attempt, $7 its parts, $8 released to, $9 pins,
 * $10 and $11 who wrote the record there, $12 and $13 new blobs and how many parts each has, $14 those of the manifest, $15
 * blobs that go. One row. A record that is gone had been released before, so nobody can have found another one there. Of the
 * pins, those are held that were not let go before.
 */
function switchStatement(s: string): string {
  return `
WITH target AS MATERIALIZED (
  SELECT d.id, d.name, d.merged_to, d.floor FROM ${s}.documents d
  WHERE d.id = $1 AND d.hash = $2 AND d.incarnation = $3::bigint AND ($5::bigint IS NULL OR d.generation = $5)
    AND d.last_sequence >= $8::bigint
    AND ($10::text IS NULL OR coalesce(
      (SELECT r.node::text = $10 AND r.batch = $11::bigint FROM ${s}.records r WHERE r.document = $1 AND r.sequence = $8),
      EXISTS (SELECT FROM ${s}.histories h WHERE h.document = $1 AND h.incarnation = $3 AND h.released_to >= $8)))
  FOR UPDATE),
attempt AS MATERIALIZED (
  SELECT g.id FROM ${s}.history_garbage g WHERE g.id = $6 AND NOT g.is_closed AND NOT g.is_taken FOR UPDATE),
counted AS MATERIALIZED (SELECT count(*)::int AS present FROM ${s}.history_parts WHERE attempt = $6),
ready AS MATERIALIZED (SELECT t.* FROM target t, attempt a, counted c WHERE c.present = $7),
before AS MATERIALIZED (
  SELECT h.* FROM ${s}.histories h WHERE h.document = $1 AND h.incarnation = $3 AND h.generation = $4::bigint),
held AS MATERIALIZED (
  SELECT ARRAY(SELECT pin FROM unnest($9::bigint[]) AS pin
    WHERE pin > t.merged_to OR pin IN (SELECT r.sequence FROM ${s}.records r WHERE r.document = $1 AND r.kept)
      OR pin IN (SELECT unnest(b.held) FROM before b) OR EXISTS (
        SELECT FROM before b WHERE pin > b.released_to AND (pin > b.hidden_to OR pin = ANY(b.carried)))) AS pins
  FROM ready t),
changed AS (
  UPDATE ${s}.histories h SET generation = $6, released_to = $8, pins = $9, held = held.pins FROM ready t, held
  WHERE h.document = t.id AND h.incarnation = $3 AND h.generation = $4 RETURNING h.id, h.hidden_to),
begun AS (
  INSERT INTO ${s}.histories (document, incarnation, id, name, generation, released_to, pins, held, hidden_to, carried)
  SELECT t.id, $3, $6, t.name, $6, $8, $9, held.pins, t.merged_to, ARRAY(
    SELECT r.sequence FROM ${s}.records r
    WHERE r.document = t.id AND r.kept AND r.sequence > t.floor AND r.sequence <= t.merged_to)
  FROM ready t, held WHERE $4 IS NULL ON CONFLICT DO NOTHING RETURNING id, hidden_to, carried),
spared AS (
  UPDATE ${s}.garbage g SET sequence_to = 0 FROM begun b WHERE g.document = $1 AND b.carried <> '{}'),
present AS (SELECT id, hidden_to FROM changed UNION ALL SELECT id, hidden_to FROM begun),
manifest AS (
  UPDATE ${s}.history_blobs b SET attempt = $6, parts = $14 FROM changed c
  WHERE b.history = c.id AND b.number = ${manifestNumber}),
put AS (
  INSERT INTO ${s}.history_blobs (history, number, attempt, parts)
  SELECT p.id, b.number, $6, b.parts FROM present p, unnest($12::bigint[], $13::int[]) AS b(number, parts)
  UNION ALL SELECT b.id, ${manifestNumber}, $6, $14::int FROM begun b),
dropped AS (
  DELETE FROM ${s}.history_blobs b USING present p
  WHERE b.history = p.id AND b.number = ANY($15::bigint[]) RETURNING b.attempt),
taken AS (
  UPDATE ${s}.history_garbage g SET is_taken = true, made = clock_timestamp(), history = p.id,
    attempts = ARRAY(SELECT attempt FROM dropped UNION SELECT $4 WHERE $4 IS NOT NULL),
    sequence_to = least(greatest($8, p.hidden_to), t.merged_to)
  FROM present p, ready t WHERE g.id = $6)
SELECT (SELECT count(*)::int FROM present) AS written, (SELECT count(*)::int FROM target) AS found,
  (SELECT count(*)::int FROM attempt) AS open, c.present,
  set_config('synchronous_commit', ${syncedCommit}, true) AS durable
FROM counted c`
}

/** $1 row of the document, $2 the history. A row, if it was there. */
function dropStatement(s: string): string {
  return `
WITH gone AS (
  DELETE FROM ${s}.histories h USING ${s}.documents d
  WHERE h.document = $1 AND h.id = $2 AND d.id = h.document RETURNING h.document, h.id, d.merged_to),
noted AS (
  INSERT INTO ${s}.history_garbage (id, document, history, sequence_to, is_taken)
  SELECT nextval('${s}.numbers'), document, id, merged_to, true FROM gone)
SELECT set_config('synchronous_commit', ${syncedCommit}, true) AS durable FROM gone`
}
