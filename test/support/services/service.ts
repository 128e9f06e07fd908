/**
 * Real services for tests: each in a temporary directory, on a free port of the loopback address, ended by its process id.
 * Where one is not installed its tests are skipped loudly; with CI=true they fail.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export type Service = {
  readonly port: number
  readonly url: string
  /** The process itself. It is another one after a restart. */
  pid(): number
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** SIGKILL; resolves when it has gone. */
  kill(): Promise<void>
  /** The same port, with nothing kept. Resolves when it takes connections. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Null, and loud, when none of the paths is there; with CI=true it throws. */
export function findService(name: string, paths: readonly string[]): string | null {
  const found = paths.find(path => existsSync(path))
  if (found !== undefined) return found
  const words = `${name} is not installed (looked for ${paths.join(', ')})`
  if (process.env.CI === 'true') throw new Error(`${words}: its tests cannot run`)
  console.warn(`\n*** TESTS SKIPPED: ${words} ***\n`)
  return null
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export function serviceDirectory(name: string): string {
  return mkdtempSync(join(tmpdir(), `chorus-${name}-`))
}

type Launch = {
  readonly command: string
  readonly args: readonly string[]
  readonly directory: string
  readonly port: number
  readonly env?: Readonly<Record<string, string>>
}

/** A process that listens on the port. What it says goes to `log` in its directory, and into the error if it ends. */
export async function launch({ command, args, directory, port, env }: Launch): Promise<ChildProcess> {
  const path = join(directory, 'log')
  const log = openSync(path, 'a')
  const child = spawn(command, args, {
    cwd: directory,
    stdio: ['ignore', log, log],
    ...(env === undefined ? {} : { env: { ...env } })
  })
  closeSync(log)
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', () =>
      reject(new Error(`${command} ended: ${readFileSync(path, 'utf8').slice(-1_000)}`))
    )
  })
  // A test that ends early, or its process, takes the service with it.
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  await Promise.race([failed, untilListening(port)])
  failed.catch(() => {})
  return child
}

export async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** There is no event for this: another process begins to listen when it does. */
async function untilListening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      await delay(20)
    } finally {
      socket.destroy()
    }
  }
}

type SimpleService = {
  readonly name: string
  readonly command: string
  readonly args: (port: number, directory: string) => readonly string[]
  readonly scheme: string
}

/** A service that is one process and keeps nothing. */
export async function startSimple({ name, command, args, scheme }: SimpleService): Promise<Service> {
  const [port, directory] = [await freePort(), serviceDirectory(name)]
  const start = () => launch({ command, args: args(port, directory), directory, port })
  let child = await start()
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await exited(child)
  }
  return {
    port,
    url: `${scheme}://127.0.0.1:${port}`,
    pid: () => child.pid ?? 0,
    signal: signal => void child.kill(signal),
    kill: () => end('SIGKILL'),
    restart: async () => {
      child = await start()
    },
    stop: async () => {
      await end('SIGKILL')
      rmSync(directory, { recursive: true, force: true })
    }
  }
}
