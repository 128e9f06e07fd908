/** Installs the npm packages when node_modules is not what package-lock.json says. */
import { accessSync, constants, existsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { readJson, root, runQuietly, SetupError, say } from './run.js'

const presentLock = 'node_modules/.package-lock.json'

// The server's own build needs the development packages too, whatever NODE_ENV or the user's npm settings say.
const quiet = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error']

export function ensurePackages() {
  const wanted = readJson('package-lock.json').packages
  if (!existsSync(join(root, presentLock))) {
    say('installing the npm packages (the first time only, about a minute)')
    installFresh()
  } else if (!isLockCurrent(wanted[''])) {
    say('package.json has changed: installing its npm packages')
    npm(['install'])
  } else if (!isInstalled(wanted)) {
    say('bringing the npm packages up to date with package-lock.json')
    npm(['install', '--no-save'])
  }
}

/**
 * `npm ci` refuses a lockfile that lacks an optional package of another platform, and npm writes such lockfiles where
 * the registry has no such package. `npm install` takes the same versions from it, without touching it.
 */
function installFresh() {
  try {
    npm(['ci'])
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    const reason = /^npm error ((?:Missing|Invalid): .*)/m.exec(error.output)?.[1] ?? 'see npm ci'
    say(`npm ci refused package-lock.json (${reason}); trying npm install`)
    npm(['install', '--no-save'])
  }
}

/** By content, not by time: npm leaves beside the packages a lockfile of what it really installed. */
function isInstalled(wanted) {
  const { packages: present } = readJson(presentLock)
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
  const args = [...command, ...quiet, ...cacheArguments()]
  const problem = `npm ${command[0]} failed, as said above`
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
