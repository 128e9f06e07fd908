/** Builds what tests run outside of vitest (the compaction worker, the command, the demo), if it is out of date. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export default function build(): void {
  execFileSync(process.execPath, ['scripts/setup.js', 'build'], { cwd: root, stdio: 'inherit' })
}
