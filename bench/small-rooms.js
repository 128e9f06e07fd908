/**
 * What histories cost many small rooms: in each of them somebody types, one letter a record, and leaves; then somebody else
 * does. Without histories and with them, alternating, on LevelDB and on PostgreSQL: memory while all rooms are open and after
 * they have closed, bytes on disk, CPU time. Each room is compacted when it closes, as only ones with long logs are else.
 *
 *   npm run build && node bench/small-rooms.js [--rooms 10000] [--letters 40] [--visits 2] [--rounds 1] [--seed 1] [leveldb] [postgres]
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closeClients, openClients } from './load/client.js'
import { delay, pace } from './load/pace.js'
import { framesOf, typeTexts } from './load/typing.js'
import { yWebsocket } from './load/wire.js'
import { arrangements } from './nodes/arrangements.js'
import { Services } from './nodes/services.js'
import { cpuMsOf, startServer } from './server-process.js'

const lettersPerSecond = 4_000
const abreast = 50
const closedMs = 30 * 60_000
const stores = { leveldb: 'one-level', postgres: 'one-postgres' }
const MiB = 2 ** 20

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rooms: { type: 'string', default: '10000' },
      letters: { type: 'string', default: '40' },
      visits: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' }
    }
  })
  const load = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]))
  const names = positionals.length === 0 ? Object.keys(stores) : positionals
  const unknown = names.find(name => stores[name] === undefined)
  if (unknown !== undefined) throw new Error(`${unknown} is none of ${Object.keys(stores).join(', ')}`)
  const services = new Services()
  try {
    for (const name of names) {
      for (let round = 0; round < load.rounds; round++) {
        for (const history of ['off', 'on']) {
          const figures = await measure({ name, history, load, services, schema: `${history}_${round}` })
          console.log(line({ name, history, load }, figures))
        }
      }
    }
  } finally {
    await services.stop()
  }
}

async function measure({ name, history, load, services, schema }) {
  const directory = await mkdtemp(join(tmpdir(), 'chorus-small-rooms-'))
  const program = await arrangements[stores[name]].program({ services, directory, schema })
  const chosen = history === 'on' ? ['--history', '**'] : []
  const limits = ['compactionRecordsAtClose=1', `roomsMax=${2 * load.rooms}`]
  const all = [...program, ...chosen, ...limits.flatMap(each => ['--limit', each])]
  const server = await startServer({ node: process.execPath, program: () => all }, { data: directory })
  const postgres = name === 'postgres' ? await services.get('postgres') : null
  try {
    const before = await readings({ server, postgres })
    const open = await visitAll(server, load)
    await delay(2_000)
    const after = await readings({ server, postgres })
    const failures = Number(await metric(server, 'chorus_history_failures_total'))
    const segments = Number(await metric(server, 'chorus_history_segments_total'))
    await server.stop()
    const bytes = postgres === null ? await bytesOf(directory) : await bytesOfTables(postgres, schema)
    const spent = key => (after[key] - before[key]) / load.rooms
    return {
      open,
      before,
      after,
      bytes,
      failures,
      segments,
      cpuMs: spent('cpuMs'),
      postgresMs: spent('postgresMs'),
      wal: spent('wal')
    }
  } finally {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Resolves with the memory while all rooms were open the last time, when all are closed. */
async function visitAll(server, { rooms, letters, visits, seed }) {
  const texts = typeTexts({ writers: visits, perWriter: letters, seed })
  let open = null
  for (const text of texts) {
    const frames = framesOf(text, yWebsocket, '')
    const clients = await openClients(rooms, abreast, index => ({
      ...{ port: server.port, dialect: yWebsocket, room: `room-${index}` }
    }))
    const step = index => clients[index % rooms].send(frames[Math.floor(index / rooms)])
    await pace({ perSecond: lettersPerSecond, total: rooms * letters, step })
    await delay(1_000)
    open = await server.memory()
    closeClients(clients)
    await allClosed(server)
  }
  return open
}

async function allClosed(server) {
  const end = performance.now() + closedMs
  while ((await metric(server, 'chorus_rooms')) !== '0') {
    if (performance.now() > end) throw new Error('the rooms do not close')
    await delay(500)
  }
}

async function metric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text()
  return new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? '0'
}

async function readings({ server, postgres }) {
  const memory = await server.memory()
  const cpuMs = server.cpuMs()
  if (postgres === null) return { memory, cpuMs, postgresMs: 0, wal: 0 }
  const text = await postgres.query(
    `SELECT pg_current_wal_lsn() - '0/0', string_agg(pid::text, ',') FROM pg_stat_activity WHERE pid <> pg_backend_pid()`
  )
  const [wal, pids] = text.split('|')
  const postgresMs = pids.split(',').reduce((sum, pid) => sum + cpuOf(Number(pid)), 0)
  return { memory, cpuMs, postgresMs, wal: Number(wal) }
}

function cpuOf(pid) {
  try {
    return cpuMsOf(pid)
  } catch {
    // It has ended.
    return 0
  }
}

async function bytesOf(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(each => each.isFile())
  const sizes = await Promise.all(files.map(each => stat(join(each.parentPath ?? each.path, each.name))))
  return { all: sizes.reduce((sum, { size }) => sum + size, 0), ofHistories: null }
}

async function bytesOfTables(postgres, schema) {
  const text = await postgres.query(
    `SELECT sum(pg_total_relation_size(c.oid)), coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.relname LIKE 'histor%'), 0)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '${schema}' AND c.relkind = 'r'`
  )
  const [all, ofHistories] = text.split('|').map(Number)
  return { all, ofHistories }
}

function line(
  { name, history, load },
  { open, before, after, bytes, failures, segments, cpuMs, postgresMs, wal }
) {
  const perRoom = value => `${(value / load.rooms / 1024).toFixed(1)} KiB`
  const figures = [
    `open ${perRoom(open.kept - before.memory.kept)} a room (resident ${(open.rss / MiB).toFixed(0)} MiB in all)`,
    `closed ${((after.memory.kept - before.memory.kept) / MiB).toFixed(1)} MiB in all`,
    `disk ${perRoom(bytes.all)} a room`,
    `CPU ${cpuMs.toFixed(2)} ms a room`
  ]
  if (bytes.ofHistories !== null) {
    figures.push(
      `of it histories ${perRoom(bytes.ofHistories)}`,
      `PostgreSQL ${postgresMs.toFixed(2)} ms and ${perRoom(wal * load.rooms)} of WAL a room`
    )
  }
  if (history === 'on') figures.push(`${segments} segments`)
  if (failures > 0) figures.push(`${failures} FAILED`)
  return `${name.padEnd(8)} history ${history.padEnd(3)} ${load.rooms} rooms: ${figures.join('; ')}`
}

await main()
