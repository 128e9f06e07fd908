/** Builds what tests run outside of vitest: the compaction worker and the command. Skips what is up to date. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

export default function build(): void {
  if (newest('src', 'persistence') > newest('dist'))
    run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json')
  if (newest('demo/src', 'demo/index.html', 'demo/public') > newest('demo/dist')) {
    run('node_modules/vite/bin/vite.js', 'build', 'demo', '--logLevel', 'warn')
  }
}

function run(...args: readonly string[]): void {
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
}

/** The latest modification time below these paths, in milliseconds; 0 when nothing is there. */
function newest(...paths: readonly string[]): number {
  let latest = 0
  for (const path of paths.map(each => join(root, each))) {
    if (!existsSync(path)) continue
    const files = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, withFileTypes: true })
      : []
    const names = files.filter(file => file.isFile()).map(file => join(file.parentPath, file.name))
    for (const name of files.length === 0 ? [path] : names) latest = Math.max(latest, statSync(name).mtimeMs)
  }
  return latest
}
