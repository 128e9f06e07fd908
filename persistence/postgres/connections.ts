/**
 * Connections to PostgreSQL, and patience: a statement that found the database away is sent again until it is answered
 * or its time is over. Whoever sends one sees to it that it may be sent twice. It knows no tables.
 */
import { guarded, type OnReport } from '../reports.ts'
import { StoreError } from '../store.ts'
import type { Driver, Pool, PoolClient, QueryConfig } from './driver.ts'
import { asPostgresError, faultKind, isSevered } from './faults.ts'

export type ConnectionSettings = {
  readonly connectionString: string
  readonly connectionsMax: number
  /** PostgreSQL ends a statement after this. */
  readonly statementMs: number
  /** We give up a connection that has not answered for this. Above `statementMs`. */
  readonly silenceMs: number
  readonly connectMs: number
  /** How long one call goes on trying. */
  readonly patienceMs: number
  readonly onReport?: OnReport
}

export type Row = Readonly<Record<string, unknown>>

const pauseMs = { first: 20, most: 500 }

export class Connections {
  readonly #settings: ConnectionSettings
  readonly #pool: Pool
  readonly #onReport: OnReport
  /** Connections whose session has our settings. */
  readonly #ready = new WeakSet<PoolClient>()
  #isAway = false

  constructor(driver: Driver, settings: ConnectionSettings) {
    this.#settings = settings
    this.#onReport = guarded(settings.onReport)
    this.#pool = new driver.Pool({
      connectionString: settings.connectionString,
      max: settings.connectionsMax,
      query_timeout: settings.silenceMs,
      connectionTimeoutMillis: settings.connectMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      idleTimeoutMillis: 60_000,
      application_name: 'y-chorus'
    })
    // Without a listener, an idle connection that breaks would end the process. The next statement takes another one.
    this.#pool.on('error', () => {})
  }

  /** One statement, sent once. Rejects with what the driver rejects with. */
  async once(query: QueryConfig): Promise<Row[]> {
    return this.session(async client => (await client.query(query)).rows)
  }

  /** Several statements on one connection. A connection that may be broken is closed. */
  async session<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    let severed: unknown = null
    const listener = (error: unknown) => {
      severed = error
    }
    client.on('error', listener)
    try {
      await this.#prepare(client)
      return await work(client)
    } catch (error) {
      if (isSevered(error)) severed = error
      throw error
    } finally {
      client.off('error', listener)
      client.release(severed !== null)
    }
  }

  /** A statement that may be sent twice; `isAgain` in `patiently`. */
  async query(text: string, values: readonly unknown[], name?: string): Promise<Row[]> {
    const query = { text, values: [...values], ...(name === undefined ? {} : { name }) }
    return this.patiently(() => this.once(query))
  }

  /**
   * Repeats `attempt` while the database is away, for `patienceMs`. Rejects with a StoreError; `tries` counts from 0: above
   * it, an earlier one may have been carried out.
   */
  async patiently<T>(attempt: (tries: number) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + this.#settings.patienceMs
    let waitMs = pauseMs.first
    for (let tries = 0; ; tries++) {
      try {
        const result = await attempt(tries)
        this.#answered()
        return result
      } catch (error) {
        const cause = asPostgresError(error)
        if (faultKind(error) === 'refused') throw asPostgresErrorWithOrigin(cause, error)
        this.#away(cause)
        if (performance.now() + waitMs > untilMs) throw cause
      }
      await new Promise(resolve => setTimeout(resolve, waitMs))
      waitMs = Math.min(waitMs * 2, pauseMs.most)
    }
  }

  /** Without patience: rejects with a StoreError when the database is away. */
  async now<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt()
    } catch (error) {
      throw asPostgresError(error)
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  /** By statements of their own: a pooler between may refuse settings that come with the connection. */
  async #prepare(client: PoolClient): Promise<void> {
    if (this.#ready.has(client)) return
    const { statementMs } = this.#settings
    await client.query(
      `SET statement_timeout = ${statementMs}; SET idle_in_transaction_session_timeout = ${statementMs}`
    )
    this.#ready.add(client)
  }

  #away(cause: StoreError): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#onReport({ kind: 'database-away', cause })
  }

  #answered(): void {
    if (!this.#isAway) return
    this.#isAway = false
    this.#onReport({ kind: 'database-back' })
  }
}

/** Keeps what PostgreSQL said for whoever decides by it; it is not shown. */
function asPostgresErrorWithOrigin(shown: StoreError, origin: unknown): StoreError {
  if (shown === origin) return shown
  return new StoreError(shown.code, shown.message, { cause: origin })
}
