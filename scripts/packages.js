/** Installs the npm packages when node_modules is not what package-lock.json says. */
import { accessSync, constants, existsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { readJson, root, runQuietly, say } from './run.js'

// The server's own build needs the development packages too, whatever NODE_ENV or the user's npm settings say.
const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error']

export function ensurePackages() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) {
    say('installing the npm packages (the first time only, about a minute)')
    npm('ci')
  } else if (!isInstalled()) {
    say('bringing the npm packages up to date with package-lock.json')
    npm('install')
  }
}

/** By content, not by time: npm leaves beside the packages a lockfile of what it really installed. */
function isInstalled() {
  const { packages: wanted } = readJson('package-lock.json')
  const { packages: present } = readJson('node_modules/.package-lock.json')
  if (!isLockCurrent(wanted[''])) return false
  return Object.entries(wanted).every(([path, { version, optional, devOptional, peer }]) => {
    if (path === '') return true
    const found = present[path]
    // Optional packages are for other platforms; npm leaves them out.
    if (found === undefined) return optional === true || devOptional === true || peer === true
    return found.version === version && existsSync(join(root, path))
  })
}

/** Whether the lockfile was written for the package.json beside it. */
function isLockCurrent(locked) {
  const own = readJson('package.json')
  return ['dependencies', 'devDependencies'].every(kind => {
    const entries = Object.entries(own[kind] ?? {})
    const before = locked[kind] ?? {}
    return (
      entries.length === Object.keys(before).length &&
      entries.every(([name, range]) => before[name] === range)
    )
  })
}

function npm(command) {
  const args = [command, ...quiet, ...cacheArguments()]
  const problem = `npm ${command} failed; the lines above say why`
  const script = process.env.npm_execpath
  if (script?.endsWith('.js')) {
    runQuietly(process.execPath, [script, ...args], { problem })
  } else {
    // On Windows npm is a batch file, which only a shell can run.
    runQuietly('npm', args, { problem, shell: process.platform === 'win32' })
  }
}

/** Without a home directory to write to, npm's cache goes to the temporary one. */
function cacheArguments() {
  const home = process.env.HOME === '' ? '' : homedir()
  try {
    if (!isAbsolute(home)) throw new Error('no home')
    accessSync(home, constants.W_OK)
    return []
  } catch {
    // Missing or not ours: both mean that npm cannot keep its cache there.
    return ['--cache', join(tmpdir(), 'chorus-npm-cache')]
  }
}
