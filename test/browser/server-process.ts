// The built server as a child process, as a user starts it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type ServerProcess = {
  /** The origin, without a slash at the end. */
  readonly url: string
  /** Asks it to end (SIGTERM) and waits until it has; returns its exit code. */
  stop(): Promise<number | null>
}

const repository = fileURLToPath(new URL('../..', import.meta.url))

type Start = {
  /** 0 picks a free one. */
  readonly port: number
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Starts `dist/src/command/cli.js` and waits for its `listening on` line. */
export async function startServer({ port, args = [], env = {} }: Start): Promise<ServerProcess> {
  const cli = ['dist/src/command/cli.js', '--port', String(port), '--data', ':memory:', ...args]
  const child = spawn(process.execPath, cli, {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const exited = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', chunk => {
    errors += String(chunk)
  })
  const url = await listeningUrl(child.stdout)
  if (url === null) throw new Error(`the server ended before it listened:\n${errors}`)
  // Whoever does not read a pipe blocks its writer in the end.
  child.stdout.resume()
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    }
  }
}

async function listeningUrl(output: NodeJS.ReadableStream): Promise<string | null> {
  const lines = createInterface({ input: output })
  for await (const line of lines) {
    const url = /listening on (http:\/\/[^\s"]+)/.exec(line)?.[1]
    if (url !== undefined) return url.replace(/\/$/, '')
  }
  return null
}
