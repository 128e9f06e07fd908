/**
 * The servers we measure beside, installed into bench/node_modules when first needed. Their install scripts are not
 * run, as they fetch binaries that are not everywhere to be had: Node 24 comes as an npm package, and SQLite is
 * compiled for it here. Not Node 24.19 or later: with its headers better-sqlite3 12, which Hocuspocus depends on, ends
 * the process at the first collection of a statement ("Assertion failed: (env) != nullptr").
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const modules = join(here, 'node_modules')
const node24 = join(modules, 'node/bin/node')
const wanted = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')).dependencies
/** Says for which Node SQLite was compiled. */
const builtFor = join(modules, 'better-sqlite3/build/built-for')

export function ensurePeers(say) {
  let isInstalled = false
  const steps = [
    {
      isDone: () =>
        installedVersion('@hocuspocus/extension-redis') !== null && installedVersion('node') === wanted.node,
      text: 'the other servers, from npm (once)',
      run: () => npm(['install', '--prefix', here, '--ignore-scripts', '--no-audit', '--no-fund'])
    },
    {
      isDone: () =>
        spawnSync(node24, ['--version'], { encoding: 'utf8' }).stdout?.trim() === `v${wanted.node}`,
      text: 'Node 24, for Hocuspocus (once)',
      run: () => run(process.execPath, ['installArchSpecificPackage'], join(modules, 'node'))
    },
    {
      isDone: hasSqlite,
      text: 'SQLite for Node 24, compiled here (once; about two minutes)',
      run: buildSqlite
    }
  ]
  for (const [index, { isDone, text, run: step }] of steps.entries()) {
    if (isDone()) continue
    say(`installing ${index + 1}/${steps.length}: ${text}`)
    step()
    if (!isDone()) throw new Error(`could not install: ${text}`)
    isInstalled = true
  }
  return isInstalled
}

/** Builds what is measured, if its sources are newer. */
export function ensureBuilt() {
  run(process.execPath, ['scripts/setup.js', 'start'], join(here, '..'))
}

function installedVersion(name) {
  const file = join(modules, name, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : null
}

function hasSqlite() {
  if (!existsSync(builtFor) || readFileSync(builtFor, 'utf8') !== wanted.node) return false
  const opens = "new (require('better-sqlite3'))(':memory:')"
  return spawnSync(node24, ['-e', opens], { cwd: here, stdio: 'ignore' }).status === 0
}

/** The headers lie beside the binary in its package: node-gyp has nothing to download. */
function buildSqlite() {
  const packages = join(modules, 'node/node_modules')
  const archPackage = readdirSync(packages).find(name => existsSync(join(packages, name, 'include/node')))
  const nodeGyp = join(dirname(npmProgram()), '../node_modules/node-gyp/bin/node-gyp.js')
  const parameters = [nodeGyp, 'rebuild', '--release', '--nodedir', join(packages, archPackage ?? '')]
  run(node24, parameters, join(modules, 'better-sqlite3'))
  writeFileSync(builtFor, wanted.node)
}

function npm(parameters) {
  run(process.execPath, [npmProgram(), ...parameters], here)
}

/** npm's own script; under `npm run` it says where that is. */
function npmProgram() {
  const candidates = [
    process.env.npm_execpath,
    join(dirname(process.execPath), '../lib/node_modules/npm/bin/npm-cli.js')
  ]
  const program = candidates.find(path => path?.endsWith('.js') && existsSync(path))
  if (program === undefined) throw new Error('npm was not found: start this with npm run bench')
  return program
}

/** Quiet unless it fails. */
function run(command, parameters, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 26
  })
  if (status === 0) return
  throw new Error(
    `${command} ${parameters.join(' ')} failed: ${error?.message ?? `${stdout}\n${stderr}`.slice(-2000)}`
  )
}
