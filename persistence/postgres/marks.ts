/**
 * Marks of changes. A mark is left by the statements that append and delete, which hold the lock of the document's row; so
 * does the one that removes a mark, and what it compares with cannot change meanwhile.
 */
import { checkList, checkMarkWrites } from '../arguments.ts'
import { encodeName, encodePrefix, plain } from '../format.ts'
import type { ChangeMark, MarkListOptions, MarkWrite } from '../marks.ts'
import { isSameMark } from '../ordered-marks.ts'
import { syncedCommit } from './appending.ts'
import type { Connections, Row } from './connections.ts'
import { hashOf } from './names.ts'

export class Marks {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  async read(document: string): Promise<ChangeMark | null> {
    encodeName(document)
    const [mark] = await this.#read([document])
    return mark ?? null
  }

  /** In the order in which their documents came to be. */
  async list(options?: MarkListOptions): Promise<readonly ChangeMark[]> {
    const { after, limit } = checkList(options)
    const s = this.#schema
    const rows = await this.#connections.query(
      `SELECT d.name, m.incarnation, m.after, m.value FROM ${s}.marks m JOIN ${s}.documents d ON d.id = m.document
       WHERE m.document > coalesce((SELECT id FROM ${s}.documents WHERE hash = $1), 0) ORDER BY m.document LIMIT $2`,
      [after === '' ? encodePrefix('') : hashOf(after), limit]
    )
    return rows.map(markOf)
  }

  async write(writes: readonly MarkWrite[]): Promise<boolean[]> {
    checkMarkWrites(writes)
    if (writes.length === 0) return []
    const values = valuesOf(writes)
    return this.#connections.patiently(async tries => {
      const rows = await this.#connections.once({ text: writeStatement(this.#schema), values })
      const made = new Set(rows.map(row => Number(row.place)))
      const answers = writes.map((_, index) => made.has(index + 1))
      return tries === 0 ? answers : this.#withLost(writes, answers)
    })
  }

  /** After a lost reply, what is there as it was to be was written then. Another one who removes it says the same. */
  async #withLost(writes: readonly MarkWrite[], answers: readonly boolean[]): Promise<boolean[]> {
    const open = writes.filter((_, index) => answers[index] === false)
    const found = new Map(
      (await this.#read(open.map(({ present }) => present.document))).map(each => [each.document, each])
    )
    return writes.map(({ present, next }, index) => {
      if (answers[index] === true) return true
      const { document } = present
      const mark = found.get(document) ?? null
      return next === null ? mark === null : isSameMark(mark, { document, ...next })
    })
  }

  async #read(documents: readonly string[]): Promise<ChangeMark[]> {
    const s = this.#schema
    const rows = await this.#connections.query(
      `SELECT d.name, m.incarnation, m.after, m.value FROM ${s}.marks m JOIN ${s}.documents d ON d.id = m.document
       WHERE d.hash = ANY($1::bytea[])`,
      [documents.map(hashOf)]
    )
    return rows.map(markOf)
  }
}

function markOf(row: Row): ChangeMark {
  return {
    document: (row.name as Buffer).toString('utf8'),
    incarnation: row.incarnation === null ? null : String(row.incarnation),
    after: Number(row.after),
    value: plain(row.value as Buffer)
  }
}

function valuesOf(writes: readonly MarkWrite[]): unknown[] {
  return [
    writes.map(({ present }) => hashOf(present.document)),
    writes.map(({ present }) => present.incarnation),
    writes.map(({ present }) => present.after),
    writes.map(({ present }) => Buffer.from(present.value)),
    writes.map(({ next }) => next !== null),
    writes.map(({ next }) => next?.incarnation ?? null),
    writes.map(({ next }) => next?.after ?? 0),
    writes.map(({ next }) => Buffer.from(next?.value ?? [])),
    writes.map(({ present, told = present }) => told.incarnation),
    writes.map(({ present, told = present }) => told.after)
  ]
}

/**
 * $1 hashes, $2 to $4 the marks as they were read, $5 whether another one takes its place, $6 to $8 that one, $9 and $10 where the document must stand, else. The rows of the
 * documents are locked in the order of all statements that lock several. Answers the places of those that were made.
 */
function writeStatement(s: string): string {
  return `
WITH wanted AS (
  SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bool[], $6::bigint[], $7::bigint[], $8::bytea[],
      $9::bigint[], $10::bigint[])
    WITH ORDINALITY AS t(hash, incarnation, after, value, is_kept, next_incarnation, next_after, next_value,
      told_incarnation, told_after, place)),
locked AS (
  SELECT d.id, d.hash, d.incarnation, d.last_sequence FROM ${s}.documents d
  WHERE d.hash = ANY($1::bytea[]) ORDER BY d.id FOR UPDATE),
found AS (
  SELECT l.id, l.incarnation AS life, l.last_sequence, w.* FROM locked l JOIN wanted w ON w.hash = l.hash),
changed AS (
  UPDATE ${s}.marks m SET incarnation = f.next_incarnation, after = f.next_after, value = f.next_value
  FROM found f WHERE m.document = f.id AND f.is_kept
    AND m.incarnation IS NOT DISTINCT FROM f.incarnation AND m.after = f.after AND m.value = f.value
  RETURNING f.place),
removed AS (
  DELETE FROM ${s}.marks m USING found f
  WHERE m.document = f.id AND NOT f.is_kept
    AND m.incarnation IS NOT DISTINCT FROM f.incarnation AND m.after = f.after AND m.value = f.value
    AND f.life IS NOT DISTINCT FROM f.told_incarnation AND (f.life IS NULL OR f.last_sequence = f.told_after)
  RETURNING f.place),
made AS (SELECT place FROM changed UNION ALL SELECT place FROM removed)
SELECT place, set_config('synchronous_commit', ${syncedCommit}, true) AS durable FROM made`
}
