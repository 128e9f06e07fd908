/** Packages of Debian that tests need, installed where we may: on Debian, as root. */
import { existsSync } from 'node:fs'
import { runQuietly, SetupError, say } from './run.js'

const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }

/** Throws a SetupError where nothing can be installed, and when one fails: after the others were tried. */
export function installPackages(names, purpose) {
  const all = names.join(', ')
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    throw new SetupError(`${all}: not found, and only on Debian as root is it installed`)
  }
  say(`installing ${all} for ${purpose} (the first time only)`)
  runQuietly('apt-get', ['update'], { env, problem: 'apt-get update failed' })
  const failures = names.flatMap(name => failureOf(() => install(name)))
  if (failures[0] !== undefined) throw failures[0]
}

function install(name) {
  const packages = ['install', '-y', '--no-install-recommends', name]
  runQuietly('apt-get', packages, { env, problem: `apt-get install ${name} failed` })
}

function failureOf(work) {
  try {
    work()
    return []
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    return [error]
  }
}
