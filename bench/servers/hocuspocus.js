/**
 * Hocuspocus with its defaults on a free port; with `--data`, its SQLite extension; with `--postgres`, its database extension
 * on a table of documents; with `--redis`, its Redis extension beside.
 */
import { parseArgs } from 'node:util'
import { Server } from '@hocuspocus/server'

const { values } = parseArgs({
  options: { data: { type: 'string' }, postgres: { type: 'string' }, redis: { type: 'string' } }
})

async function extensions({ data, postgres, redis }) {
  const list = []
  if (data !== undefined) {
    const { SQLite } = await import('@hocuspocus/extension-sqlite')
    list.push(new SQLite({ database: data }))
  }
  if (postgres !== undefined) list.push(await databaseOf(postgres))
  if (redis !== undefined) {
    const { Redis } = await import('@hocuspocus/extension-redis')
    const { hostname: host, port } = new URL(redis)
    list.push(new Redis({ host, port: Number(port) }))
  }
  return list
}

/** As its documentation shows it: a document is a row, which is written whole. */
async function databaseOf(url) {
  const { Database } = await import('@hocuspocus/extension-database')
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url.replace(/\?.*/, '') })
  const table = `peer_${new URL(url).searchParams.get('schema')}`
  await pool.query(`create table if not exists ${table} (name text primary key, state bytea not null)`)
  return new Database({
    fetch: async ({ documentName }) => {
      const { rows } = await pool.query(`select state from ${table} where name = $1`, [documentName])
      return rows[0]?.state ?? null
    },
    store: async ({ documentName, state }) => {
      const write = `insert into ${table} values ($1, $2) on conflict (name) do update set state = excluded.state`
      await pool.query(write, [documentName, state])
    }
  })
}

const server = new Server({
  address: '127.0.0.1',
  port: 0,
  quiet: true,
  stopOnSignals: true,
  extensions: await extensions(values)
})
await server.listen()
console.log(`listening on http://127.0.0.1:${server.address.port}`)
