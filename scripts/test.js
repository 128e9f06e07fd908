/**
 * Everything CI runs, in order, with live output: types, lint, the whole vitest suite. A step that fails does not keep
 * the next from running. Test files that fail are run once more, alone; what passes then is listed as unsteady. The last
 * line is `N passed, N failed`, with `, N skipped` when some were.
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
      [tsc, '-p', 'client', '--noEmit'],
      [tsc, '-p', 'demo', '--noEmit']
    ]
  },
  { name: 'lint', commands: [['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']] }
]

/** So many test files that fail are run again. If it is more, the machine is not to blame. */
const repeatedMax = 12

async function main(args) {
  const outcome = { passed: 0, failed: [], skipped: [], unsteady: [] }
  if (args.length === 0) for (const step of steps) await check(step, outcome)
  await runVitest(args, outcome)
  list('failed', outcome.failed)
  list('skipped', outcome.skipped)
  list(
    'unsteady (failed beside other tests, passed alone: each is a fault of a test or of the server)',
    outcome.unsteady
  )
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
  const first = await vitest(args)
  const failedFiles = first.results.filter(hasFailed)
  const again = failedFiles.length === 0 ? null : await repeat(failedFiles)
  const results = again === null ? first.results : merged(first.results, again.results, outcome)
  const failuresBefore = outcome.failed.length
  const ran = results.reduce((count, result) => count + countFile(result, outcome), 0)
  if (outcome.failed.length > failuresBefore) return
  if (ran === 0) outcome.failed.push('vitest ran no test')
  // An unhandled error, a worker that died: vitest knows, and no test does.
  else if (!(again ?? first).isGood) outcome.failed.push('vitest itself, see above')
}

/**
 * Three test files at a time on two cores, beside databases and browsers: now and then something takes longer than any
 * bound. So files that fail are run once more, one at a time. A fault of the code fails again; what does not is named.
 * Null: too many failed.
 */
async function repeat(results) {
  if (results.length > repeatedMax) return null
  title(`once more, one at a time: ${results.length} files that failed`)
  return vitest(['--maxWorkers=1', ...results.map(({ name }) => relative(root, name))])
}

async function vitest(args) {
  const directory = mkdtempSync(join(tmpdir(), 'chorus-results-'))
  const file = join(directory, 'results.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${file}`]
  const isGood = await run(['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args])
  const results = readResults(file)
  rmSync(directory, { recursive: true, force: true })
  return { isGood, results }
}

function hasFailed({ status, assertionResults }) {
  return status === 'failed' || assertionResults.some(({ status: state }) => state === 'failed')
}

/** The later results where there are any. Notes what failed in the first ones only. */
function merged(first, again, outcome) {
  const later = new Map(again.map(result => [result.name, result]))
  return first.map(result => {
    const second = later.get(result.name)
    if (second === undefined) return result
    if (!hasFailed(second)) outcome.unsteady.push(...failuresOf(result))
    return second
  })
}

function failuresOf({ name, message, assertionResults }) {
  const file = relative(root, name)
  const tests = assertionResults.filter(({ status }) => status === 'failed')
  if (tests.length === 0) return [`${file}: ${message.split('\n')[0]}`]
  return tests.map(({ fullName }) => `${file}: ${fullName.trim()}`)
}

/** Adds one file's tests to the outcome; returns how many of them ran. */
function countFile(result, outcome) {
  const file = relative(root, result.name)
  let ran = 0
  for (const { status, fullName } of result.assertionResults) {
    if (status === 'passed') outcome.passed += 1
    else if (status !== 'failed') outcome.skipped.push(`${file}: ${fullName.trim()}`)
    if (status === 'passed' || status === 'failed') ran += 1
  }
  // With none of them failed it is a file that could not be loaded, or a hook of it that threw.
  if (hasFailed(result)) outcome.failed.push(...failuresOf(result))
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
