/**
 * Everything CI runs, in order, with live output: types, lint, the whole vitest suite. A step that fails does not keep
 * the next from running. The last line is `N passed, N failed`, with `, N skipped` when some were.
 *
 *   npm test                           everything; types and lint count as one test each
 *   npm test -- test/room.test.ts ...  only these files (or any other arguments of vitest)
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { root } from './run.js'

const tsc = 'node_modules/typescript/bin/tsc'
const steps = [
  {
    name: 'types',
    commands: [
      [tsc, '--noEmit'],
      [tsc, '-p', 'demo', '--noEmit']
    ]
  },
  { name: 'lint', commands: [['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']] }
]

async function main(args) {
  const outcome = { passed: 0, failed: [], skipped: [] }
  if (args.length === 0) for (const step of steps) await check(step, outcome)
  await runVitest(args, outcome)
  list('failed', outcome.failed)
  list('skipped', outcome.skipped)
  const counts = [`${outcome.passed} passed`, `${outcome.failed.length} failed`]
  if (outcome.skipped.length > 0) counts.push(`${outcome.skipped.length} skipped`)
  process.stdout.write(`${counts.join(', ')}\n`)
  process.exitCode = outcome.failed.length > 0 ? 1 : 0
}

async function check({ name, commands }, outcome) {
  title(name)
  let isGood = true
  for (const command of commands) isGood = (await run(command)) && isGood
  if (isGood) outcome.passed += 1
  else outcome.failed.push(name)
}

async function runVitest(args, outcome) {
  title('vitest')
  const directory = mkdtempSync(join(tmpdir(), 'chorus-results-'))
  const file = join(directory, 'results.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${file}`]
  const failuresBefore = outcome.failed.length
  const isGood = await run(['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args])
  const results = readResults(file)
  rmSync(directory, { recursive: true, force: true })
  const ran = results.reduce((count, result) => count + countFile(result, outcome), 0)
  if (outcome.failed.length > failuresBefore) return
  if (ran === 0) outcome.failed.push('vitest ran no test')
  // An unhandled error, a worker that died: vitest knows, and no test does.
  else if (!isGood) outcome.failed.push('vitest itself, see above')
}

/** Adds one file's tests to the outcome; returns how many of them ran. */
function countFile({ name, status, message, assertionResults }, outcome) {
  const file = relative(root, name)
  let ran = 0
  let failures = 0
  for (const { status: state, fullName } of assertionResults) {
    const label = `${file}: ${fullName.trim()}`
    if (state === 'passed') outcome.passed += 1
    else if (state === 'failed') failures = outcome.failed.push(label)
    else outcome.skipped.push(label)
    if (state === 'passed' || state === 'failed') ran += 1
  }
  // A file that could not be loaded, or a hook of it that threw.
  if (status === 'failed' && failures === 0) outcome.failed.push(`${file}: ${message.split('\n')[0]}`)
  return ran
}

/** Empty when vitest ended before it could write any. */
function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults
  } catch {
    // Missing or torn: the caller counts "no test ran".
    return []
  }
}

/** Whether it ended with 0. The command is a script of a package, run by this node. */
async function run(command) {
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = await once(child, 'exit')
  return code === 0
}

function title(name) {
  process.stdout.write(`\n── ${name}\n`)
}

function list(word, names) {
  if (names.length > 0) process.stdout.write(`\n${word}:\n${names.map(name => `  ${name}\n`).join('')}`)
}

await main(process.argv.slice(2))
