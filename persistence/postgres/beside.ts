/** What lies beside the documents: metadata, leases, and the probe. */
import { checkLease, checkValue } from '../arguments.ts'
import { encodeName, plain } from '../format.ts'
import { isSameValue } from '../metadata.ts'
import { StoreError } from '../store.ts'
import { syncedCommit } from './appending.ts'
import type { Connections } from './connections.ts'
import type { QueryConfig } from './driver.ts'
import { hashOf } from './names.ts'

const durable = `(SELECT set_config('synchronous_commit', ${syncedCommit}, true)) AS durable`

export class Beside {
  readonly #connections: Connections
  readonly #schema: string

  constructor(connections: Connections, schema: string) {
    this.#connections = connections
    this.#schema = schema
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
}
