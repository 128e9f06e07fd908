/** What the scripts share: where the repository is, how they speak, and how they run a command. */
import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const shownLinesMax = 40

export const root = fileURLToPath(new URL('..', import.meta.url))

/** What keeps a script from going on, in a sentence for the person who ran it, and what the failed command printed. */
export class SetupError extends Error {
  constructor(message, output = '') {
    super(message)
    this.output = output
  }

  /** The same on standard error, the output first and no longer than a screen. */
  report() {
    const lines = this.output.trimEnd().split('\n').slice(0, shownLinesMax)
    if (this.output !== '') process.stderr.write(`${lines.join('\n')}\n`)
    say(this.message)
  }
}

/** Runs a script's main part; what it cannot go on without ends it with a sentence and exit code 1. */
export async function runScript(main) {
  try {
    await main()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    error.report()
    process.exitCode = 1
  }
}

/** One line to standard error, so that the output of what runs afterwards stays clean. */
export function say(text) {
  process.stderr.write(`chorus: ${text}\n`)
}

/** Whether the module with this URL is the one that node was started with. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url)
}

export function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

/** Null when this version of Node will do, else a sentence. */
export function nodeVersionProblem(version) {
  const wanted = readJson('package.json').engines.node.replace('>=', '')
  const [major, minor] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number)
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return null
  return `Node ${wanted} or newer is needed, and this is ${version}; see https://nodejs.org`
}

/** Runs to its end in silence; when it fails, `problem` is thrown with what it printed. */
export function runQuietly(command, args, { problem, env = process.env, shell = false }) {
  const stdio = ['ignore', 'pipe', 'pipe']
  const options = { cwd: root, env, shell, stdio, encoding: 'utf8', maxBuffer: 2 ** 28 }
  const { status, error, stdout, stderr } = spawnSync(command, args, options)
  if (status === 0) return
  throw new SetupError(
    problem,
    `${stdout ?? ''}${stderr ?? ''}${error === undefined ? '' : `${error.message}\n`}`
  )
}
