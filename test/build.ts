/**
 * Builds what tests run outside of vitest (the compaction worker, the command, the demo), if it is out of date, and makes
 * the place in which the package of this run lies once a test has asked for it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    packageDirectory: string
  }
}

const root = join(import.meta.dirname, '..')

/** Where a server keeps documents whose maker names no place: a test that forgets to leaves them here. */
const stray = join(root, 'chorus-data')

export default function build({ provide }: TestProject): () => void {
  execFileSync(process.execPath, ['scripts/setup.js', 'stale'], { cwd: root, stdio: 'inherit' })
  const wasThere = existsSync(stray)
  const packages = mkdtempSync(join(tmpdir(), 'chorus-package-'))
  provide('packageDirectory', packages)
  return () => {
    rmSync(packages, { recursive: true, force: true })
    if (!wasThere && existsSync(stray))
      throw new Error(`a test has left ${stray}: name ':memory:' or a directory`)
  }
}
