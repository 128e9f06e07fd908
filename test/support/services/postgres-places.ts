/** A PostgreSQL for the tests of a file, in which each test has a schema of its own, and a proxy that can lose replies. */
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { openPostgresStore, type PostgresStoreOptions } from '../../../persistence/postgres/postgres-store.ts'
import type { Store } from '../../../persistence/store.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { type ReplyProxy, startReplyProxy } from './reply-proxy.ts'

export type PostgresPlace = {
  readonly postgres: Postgres
  readonly proxy: ReplyProxy
  readonly schema: string
  /** Through the proxy, unless another port is given. Closed after the test. */
  open(options?: PostgresStoreOptions, port?: number): Promise<Store>
  /** A connection past the proxy. Ended after the test. */
  sql(): Promise<Client>
  /** The reply to the statement with this text, or of this name, is lost, after `meanwhile`. */
  losing<T>(text: string, call: () => Promise<T>, meanwhile?: () => Promise<unknown>): Promise<T>
}

/** Call it in a `describe`. `settings`: of PostgreSQL. */
export function postgresPlaces(settings?: Parameters<typeof startPostgres>[0]): PostgresPlace {
  let postgres: Postgres
  let proxy: ReplyProxy
  let schema = 'place_0'
  let count = 0
  const stores: Store[] = []
  const clients: Client[] = []

  beforeAll(async () => {
    postgres = await startPostgres(settings)
  })
  afterAll(() => postgres.stop())
  beforeEach(async () => {
    schema = `place_${++count}`
    proxy = await startReplyProxy(postgres.port)
  })
  afterEach(async () => {
    proxy.cutAndOpen()
    await Promise.all(stores.splice(0).map(store => store.close()))
    await Promise.all(clients.splice(0).map(client => client.end()))
    proxy.close()
  })

  return {
    get postgres() {
      return postgres
    },
    get proxy() {
      return proxy
    },
    get schema() {
      return schema
    },
    open: async (options = {}, port = proxy.port) => {
      const store = await openPostgresStore(postgres.url(schema, port), { patienceMs: 60_000, ...options })
      stores.push(store)
      return store
    },
    sql: async () => {
      const client = new Client({ connectionString: `postgres://chorus@127.0.0.1:${postgres.port}/postgres` })
      clients.push(client)
      await client.connect()
      return client
    },
    losing: async (text, call, meanwhile = async () => {}) => {
      proxy.holdRepliesTo(text)
      const held = proxy.heldReply()
      const calling = call()
      await held
      await meanwhile()
      proxy.cutAndOpen()
      return calling
    }
  }
}
