/** The built command, run to its end; and small file systems for it to fill. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const cli = join(import.meta.dirname, '../../dist/command.cjs')

export type Ended = { readonly code: number | null; readonly output: string; readonly errors: string }

/** Runs `y-chorus` with these arguments until it ends. Killed when the test ends. */
export async function runCommand(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  let errors = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  child.stderr.on('data', chunk => {
    errors += String(chunk)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

/**
 * Mounts a file system of that size in memory and unmounts it after the test; null, and loud, where mounting is not
 * allowed. On CI it must be.
 */
export function mountSmall(directory: string, options: string): boolean {
  mkdirSync(directory, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'pipe' })
  } catch (error) {
    if (process.env.CI === 'true') throw error
    console.warn(`NOT TESTED: no file system could be mounted at ${directory}: ${String(error)}`)
    return false
  }
  // Lazily: a process that was killed a moment ago may still hold files.
  onTestFinished(() => void execFileSync('umount', ['-l', directory]))
  return true
}

/** Names and contents of everything below a directory, as one hash. */
export function fingerprint(directory: string): string {
  const hash = createHash('sha256')
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  for (const path of paths.sort()) hash.update(path).update(readFileSync(path))
  return hash.digest('hex')
}
