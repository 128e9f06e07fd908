/**
 * What was set aside. A body that is longer than a statement should be lies in parts: the first one in the entry, the others
 * beside it, under the entry's token and written before it. Parts without an entry are of an attempt that came to nothing.
 */
import { randomBytes } from 'node:crypto'
import { checkValue } from '../arguments.ts'
import { bounds } from '../bounds.ts'
import { encodeName } from '../format.ts'
import { decodeSetAside, encodeSetAside } from '../set-aside-body.ts'
import { type SetAside, type StoredSetAside, StoreError } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections, Row } from './connections.ts'
import { sqlState } from './faults.ts'
import { hashOf } from './names.ts'

const durable = `(SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable`
/** Two servers that set something aside of one document at once take the same number; one of them asks again. */
const roundsMax = 100
/** Of one statement: PostgreSQL and the driver hold a value several times over. */
const partBytesMax = 8 * 1024 * 1024

export class SettingAside {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  /** As `Store.setAside`. Sent twice, it is kept once: the token says so. */
  async setAside(document: string, entry: SetAside): Promise<void> {
    checkValue(entry.bytes)
    const hash = hashOf(document)
    const token = randomBytes(16)
    const body = encodeSetAside(entry)
    const parts = Math.max(0, Math.ceil(body.length / partBytesMax) - 1)
    for (let part = 1; part <= parts; part++) await this.#putPart(token, part, body)
    const s = this.#schema
    const text = `
      INSERT INTO ${s}.set_aside (hash, number, name, token, size, body)
      SELECT $1, (SELECT coalesce(max(number), 0) + 1 FROM ${s}.set_aside WHERE hash = $1), $2, $3, $4, $5 FROM ${durable}
      WHERE (SELECT count(*) FROM ${s}.set_aside_parts WHERE token = $3) = $6
      ON CONFLICT (token) DO NOTHING`
    const first = body.subarray(0, partBytesMax)
    const values = [hash, encodeName(document), token, entry.bytes.length, first, parts]
    await this.#whileTaken(() => this.#connections.query(text, values))
    if (parts > 0 && !(await this.#isThere(token))) {
      throw new StoreError(
        'STORE_FAILED',
        'Setting aside took so long that what was written of it was removed'
      )
    }
    await this.#makeRoom(hash)
  }

  async #isThere(token: Buffer): Promise<boolean> {
    const text = `SELECT 1 FROM ${this.#schema}.set_aside WHERE token = $1`
    return (await this.#connections.query(text, [token])).length > 0
  }

  /** Sent twice, it is there once. */
  async #putPart(token: Buffer, part: number, body: Buffer): Promise<void> {
    await this.#connections.query(
      `INSERT INTO ${this.#schema}.set_aside_parts (token, part, bytes) SELECT $1, $2, $3 FROM ${durable}
       ON CONFLICT DO NOTHING`,
      [token, part, body.subarray(part * partBytesMax, (part + 1) * partBytesMax)]
    )
  }

  async listSetAside(document: string): Promise<readonly StoredSetAside[]> {
    const s = this.#schema
    const rows = await this.#connections.query(
      `SELECT e.number, 0 AS part, e.body AS bytes FROM ${s}.set_aside e WHERE e.hash = $1
       UNION ALL SELECT e.number, p.part, p.bytes FROM ${s}.set_aside e JOIN ${s}.set_aside_parts p ON p.token = e.token
       WHERE e.hash = $1 ORDER BY number, part`,
      [hashOf(document)]
    )
    const bodies = new Map<number, Buffer[]>()
    for (const { number, bytes } of rows) {
      const chunks = bodies.get(Number(number))
      if (chunks === undefined) bodies.set(Number(number), [bytes as Buffer])
      else chunks.push(bytes as Buffer)
    }
    return [...bodies].map(([number, chunks]) => ({ number, ...decodeSetAside(joined(chunks)) }))
  }

  async setAsideDocuments(): Promise<readonly string[]> {
    const rows = await this.#connections.query(
      `SELECT name FROM ${this.#schema}.set_aside GROUP BY hash, name ORDER BY name`,
      []
    )
    return rows.map(({ name }) => (name as Buffer).toString('utf8'))
  }

  async dropSetAside(document: string, number: number): Promise<boolean> {
    const s = this.#schema
    const text = `
      WITH gone AS (
        DELETE FROM ${s}.set_aside USING ${durable} WHERE hash = $1 AND number = $2 RETURNING token),
      parts AS (DELETE FROM ${s}.set_aside_parts p USING gone WHERE p.token = gone.token)
      SELECT 1 FROM gone`
    const values = [hashOf(document), number]
    // Of a try whose reply was lost nobody knows: the entry was there, or it is as good as dropped.
    return this.#connections.patiently(
      async tries => (await this.#connections.once({ text, values })).length > 0 || tries > 0
    )
  }

  /** The oldest go; the newest stays however large it is. */
  async #makeRoom(hash: Buffer): Promise<void> {
    const s = this.#schema
    await this.#connections.query(
      `WITH gone AS (
         DELETE FROM ${s}.set_aside d USING (
           SELECT number, row_number() OVER newest AS place, sum(size) OVER newest AS bytes
           FROM ${s}.set_aside WHERE hash = $1 WINDOW newest AS (ORDER BY number DESC)) AS kept
         WHERE d.hash = $1 AND d.number = kept.number AND kept.place > 1 AND (kept.place > $2 OR kept.bytes > $3)
         RETURNING d.token)
       DELETE FROM ${s}.set_aside_parts p USING gone WHERE p.token = gone.token`,
      [hash, bounds.setAsideMax, bounds.setAsideBytesMax]
    )
  }

  async #whileTaken(write: () => Promise<Row[]>): Promise<void> {
    for (let round = 0; ; round++) {
      try {
        await write()
        return
      } catch (error) {
        const isTaken = error instanceof StoreError && sqlState(error.cause) === '23505'
        if (!isTaken || round === roundsMax) throw error
      }
    }
  }
}

function joined(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}
