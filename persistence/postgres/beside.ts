/** What lies beside the documents: what was set aside, metadata, leases, and the probe. */
import { randomBytes } from 'node:crypto'
import { checkLease, checkValue } from '../arguments.ts'
import { bounds } from '../bounds.ts'
import { encodeName, plain } from '../format.ts'
import { isSameValue } from '../metadata.ts'
import { decodeSetAside, encodeSetAside } from '../set-aside-body.ts'
import { type SetAside, type StoredSetAside, StoreError } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections } from './connections.ts'
import type { QueryConfig } from './driver.ts'
import { sqlState } from './faults.ts'
import { hashOf } from './names.ts'

const durable = `(SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable`
/** Two servers that set something aside of one document at once take the same number; one of them asks again. */
const roundsMax = 100

export class Beside {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
  }

  /** Sent twice, it is kept once: the token says so. */
  async setAside(document: string, entry: SetAside): Promise<void> {
    checkValue(entry.bytes)
    const hash = hashOf(document)
    const s = this.#schema
    const text = `
      INSERT INTO ${s}.set_aside (hash, number, name, token, size, body)
      SELECT $1, (SELECT coalesce(max(number), 0) + 1 FROM ${s}.set_aside WHERE hash = $1), $2, $3, $4, $5 FROM ${durable}
      ON CONFLICT (token) DO NOTHING`
    const body = Buffer.from(encodeSetAside(entry))
    const values = [hash, encodeName(document), randomBytes(16), entry.bytes.length, body]
    await this.#whileTaken(() => this.#connections.query(text, values))
    await this.#makeRoom(hash)
  }

  async listSetAside(document: string): Promise<readonly StoredSetAside[]> {
    const rows = await this.#connections.query(
      `SELECT number, body FROM ${this.#schema}.set_aside WHERE hash = $1 ORDER BY number`,
      [hashOf(document)]
    )
    return rows.map(({ number, body }) => ({ number: Number(number), ...decodeSetAside(body as Buffer) }))
  }

  async setAsideDocuments(): Promise<readonly string[]> {
    const rows = await this.#connections.query(
      `SELECT name FROM ${this.#schema}.set_aside GROUP BY hash, name ORDER BY name`,
      []
    )
    return rows.map(({ name }) => (name as Buffer).toString('utf8'))
  }

  async dropSetAside(document: string, number: number): Promise<boolean> {
    const text = `DELETE FROM ${this.#schema}.set_aside USING ${durable} WHERE hash = $1 AND number = $2 RETURNING 1`
    const values = [hashOf(document), number]
    // Of a try whose reply was lost nobody knows: the entry was there, or it is as good as dropped.
    return this.#connections.patiently(
      async tries => (await this.#connections.once({ text, values })).length > 0 || tries > 0
    )
  }

  async readMetadata(key: string): Promise<Uint8Array | null> {
    const text = `SELECT value FROM ${this.#schema}.metadata WHERE hash = $1`
    const [row] = await this.#connections.query(text, [hashOf(key)])
    return row === undefined ? null : plain(row.value as Buffer)
  }

  async writeMetadata(key: string, value: Uint8Array | null): Promise<void> {
    const hash = hashOf(key)
    const s = this.#schema
    if (value === null) {
      await this.#connections.query(`DELETE FROM ${s}.metadata USING ${durable} WHERE hash = $1`, [hash])
      return
    }
    checkValue(value)
    await this.#connections.query(
      `INSERT INTO ${s}.metadata (hash, name, value) SELECT $1, $2, $3 FROM ${durable}
       ON CONFLICT (hash) DO UPDATE SET value = excluded.value`,
      [hash, encodeName(key), Buffer.from(value)]
    )
  }

  /** Sent again after a lost reply, it may find its own value there. */
  async swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean> {
    if (value !== null) checkValue(value)
    const swap = this.#swap(key, { present, value })
    return this.#connections.patiently(async tries => {
      if ((await this.#connections.once(swap)).length > 0) return true
      return tries > 0 && isSameValue(await this.readMetadata(key), value)
    })
  }

  #swap(key: string, { present, value }: Record<'present' | 'value', Uint8Array | null>): QueryConfig {
    const metadata = `${this.#schema}.metadata`
    const [hash, now] = [hashOf(key), present === null ? null : Buffer.from(present)]
    if (value === null) {
      const isGone = `SELECT FROM ${durable} WHERE $2::bytea IS NULL AND NOT EXISTS (SELECT FROM ${metadata} WHERE hash = $1)`
      const text =
        now === null
          ? isGone
          : `DELETE FROM ${metadata} USING ${durable} WHERE hash = $1 AND value = $2 RETURNING 1`
      return { text, values: [hash, now] }
    }
    const next = Buffer.from(value)
    if (now !== null) {
      const text = `UPDATE ${metadata} SET value = $3 FROM ${durable} WHERE hash = $1 AND value = $2 RETURNING 1`
      return { text, values: [hash, now, next] }
    }
    const text = `INSERT INTO ${metadata} (hash, name, value) SELECT $1, $2, $3 FROM ${durable}
      ON CONFLICT (hash) DO NOTHING RETURNING 1`
    return { text, values: [hash, encodeName(key), next] }
  }

  async metadataDigest(key: string): Promise<Uint8Array | null> {
    const text = `SELECT sha256(value) AS digest FROM ${this.#schema}.metadata WHERE hash = $1`
    const [row] = await this.#connections.query(text, [hashOf(key)])
    return row === undefined ? null : plain(row.digest as Buffer)
  }

  /** By the clock of the database. */
  async lease(key: string, holder: string, ms: number): Promise<boolean> {
    checkLease(key, holder, ms)
    const s = this.#schema
    const values = [hashOf(key), encodeName(holder), ms]
    if (ms === 0) {
      const [row] = await this.#connections.query(
        `WITH gone AS (DELETE FROM ${s}.leases WHERE hash = $1 AND (holder = $2 OR until <= clock_timestamp()))
         SELECT NOT EXISTS (
           SELECT FROM ${s}.leases WHERE hash = $1 AND holder <> $2 AND until > clock_timestamp()) AS "isFree"`,
        values.slice(0, 2)
      )
      return row?.isFree === true
    }
    const rows = await this.#connections.query(
      `INSERT INTO ${s}.leases AS l (hash, holder, until)
       VALUES ($1, $2, clock_timestamp() + $3::float8 * interval '1 millisecond')
       ON CONFLICT (hash) DO UPDATE SET holder = excluded.holder, until = excluded.until
       WHERE l.holder = excluded.holder OR l.until <= clock_timestamp() RETURNING 1`,
      values
    )
    return rows.length > 0
  }

  /** A write that is on disk, and once only: whoever asks wants to know how it is now. */
  async probe(): Promise<void> {
    const text = `UPDATE ${this.#schema}.format SET probed = clock_timestamp() FROM ${durable} RETURNING version`
    const rows = await this.#connections.now(() => this.#connections.once({ text }))
    if (rows.length !== 1) throw new StoreError('STORE_FAILED', 'The probe was not read back')
  }

  /** The oldest go; the newest stays however large it is. */
  async #makeRoom(hash: Buffer): Promise<void> {
    const s = this.#schema
    await this.#connections.query(
      `DELETE FROM ${s}.set_aside d USING (
         SELECT number, row_number() OVER newest AS place, sum(size) OVER newest AS bytes
         FROM ${s}.set_aside WHERE hash = $1 WINDOW newest AS (ORDER BY number DESC)) AS kept
       WHERE d.hash = $1 AND d.number = kept.number AND kept.place > 1 AND (kept.place > $2 OR kept.bytes > $3)`,
      [hash, bounds.setAsideMax, bounds.setAsideBytesMax]
    )
  }

  async #whileTaken(write: () => Promise<unknown>): Promise<void> {
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
