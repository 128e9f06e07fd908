/** What operators do to PostgreSQL under a store: dump and restore it, forbid it to write, use up its connections. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  blobLabels,
  mergeAll,
  needed,
  written as writeHistory
} from '../../../persistence/conformance-history-tools.ts'
import { bytesOf, labelOf, overwrite } from '../../../persistence/conformance-tools.ts'
import { openPostgresStore } from '../../../persistence/postgres/postgres-store.ts'
import type { StoreReport } from '../../../persistence/reports.ts'
import type { Store } from '../../../persistence/store.ts'
import { findPostgres } from '../../../scripts/services.js'
import { until } from '../../support/clients.ts'
import { type Postgres, postgresMissing, startPostgres } from '../../support/services/postgres.ts'

/** Of the server, one for each connection that a superuser may have. */
const connectionsMax = 20

describe.skipIf(postgresMissing !== null)('PostgreSQL in the hands of operators', () => {
  let postgres: Postgres
  beforeAll(async () => {
    const settings = { max_connections: String(connectionsMax), superuser_reserved_connections: '0' }
    postgres = await startPostgres({ synchronous_commit: 'off', ...settings })
  })
  afterAll(() => postgres.stop())

  async function open(url: string) {
    const reports: StoreReport[] = []
    const store = await openPostgresStore(url, {
      patienceMs: 60_000,
      lanes: 1,
      onReport: report => void reports.push(report)
    })
    onTestFinished(() => store.close())
    return { store, kinds: () => reports.map(({ kind }) => kind) }
  }

  async function connected(database = 'postgres'): Promise<Client> {
    const client = new Client({
      connectionString: `postgres://chorus@127.0.0.1:${postgres.port}/${database}`
    })
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  const written = (store: Store, label: string) =>
    store.append([{ document: 'a', record: bytesOf(label), incarnation: null }])

  const labels = async (store: Store) => (await store.load('a')).records.map(({ record }) => labelOf(record))

  test('what pg_dump has written is, restored elsewhere, the same documents', async () => {
    const { store } = await open(postgres.url('dumped'))
    await written(store, 'one')
    await overwrite(store, {
      document: 'a',
      from: await store.load('a'),
      segments: [bytesOf('m'.repeat(300_000)), bytesOf('n')]
    })
    await written(store, 'two')
    await store.setAside('a', { author: null, timeMs: 1, reason: 'why', bytes: bytesOf('aside') })
    await store.writeMetadata('key', bytesOf('value'))
    await store.append([{ document: 'gone', record: bytesOf('x') }])
    await store.delete('gone', { tombstone: { timeMs: 5, bytes: bytesOf('buried') } })

    restoreElsewhere('dumped', 'elsewhere')
    const { store: copy } = await open(postgres.url('dumped').replace('/postgres?', '/elsewhere?'))

    for (const document of ['a', 'gone', 'never']) {
      expect(await copy.load(document)).toEqual(await store.load(document))
    }
    expect(await copy.list()).toEqual(['a'])
    expect(await copy.listSetAside('a')).toEqual(await store.listSetAside('a'))
    expect(await copy.readMetadata('key')).toEqual(bytesOf('value'))
    expect((await written(copy, 'three'))[0]).toMatchObject({ outcome: 'written', sequence: 3 })
    expect(await labels(store)).toEqual(['two'])
  })

  test('what pg_dump has written is, restored elsewhere, the same histories, which go on', async () => {
    const { store } = await open(postgres.url('past'))
    await written(store, 'one')
    await written(store, 'two')
    const blobs = [{ number: 1, bytes: bytesOf('blob', 9 * 1024 * 1024) }]
    await writeHistory(store, { document: 'a', blobs })
    await mergeAll(store, 'a')
    await writeHistory(store, { document: 'a', manifest: bytesOf('kept'), releasedTo: 2, pins: [1] })

    restoreElsewhere('past', 'restored')
    const { store: copy } = await open(postgres.url('past').replace('/postgres?', '/restored?'))

    expect(await copy.history?.read('a')).toEqual(await store.history?.read('a'))
    expect(await blobLabels(copy, 'a', [1])).toEqual(['blob'])
    expect(await needed(copy, 'a')).toEqual(['(one)'])
    expect(await copy.history?.list()).toEqual(['a'])
    await written(copy, 'three')
    await mergeAll(copy, 'a')
    expect(await needed(copy, 'a')).toEqual(['(one)', '(three)'])
    // The trigger is there as well: no note that an older server sees names these records.
    const noted = 'SELECT count(*)::int AS n FROM past.garbage WHERE sequence_to > 0'
    expect((await (await connected('restored')).query(noted)).rows[0]?.n).toBe(0)
    await writeHistory(copy, { document: 'a', releasedTo: 3 })
    expect(await needed(copy, 'a')).toEqual([])
    expect(await needed(store, 'a')).toEqual(['(one)'])
  })

  test('a dump without the histories has the documents, whose histories begin anew', async () => {
    const { store } = await open(postgres.url('bare'))
    await written(store, 'one')
    await writeHistory(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('blob') }] })
    await mergeAll(store, 'a')
    await written(store, 'two')

    restoreElsewhere('bare', 'without', '--exclude-table-data=bare.histor*')
    const { store: copy } = await open(postgres.url('bare').replace('/postgres?', '/without?'))

    expect(await copy.load('a')).toEqual(await store.load('a'))
    expect(await copy.history?.read('a')).toBeNull()
    expect(await needed(copy, 'a')).toEqual(['two'])
    await writeHistory(copy, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('anew') }] })
    await mergeAll(copy, 'a')
    expect(await needed(copy, 'a')).toEqual(['(two)'])
    expect(await blobLabels(copy, 'a', [1])).toEqual(['anew'])
  })

  /** As docs/operating.md says, but for the owner and the place. */
  function restoreElsewhere(schema: string, database: string, ...options: string[]): void {
    const file = join(process.env.TMPDIR ?? '/tmp', `chorus-${process.pid}-${schema}.dump`)
    const run = (command: string, ...args: string[]) =>
      execFileSync(join(findPostgres() ?? '', command), [
        ...['-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'chorus'],
        ...args
      ])
    run('pg_dump', `--schema=${schema}`, '--format=custom', `--file=${file}`, ...options, 'postgres')
    run('createdb', database)
    run('pg_restore', '--exit-on-error', `--dbname=${database}`, file)
    execFileSync('rm', [file])
  }

  test('while it may only be read, appends wait, and are written once when it may be written again', async () => {
    const { store, kinds } = await open(postgres.url('read_only'))
    await written(store, 'one')
    const admin = await connected()
    await admin.query('ALTER SYSTEM SET default_transaction_read_only = on')
    await admin.query('SELECT pg_reload_conf()')
    // A session takes up the setting with the next statement.
    const isReadOnly = async () =>
      (await admin.query('SHOW transaction_read_only')).rows[0]?.transaction_read_only === 'on'
    while (!(await isReadOnly())) {}
    // Those of the store may not have heard of it yet; new ones begin with it.
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()')

    const appending = written(store, 'two')
    await until(() => kinds().includes('database-away'), 'the report')
    expect(await labels(store)).toEqual(['one'])
    await admin.query('SET default_transaction_read_only = off')
    await admin.query('ALTER SYSTEM RESET default_transaction_read_only')
    await admin.query('SELECT pg_reload_conf()')

    expect((await appending)[0]).toMatchObject({ outcome: 'written', sequence: 2 })
    expect(await labels(store)).toEqual(['one', 'two'])
    expect(kinds().at(-1)).toBe('database-back')
  })

  test('when it has no connection left, appends wait for one', async () => {
    const { store, kinds } = await open(postgres.url('crowded'))
    await written(store, 'one')
    const admin = await connected()
    const others: Client[] = []
    const crowd = async () => {
      for (let i = 0; i < connectionsMax; i++) {
        const other = new Client({
          connectionString: `postgres://chorus@127.0.0.1:${postgres.port}/postgres`
        })
        // Those that are ended by the server say so.
        other.on('error', () => {})
        const isIn = await other.connect().then(
          () => true,
          () => false
        )
        if (!isIn) return
        others.push(other)
      }
    }
    const endOthers = () => Promise.all(others.splice(0).map(other => other.end()))
    onTestFinished(() => endOthers().then(() => {}))
    await crowd()
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'y-chorus'"
    )
    const isGone = async () => {
      const count = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'y-chorus'"
      return (await admin.query(count)).rows[0]?.n === 0
    }
    while (!(await isGone())) {}
    await crowd()

    const appending = written(store, 'two')
    await until(() => kinds().includes('database-away'), 'the report')
    await endOthers()

    expect((await appending)[0]).toMatchObject({ outcome: 'written', sequence: 2 })
    expect(await labels(store)).toEqual(['one', 'two'])
  })
})
