/** The package as npm would publish it, installed into an application's directory without a registry. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { inject, onTestFinished } from 'vitest'
import { root } from '../house/source.ts'
import { untilAsync } from './clients.ts'

type Manifest = { readonly dependencies: Readonly<Record<string, string>> }

export type Packed = { readonly tarball: string; readonly files: readonly string[] }

/** Packs a tree as it lies there, built or with `scripts` building it first. `directory` gets the tarball. */
export async function pack(tree: string, directory: string, scripts: 'run' | 'ignore'): Promise<Packed> {
  const args = ['pack', '--json', '--pack-destination', directory]
  if (scripts === 'ignore') args.push('--ignore-scripts')
  const { stdout } = await promisify(execFile)('npm', args, { cwd: tree, maxBuffer: 2 ** 26 })
  // What prepack says comes first; the newest npm has an object by name where the others have a list.
  const answer = JSON.parse(stdout.slice(stdout.search(/^[[{]$/m))) as object
  const [entry] = Object.values(answer) as { filename: string; files: { path: string }[] }[]
  if (entry === undefined) throw new Error(`npm pack answered ${stdout}`)
  return { tarball: join(directory, entry.filename), files: entry.files.map(({ path }) => path) }
}

/** This repository as it is built, packed by the first that asks in this run; the others wait for that. */
export async function packedBuild(): Promise<Packed> {
  const directory = inject('packageDirectory')
  const [done, underWay] = [join(directory, 'packed.json'), join(directory, 'under-way')]
  let packed: Packed | null = null
  const isThere = async () => {
    if (existsSync(done)) packed = JSON.parse(readFileSync(done, 'utf8')) as Packed
    else if (take(underWay)) packed = await packInto(directory, { done, underWay })
    return packed !== null
  }
  await untilAsync(isThere, 'the package')
  return packed as unknown as Packed
}

type Marks = { readonly done: string; readonly underWay: string }

async function packInto(directory: string, { done, underWay }: Marks): Promise<Packed> {
  try {
    const packed = await pack(root, directory, 'ignore')
    writeFileSync(`${done}.new`, JSON.stringify(packed))
    renameSync(`${done}.new`, done)
    return packed
  } finally {
    rmdirSync(underWay)
  }
}

/** Whether this call made the directory: of several processes only one does. */
function take(directory: string): boolean {
  try {
    mkdirSync(directory)
    return true
  } catch {
    // Another one has.
    return false
  }
}

export type Application = {
  readonly directory: string
  /** Runs a program of it to its end and resolves to what it printed, on both streams. Rejects unless it ends well. */
  run(program: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>
}

/**
 * An application that has the package, what the package depends on, and these packages of this repository besides, and
 * no others. Removed after the test.
 */
export function install({ tarball }: Packed, beside: readonly string[]): Application {
  const directory = mkdtempSync(join(tmpdir(), 'chorus-application-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  installInto(directory, tarball, beside)
  return { directory, run: (program, env) => runToEnd(directory, program, env) }
}

export function installInto(directory: string, tarball: string, beside: readonly string[]): void {
  const own = unpackInto(directory, tarball)
  const { dependencies } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as Manifest
  for (const name of new Set([...Object.keys(dependencies), ...beside])) {
    const place = join(directory, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), place)
  }
}

/** The package alone; what it depends on is found further up. Returns where it is. */
export function unpackInto(directory: string, tarball: string): string {
  const own = join(directory, 'node_modules/y-chorus')
  mkdirSync(own, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '-C', own, '--strip-components', '1'])
  return own
}

export async function runToEnd(cwd: string, program: readonly string[], env = {}): Promise<string> {
  const [command = '', ...args] = program
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk))
  const code = await new Promise(resolve => child.once('close', resolve))
  if (code !== 0) throw new Error(`${program.join(' ')} ended with ${code}: ${printed}`)
  return printed
}
