// Where the browser is, and how it is started. It must not know what is tested.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const macPaths = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
]

// `--no-sandbox`: in containers the tests run as root. The rest keeps the browser from calling home.
const launchArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

/**
 * Returns the path of an installed Chromium or Chrome (`CHROMIUM_PATH` first), or null. Without one the browser tests
 * are skipped with a warning nobody can miss; with `CI=true` this throws instead, so that CI never passes by skipping.
 */
export function findChromium(): string | null {
  const found = candidates().find(isExecutable)
  if (found !== undefined) return found
  const words = `no Chromium found (looked for CHROMIUM_PATH and ${names.join(', ')} in PATH)`
  if (process.env.CI === 'true') throw new Error(`${words}: the browser tests cannot run`)
  console.warn(`\n*** BROWSER TESTS SKIPPED: ${words} ***\n`)
  return null
}

/** Starts a headless browser with a profile of its own, deleted when it is closed. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: launchArguments })
}

function candidates(): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  const inPath = folders.flatMap(folder => names.map(name => join(folder, name)))
  const given = process.env.CHROMIUM_PATH
  return [...(given === undefined ? [] : [given]), ...inPath, ...macPaths]
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not ours to run: the next candidate.
    return false
  }
}
