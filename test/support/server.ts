/** Servers for tests: in this process, ended after each test; or as a child process that can be killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { createLog } from '../../src/base/log.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'

export const quietLog = createLog('silent')

/** A server that listens on a free port, stopped when the test ends. */
export async function startServer(options: ServerOptions = {}): Promise<Server> {
  const server = createServer({ log: quietLog, pages: null, data: ':memory:', ...options })
  await server.listen()
  onTestFinished(() => server.stop())
  return server
}

/** Lets the application's HTTP server listen on a free port; both are stopped when the test ends. Returns its URL. */
export async function listenBeside(httpServer: HttpServer, chorus: Server): Promise<string> {
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  onTestFinished(async () => {
    await chorus.stop()
    httpServer.closeAllConnections()
    await new Promise(resolve => httpServer.close(resolve))
  })
  return `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`
}

/** A directory that is removed when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'chorus-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export type ServerProcess = {
  readonly url: string
  readonly process: ChildProcess
  /** Everything it wrote to standard error so far. */
  readonly errors: () => string
  /** SIGKILL, as a crash; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves to the exit code. */
  terminate(): Promise<number | null>
}

const cli = join(import.meta.dirname, '../../dist/command.cjs')

/** The built command as a child process, ready; killed when the test ends. */
export function spawnServer(
  args: readonly string[],
  { env = {}, openFilesMax }: { env?: Record<string, string>; openFilesMax?: number } = {}
): Promise<ServerProcess> {
  const command = [process.execPath, cli, ...args]
  const bounded = openFilesMax === undefined ? [] : ['sh', '-c', `ulimit -n ${openFilesMax}; exec "$0" "$@"`]
  return spawnCommand([...bounded, ...command], { env })
}

/** Any program that says, as the command does, where it listens. The rest as there. */
export async function spawnCommand(
  command: readonly string[],
  settings: { env?: Record<string, string>; cwd?: string } = {}
): Promise<ServerProcess> {
  return launch(command, settings, child => onTestFinished(() => void child.kill('SIGKILL')))
}

/** The built command, ready, for longer than a test: whoever launches it ends it. `preload`: modules to load before it. */
export function launchServer(
  args: readonly string[],
  { env = {}, preload = [] }: { env?: Record<string, string>; preload?: readonly string[] } = {}
): Promise<ServerProcess> {
  const imports = preload.flatMap(path => ['--import', pathToFileURL(path).href])
  return launch([process.execPath, ...imports, cli, ...args], { env }, child => {
    const end = () => void child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
  })
}

async function launch(
  [program = '', ...operands]: readonly string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string },
  started: (child: ChildProcess) => void
): Promise<ServerProcess> {
  const child = spawn(program, operands, {
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const exited = once(child, 'exit')
  started(child)
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^listening on (http\S+)$/.exec(line)?.[1]
    if (url === undefined) continue
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal)
      return (await exited)[0] as number | null
    }
    return {
      url,
      process: child,
      errors: () => errors,
      kill: async () => void (await end('SIGKILL')),
      terminate: () => end('SIGTERM')
    }
  }
  throw new Error(`the server did not start: ${errors}`)
}
