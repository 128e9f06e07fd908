/** A browser for the browser tests: any Chromium or Chrome, else Debian's package where we may install it. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installPackages } from './debian.js'
import { SetupError, say } from './run.js'

// As test/browser/chromium.ts looks for it.
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const macPaths = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
]

export function ensureChromium() {
  if (isPresent()) return
  try {
    install()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    error.report()
    say('*** NO CHROMIUM: the browser tests cannot run; install one, or set CHROMIUM_PATH ***')
  }
}

function install() {
  installPackages(['chromium'], 'the browser tests')
  if (!isPresent()) throw new SetupError('the chromium package brought no browser')
}

function isPresent() {
  return findChromium() !== null
}

/** The path of an installed Chromium or Chrome, CHROMIUM_PATH first, or null. */
export function findChromium() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  const inPath = folders.flatMap(folder => names.map(name => join(folder, name)))
  return [process.env.CHROMIUM_PATH ?? '', ...inPath, ...macPaths].find(isExecutable) ?? null
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not ours to run: the next candidate.
    return false
  }
}
