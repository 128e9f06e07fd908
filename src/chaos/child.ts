/** A child server: the ordinary command in a process of its own, which may be killed at any moment. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Fault } from '../base/errors.ts'
import type { Time } from '../base/time.ts'

export type Child = {
  readonly pid: number
  /** Where it listens, on 127.0.0.1. */
  readonly port: number
  /** Resolves when the process is gone. Never rejects. */
  readonly exited: Promise<void>
  /** SIGKILL: no handler of the process runs, nothing is flushed. */
  kill(): void
}

type ChildOptions = {
  /** Created by the caller and left to it, unless this process goes first: then the child removes it. */
  readonly data: string
  readonly startMs: number
  readonly time: Time
}

/** The built command, whether this runs from `src` or from `dist/src`: Node 20 does not run TypeScript. */
const leash = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/src/command/leash.js' : '../command/leash.js',
    import.meta.url
  )
)

/** A document of the page is some hundred kilobytes; nobody shall fill the disk with one. */
const childLimits = ['documentBytesMax=16777216', 'roomsMax=50']

/** Resolves when it listens. Rejects with ERR_OVERLOADED when it has not within `startMs`. */
export async function startChild({ data, startMs, time }: ChildOptions): Promise<Child> {
  const settings = ['--host', '127.0.0.1', '--port', '0', '--path', '/', '--log-level', 'error']
  const limits = childLimits.flatMap(limit => ['--limit', limit])
  const child = spawn(process.execPath, [leash, ...settings, ...limits, '--data', data], {
    env: ownEnvironment(),
    // What it has to complain about goes where this server's complaints go.
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const exited = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const cancel = time.after(startMs, () => child.kill('SIGKILL'))
  const port = await listeningPort(child.stdout)
  cancel()
  if (port === null || child.pid === undefined) {
    // Of a process that there is not, Node has no id yet, and would kill all of our own group.
    if (child.pid !== undefined) child.kill('SIGKILL')
    await exited
    throw new Fault('ERR_OVERLOADED', 'the child server did not start')
  }
  return { pid: child.pid, port, exited, kill: () => void child.kill('SIGKILL') }
}

/**
 * Null when its output ended without: it is not there, or was not quick enough. There is none at all where this process
 * may open no more files, whatever the types of Node say.
 */
async function listeningPort(stdout: Readable | undefined): Promise<number | null> {
  if (stdout === undefined) return null
  const lines = createInterface({ input: stdout })
  for await (const line of lines) {
    const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port === undefined) continue
    // Whoever does not read a pipe blocks its writer in the end.
    stdout.resume()
    return Number(port)
  }
  return null
}

/** Without this server's own settings: they would be the child's, too. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const settings = /^(CHORUS_.*|HOST|PORT|YPERSISTENCE)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !settings.test(name)))
}
