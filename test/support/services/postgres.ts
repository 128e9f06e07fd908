/**
 * A real PostgreSQL in a temporary directory, on a free port of this machine, stopped by its process id. As root it runs
 * as the user `postgres`, because it refuses root. Where it is not installed, tests are skipped and say so; with CI=true
 * that is a failure.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { findPostgres } from '../../../scripts/services.js'

export type Postgres = {
  readonly port: number
  /** An address of a store; each schema is a place of its own. */
  url(schema: string, port?: number): string
  /** Power off: every process of it ends at once. */
  kill(): Promise<void>
  /** Starts it again on the same files. */
  start(): Promise<void>
  /** To every process of it. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Copies its files; it must not run. */
  keepCopy(): void
  /** The files as they were then: a backup of files. It must not run. */
  putCopyBack(): void
  /** Runs SQL with `psql`, all of it in one transaction. Resolves to what it prints; rejects with what it says when it fails. */
  query(sql: string): Promise<string>
  /** What `pg_dump` writes of a schema: SQL that makes it again. */
  dump(schema: string): Promise<string>
  /** A copy of it that follows it through this port; asynchronously, as nobody asks for more. */
  startStandby(port: number): Promise<Postgres>
  /** Ends it and removes its files. */
  stop(): Promise<void>
}

const bin = findPostgres()

/** Why there is no PostgreSQL here, or null. */
export const postgresMissing: string | null =
  bin === null ? 'PostgreSQL is not installed here (Debian: apt-get install postgresql)' : null

if (postgresMissing !== null) {
  if (process.env.CI === 'true') throw new Error(postgresMissing)
  console.warn(`\n*** ${postgresMissing}: its tests are SKIPPED ***\n`)
}

/** `settings`: of postgresql.conf. Files are synced as in production. */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<Postgres> {
  const place = makePlace()
  const init = ['-U', 'chorus', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
  await place.run('initdb', ['-D', place.data, ...init])
  return startServer(place, settings)
}

type Place = {
  readonly directory: string
  readonly data: string
  readonly environment: { owner: { uid: number; gid: number } | null; env: NodeJS.ProcessEnv }
  /** One of PostgreSQL's programs, to its end. Resolves to what it prints; rejects with what it says when it fails. */
  run(program: string, args: readonly string[], input?: string): Promise<string>
}

function makePlace(): Place {
  if (bin === null) throw new Error(postgresMissing ?? '')
  const directory = mkdtempSync(join(tmpdir(), 'chorus-postgres-'))
  const owner = process.getuid?.() === 0 ? ownerOf('postgres') : null
  if (owner !== null) chownSync(directory, owner.uid, owner.gid)
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: directory }
  const run = async (program: string, args: readonly string[], input = '') => {
    const child = spawn(join(bin, program), args, { ...owner, env, cwd: directory })
    const [output, errors] = [text(child.stdout), text(child.stderr)]
    child.stdin.end(input)
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(`${program}: ${await errors}`)
    return output
  }
  return { directory, data: join(directory, 'data'), environment: { owner, env }, run }
}

async function startServer(place: Place, settings: Readonly<Record<string, string>>): Promise<Postgres> {
  const { directory, data } = place
  const copy = join(directory, 'copy')
  const port = await freePort()
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: directory,
    ...settings
  }
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const at = ['-h', '127.0.0.1', '-p', String(port), '-U', 'chorus']

  let server: ChildProcess | null = null
  const start = async () => {
    server = await launchPostgres(place, args, () => isReady(port, place.environment.env))
  }
  const end = async (signal: NodeJS.Signals, also: readonly number[] = []) => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    for (const pid of also) signalQuietly(pid, signal)
    server.kill(signal)
    await gone
  }
  await start()
  return {
    port,
    url: (schema, through = port) => `postgres://chorus@127.0.0.1:${through}/postgres?schema=${schema}`,
    start,
    kill: async () => {
      const pid = server?.pid ?? 0
      // It must not start another process between the look at those it has and its end.
      signalQuietly(pid, 'SIGSTOP')
      const children = childrenOf(pid)
      await end('SIGKILL', children)
      // One that still ends, as in the middle of a sync, holds the memory that the next server wants.
      while (children.some(isRunning)) await new Promise(resolve => setTimeout(resolve, 5))
    },
    signal: name => {
      const pid = server?.pid ?? 0
      for (const each of [pid, ...childrenOf(pid)]) signalQuietly(each, name)
    },
    keepCopy: () => {
      rmSync(copy, { recursive: true, force: true })
      execFileSync('cp', ['-a', data, copy])
    },
    putCopyBack: () => {
      rmSync(data, { recursive: true })
      renameSync(copy, data)
    },
    query: async sql =>
      (
        await place.run('psql', [...at, '-d', 'postgres', '-XAtq1', '-v', 'ON_ERROR_STOP=1', '-f', '-'], sql)
      ).trim(),
    dump: schema => place.run('pg_dump', [...at, '-d', 'postgres', '-n', schema]),
    startStandby: async through => {
      const copied = makePlace()
      await copied.run('pg_basebackup', [...at, '-D', copied.data, '-R', '-c', 'fast', '--no-sync'])
      const primary = `host=127.0.0.1 port=${through} user=chorus`
      return startServer(copied, { ...settings, primary_conninfo: primary })
    },
    stop: async () => {
      // Fast: it does not wait for clients.
      await end('SIGINT')
      rmSync(directory, { recursive: true, force: true })
    }
  }
}

async function launchPostgres(
  { directory, environment: { owner, env } }: Place,
  args: readonly string[],
  isReady: () => boolean
): Promise<ChildProcess> {
  const path = join(directory, 'log')
  const log = openSync(path, 'a')
  const child = spawn(join(bin ?? '', 'postgres'), args, {
    ...owner,
    env,
    cwd: directory,
    stdio: ['ignore', log, log]
  })
  closeSync(log)
  running.add(child)
  child.once('exit', () => running.delete(child))
  while (!isReady()) {
    if (child.exitCode !== null) throw new Error(readFileSync(path, 'utf8').slice(-2000))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return child
}

/** Servers of this process, which must not outlive it. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGQUIT')
})

function ownerOf(user: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function isReady(port: number, env: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync(join(bin ?? '', 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)], {
      stdio: 'ignore',
      env
    })
    return true
  } catch {
    return false
  }
}

function childrenOf(parent: number): number[] {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return all.map(Number).filter(pid => statOf(pid)?.parent === parent)
}

/** Not once it has ended, also when nobody has asked for its end yet. */
function isRunning(pid: number): boolean {
  const state = statOf(pid)?.state ?? 'X'
  return !['Z', 'X'].includes(state)
}

/** Null: there is no such process any more. */
function statOf(pid: number): { readonly state: string | undefined; readonly parent: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, parent: Number(parent) }
  } catch {
    return null
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
