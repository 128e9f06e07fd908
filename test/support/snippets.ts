/** The programs that the pages show, as they stand there, and how a test runs one. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { readText } from '../house/source.ts'
import { temporaryDirectory } from './server.ts'

export type Snippet = {
  readonly page: string
  readonly line: number
  readonly code: string
  readonly runsIn: 'node' | 'browser'
}

/** Every fenced block of a page that says it is JavaScript. */
export function snippetsOf(page: string): Snippet[] {
  const text = readText(page)
  return [...text.matchAll(/^```(?:js|javascript|ts|typescript|mjs)\n([\s\S]*?)^```/gm)].map(match => {
    const code = match[1] ?? ''
    return {
      page,
      line: text.slice(0, match.index).split('\n').length + 1,
      code,
      runsIn: code.includes('document.body') ? 'browser' : 'node'
    }
  })
}

export type Run = {
  readonly code: string
  readonly url?: string
  /** The package of this repository that stands for the one that the page imports. */
  readonly packages?: Readonly<Record<string, string>>
}

/**
 * Runs a program as an application that depends on y-chorus would, in an empty directory, and resolves to what it
 * printed. Fixed ports are free ones there, and `url` is the server in place of the one that the page assumes.
 */
export async function run({ code, url = '', packages = {} }: Run): Promise<string> {
  // Inside the package, so that `y-chorus` means this one, by its exports; `dist` is never committed.
  const folder = mkdtempSync(join(import.meta.dirname, '../../dist/snippet-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'main.mjs')
  writeFileSync(file, `${browserGlobals}${onFreePorts(importing(code, packages), url)}`)
  const child = spawn(process.execPath, [file], {
    cwd: temporaryDirectory(),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk))
  const exitCode = await new Promise(resolve => child.once('exit', resolve))
  if (exitCode !== 0) throw new Error(`the snippet ended with ${exitCode}: ${printed}`)
  return printed
}

/** What a page has and Node 20 has not. */
const browserGlobals = "import WebSocketOfTest from 'ws'\nglobalThis.WebSocket ??= WebSocketOfTest\n"

function importing(code: string, packages: NonNullable<Run['packages']>): string {
  return Object.entries(packages).reduce((all, [from, to]) => all.replaceAll(`'${from}'`, `'${to}'`), code)
}

function onFreePorts(code: string, url: string): string {
  return code
    .replaceAll('port: 1234', 'port: 0')
    .replaceAll('.listen(3000)', '.listen(0)')
    .replaceAll("'ws://127.0.0.1:1234'", JSON.stringify(url.replace(/^http/, 'ws')))
    .replaceAll("'http://127.0.0.1:1234/v1/", `'${url}/v1/`)
}
