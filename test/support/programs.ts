/**
 * Programs from npm that only a few tests run: other versions of Node, Deno, Bun. Installed when a test first asks for
 * one, as everybody else can do without. Their packages are the bare files: no script of theirs runs.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../house/source.ts'

type Program = { readonly spec: string; readonly file: string }

const arch64 = process.arch === 'arm64' ? 'aarch64' : 'x64'
const denoSystem =
  process.platform === 'linux' ? `linux-${process.arch}-glibc` : `${process.platform}-${process.arch}`

const programs = {
  node22: { spec: `node-${process.platform}-${process.arch}@22.23.3`, file: 'bin/node' },
  node24: { spec: `node-${process.platform}-${process.arch}@24.21.0`, file: 'bin/node' },
  deno: { spec: `@deno/${denoSystem}@2.9.6`, file: 'deno' },
  bun: { spec: `@oven/bun-${process.platform}-${arch64}@1.4.5`, file: 'bin/bun' }
} as const satisfies Record<string, Program>

export type ProgramName = keyof typeof programs

const kept = join(root, 'node_modules/.cache/y-chorus/programs')

/**
 * Where the program is. Null, and loud, when it cannot be had from npm; on CI that is a failure, so that nothing passes
 * there by being skipped.
 */
export async function program(name: ProgramName): Promise<string | null> {
  const { spec, file } = programs[name]
  const place = join(kept, spec.replaceAll('/', '+'))
  const path = join(place, 'node_modules', spec.slice(0, spec.lastIndexOf('@')), file)
  if (existsSync(path)) return path
  return orLoudly(name, async () => {
    mkdirSync(kept, { recursive: true })
    const fresh = mkdtempSync(join(kept, 'new-'))
    await npmInstall(fresh, [spec])
    rmSync(place, { recursive: true, force: true })
    renameSync(fresh, place)
    return path
  })
}

/** Packages by their bare files into a directory, without a lockfile. Rejects when they cannot be had. */
export async function npmInstall(directory: string, specs: readonly string[]): Promise<void> {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline', '--no-package-lock']
  const args = ['install', ...specs, '--prefix', directory, '--ignore-scripts', ...quiet]
  await promisify(execFile)('npm', args, { timeout: 300_000 })
}

/** Null when it cannot be had, which nobody shall miss; on CI that is a failure. */
export async function orLoudly<T>(what: string, get: () => Promise<T>): Promise<T | null> {
  try {
    return await get()
  } catch (error) {
    if (process.env.CI === 'true') throw error
    console.warn(`\n*** NOT TESTED: ${what} could not be had from npm: ${String(error)} ***\n`)
    return null
  }
}
