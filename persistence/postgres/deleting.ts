/** Deleting documents, and the tombstones they leave. */
import { checkDeletion } from '../arguments.ts'
import { encodeName } from '../format.ts'
import { type Deletion, StoreError, type Tombstone } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections, Row } from './connections.ts'
import { hashOf } from './names.ts'
import { attemptsSoFar } from './schema.ts'

/** A document that is deleted and created again while it is being deleted: so often that is looked at. */
const roundsMax = 100

export class Deleting {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  /** As `Store.delete`. A life is deleted by its name, so that a second try cannot delete the next one. */
  async delete(document: string, deletion: Deletion = {}): Promise<boolean> {
    checkDeletion(deletion)
    const hash = hashOf(document)
    const { incarnation: meant, tombstone, leavesMark = false } = deletion
    if (meant !== undefined) {
      return (await this.#end({ hash, document, incarnation: meant, tombstone, leavesMark })) === 'deleted'
    }
    for (let round = 0; round < roundsMax; round++) {
      const [row] = await this.#connections.query(
        `SELECT incarnation FROM ${this.#schema}.documents WHERE hash = $1`,
        [hash]
      )
      const incarnation = row?.incarnation ?? null
      const outcome = await this.#end({ hash, document, incarnation, tombstone, leavesMark })
      if (outcome !== 'changed') return outcome === 'deleted'
    }
    throw new StoreError('STORE_FAILED', 'The document is created again each time it is deleted')
  }

  async #end(life: {
    readonly hash: Buffer
    readonly document: string
    readonly incarnation: unknown
    readonly tombstone: Tombstone | null | undefined
    readonly leavesMark: boolean
  }): Promise<'deleted' | 'absent' | 'changed'> {
    const { hash, document, incarnation, tombstone, leavesMark } = life
    const kind = tombstone === undefined ? 'stays' : tombstone === null ? 'goes' : 'comes'
    const values: unknown[] = [hash, incarnation, kind]
    values.push(encodeName(document), tombstone?.timeMs ?? 0, Buffer.from(tombstone?.bytes ?? []), leavesMark)
    return this.#connections.patiently(async tries => {
      const [row] = await this.#connections.once({ text: deleteStatement(this.#schema), values })
      return outcomeOf(row, { incarnation, isRepeated: tries > 0 })
    })
  }

  async tombstones(): Promise<{ document: string; timeMs: number }[]> {
    const rows = await this.#connections.query(
      `SELECT name, time_ms FROM ${this.#schema}.tombstones ORDER BY time_ms, name`,
      []
    )
    return rows.map(row => ({ document: (row.name as Buffer).toString('utf8'), timeMs: Number(row.time_ms) }))
  }

  async dropTombstones(documents: readonly string[]): Promise<void> {
    await this.#connections.query(
      `DELETE FROM ${this.#schema}.tombstones t
       USING (SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable
       WHERE t.hash = ANY($1::bytea[])`,
      [documents.map(hashOf)]
    )
  }
}

/** The tombstone is written in any case but `changed`, where the caller looks again. */
function outcomeOf(
  row: Row | undefined,
  { incarnation, isRepeated }: { readonly incarnation: unknown; readonly isRepeated: boolean }
): 'deleted' | 'absent' | 'changed' {
  if (incarnation === null) return row?.absent === 1 ? 'absent' : 'changed'
  if (row?.ended === 1) return 'deleted'
  // Whether the lost reply was about this deletion or another server's: that life has ended.
  return isRepeated ? 'deleted' : 'changed'
}

/** $1 hash, $2 incarnation or null, $3 what becomes of the tombstone, $4 name, $5 its time, $6 its bytes, $7 whether it leaves a mark. One row. */
function deleteStatement(s: string): string {
  return `
WITH ended AS (
  UPDATE ${s}.documents SET incarnation = NULL, floor = last_sequence, merged_to = last_sequence, generation = 0, parts = 0
  WHERE hash = $1 AND incarnation = $2::bigint RETURNING id, last_sequence),
noted AS (
  INSERT INTO ${s}.garbage (document, generation_to, sequence_to)
  SELECT id, ${attemptsSoFar(s)}, last_sequence FROM ended),
marked AS (
  INSERT INTO ${s}.marks (document, incarnation, after)
  SELECT id, $2::bigint, last_sequence FROM ended WHERE $7::bool ON CONFLICT (document) DO NOTHING),
absent AS (
  SELECT 1 AS one WHERE $2::bigint IS NULL
    AND NOT EXISTS (SELECT FROM ${s}.documents WHERE hash = $1 AND incarnation IS NOT NULL)),
left_behind AS (
  INSERT INTO ${s}.tombstones (hash, name, time_ms, bytes)
  SELECT $1, $4, $5, $6 WHERE $3::text = 'comes' AND (EXISTS (SELECT FROM ended) OR EXISTS (SELECT FROM absent))
  ON CONFLICT (hash) DO UPDATE SET time_ms = excluded.time_ms, bytes = excluded.bytes),
lifted AS (
  DELETE FROM ${s}.tombstones
  WHERE hash = $1 AND $3 = 'goes' AND (EXISTS (SELECT FROM ended) OR EXISTS (SELECT FROM absent)))
SELECT (SELECT count(*)::int FROM ended) AS ended, (SELECT count(*)::int FROM absent) AS absent,
  set_config('synchronous_commit', ${syncedCommit}, true) AS durable`
}
