/** Reading histories: each call is one statement, and so one view. What a history needs of the log is said here. */
import { checkBlobNumbers, checkList, checkRecordsAfter } from '../arguments.ts'
import { encodePrefix, plain } from '../format.ts'
import type { HistoryListOptions, HistoryRecord, StoredHistory, UnreleasedRecords } from '../history.ts'
import { type RecordLimits, StoreError } from '../store.ts'
import type { Connections, Row } from './connections.ts'
import { isLife, manifestNumber } from './histories.ts'
import { hashOf } from './names.ts'

export class HistoryReading {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  async read(document: string): Promise<StoredHistory | null> {
    const rows = await this.#connections.query(readStatement(this.#schema), [hashOf(document)])
    const [row] = rows
    if (row === undefined) return null
    const [manifest] = blobsOf(document, rows).values()
    if (manifest === undefined) throw damaged(document, manifestNumber)
    return {
      incarnation: String(row.incarnation),
      generation: Number(row.generation),
      manifest,
      releasedTo: Number(row.released_to),
      // PostgreSQL has given them as they were given to it.
      pins: (row.pins as readonly string[]).map(Number)
    }
  }

  async blobs(
    document: string,
    incarnation: string,
    numbers: readonly number[]
  ): Promise<readonly (Uint8Array | null)[]> {
    checkBlobNumbers(numbers)
    const hash = hashOf(document)
    if (!isLife(incarnation)) return numbers.map(() => null)
    const values = [hash, incarnation, [...new Set(numbers)]]
    const found = blobsOf(document, await this.#connections.query(blobsStatement(this.#schema), values))
    return numbers.map(number => found.get(number) ?? null)
  }

  async unreleased(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<UnreleasedRecords> {
    checkRecordsAfter(document, sequence, limits)
    const values = [hashOf(document), sequence, limits.records, limits.bytes]
    const rows = await this.#connections.query(unreleasedStatement(this.#schema), values)
    const [first] = rows
    if (first === undefined) return { outcome: 'gone', floor: 0 }
    if (first.incarnation === null || String(first.incarnation) !== incarnation) {
      return { outcome: 'gone', floor: Number(first.floor) }
    }
    const stored = rows.filter(row => row.sequence !== null).map(recordOf)
    const records = stored.sort((a, b) => a.sequence - b.sequence)
    return { outcome: 'records', records, damaged: [], head: Number(first.last_sequence) }
  }

  async list(options?: HistoryListOptions): Promise<readonly string[]> {
    const { after, limit } = checkList(options)
    const rows = await this.#connections.query(listStatement(this.#schema), [encodePrefix(after), limit])
    return rows.map(({ name }) => (name as Buffer).toString('utf8'))
  }
}

function recordOf(row: Row): HistoryRecord {
  return {
    sequence: Number(row.sequence),
    identity: { node: String(row.node), batch: Number(row.batch) },
    record: plain(row.record as Buffer),
    isReplaced: row.is_replaced === true
  }
}

/** Rows of parts, by the numbers of the blobs and in order, as whole blobs. Throws STORE_DAMAGED where a part is missing. */
function blobsOf(document: string, rows: readonly Row[]): Map<number, Uint8Array> {
  const chunks = new Map<number, Buffer[]>()
  for (const row of rows) {
    const number = Number(row.number)
    const present = chunks.get(number) ?? []
    if (row.bytes === null || Number(row.part) !== present.length) throw damaged(document, number)
    present.push(row.bytes as Buffer)
    chunks.set(number, present)
  }
  for (const row of rows) {
    const number = Number(row.number)
    if (chunks.get(number)?.length !== Number(row.parts)) throw damaged(document, number)
  }
  return new Map([...chunks].map(([number, parts]) => [number, plain(joined(parts))]))
}

function joined(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

function damaged(document: string, number: number): StoreError {
  const what = number === manifestNumber ? 'The manifest' : `Blob ${number}`
  return new StoreError(
    'STORE_DAMAGED',
    `${what} of the history of ${JSON.stringify(document)} is incomplete`
  )
}

/** The history of the present life. */
const ofLife = (s: string) => `${s}.histories h ON h.document = d.id AND h.incarnation = d.incarnation`

function readStatement(s: string): string {
  return `
SELECT d.incarnation, h.generation, h.released_to, h.pins, b.number, b.parts, p.part, p.bytes
FROM ${s}.documents d JOIN ${ofLife(s)}
LEFT JOIN ${s}.history_blobs b ON b.history = h.id AND b.number = ${manifestNumber}
LEFT JOIN ${s}.history_parts p ON p.attempt = b.attempt AND p.number = b.number
WHERE d.hash = $1 ORDER BY p.part`
}

/** $2 incarnation, $3 numbers. */
function blobsStatement(s: string): string {
  return `
SELECT b.number, b.parts, p.part, p.bytes
FROM ${s}.documents d JOIN ${ofLife(s)}
JOIN ${s}.history_blobs b ON b.history = h.id AND b.number = ANY($3::bigint[])
LEFT JOIN ${s}.history_parts p ON p.attempt = b.attempt AND p.number = b.number
WHERE d.hash = $1 AND d.incarnation = $2::bigint ORDER BY b.number, p.part`
}

/**
 * $2 position, $3 records, $4 bytes. What checkpoints had replaced before the history began (`hidden_to`) is not its, save
 * what they had left in the log (`carried`). A document that was deleted has a row as well.
 */
function unreleasedStatement(s: string): string {
  const next = (condition: string) =>
    `(SELECT * FROM ${s}.records y WHERE y.document = d.id AND y.sequence > greatest($2::bigint, d.floor) AND ${condition}
      ORDER BY y.sequence LIMIT $3)`
  return `
SELECT d.incarnation, d.floor, d.last_sequence, r.*
FROM ${s}.documents d LEFT JOIN ${ofLife(s)} LEFT JOIN LATERAL (
  SELECT w.sequence, w.node, w.batch, w.record, NOT w.kept AND w.sequence <= d.merged_to AS is_replaced FROM (
    SELECT x.*, sum(length(x.record)) OVER (ORDER BY x.sequence) - length(x.record) AS before FROM (
      ${next(`y.sequence > CASE WHEN h.id IS NULL THEN d.merged_to ELSE greatest(h.released_to, h.hidden_to) END`)}
      UNION ALL ${next(`h.id IS NULL AND y.kept AND y.sequence <= d.merged_to`)}
      UNION ALL ${next(`y.sequence = ANY(ARRAY(
        SELECT unnest(h.held) UNION SELECT c FROM unnest(h.carried) AS c WHERE c > h.released_to AND c <= h.hidden_to))`)}
      ORDER BY sequence LIMIT $3) x) w
  WHERE w.before < $4) r ON true
WHERE d.hash = $1`
}

/** By the part of names that an index holds, and by the whole name where those are equal. */
function listStatement(s: string): string {
  const start = (name: string) => `substring(${name} FROM 1 FOR 512)`
  return `
SELECT h.name FROM ${s}.histories h JOIN ${s}.documents d ON d.id = h.document AND d.incarnation = h.incarnation
WHERE h.name > $1 AND ${start('h.name')} >= ${start('$1::bytea')} ORDER BY ${start('h.name')}, h.name LIMIT $2`
}
