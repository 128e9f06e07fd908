/**
 * Deterministic simulation of the server and its clients: one process, virtual time, everything from a seed.
 *
 *   npm run simulate                            a minute of runs, from a random seed on
 *   npm run simulate -- --seed 7 --minutes 10   seed 7, 8, 9 … for ten minutes
 *   npm run simulate -- --seed 7 --runs 1       only seed 7, again
 *   npm run simulate -- --nodes 3               several nodes on one database; 1: one server on a disk of its own
 *   npm run simulate -- --histories             only runs in which documents keep a history
 *   npm run simulate -- --seed 7 --plant 2      with bug number 2 put in on purpose
 *   npm run simulate -- --seed 7 --runs 1 --lines 9999
 *
 * Without --nodes each seed is run with one server, and then with three nodes. Stops at the first run that finds something wrong, and prints its last events (400, or --lines) and the command that
 * repeats it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { isMain, root, say } from './run.js'

const directory = join(root, 'node_modules/.cache/y-chorus/simulation')

const nodesUsual = 3

const options = {
  seed: { type: 'string' },
  minutes: { type: 'string', default: '1' },
  runs: { type: 'string' },
  nodes: { type: 'string' },
  plant: { type: 'string' },
  histories: { type: 'boolean', default: false },
  lines: { type: 'string', default: '400' },
  help: { type: 'boolean', short: 'h', default: false }
}

async function main(args) {
  const { values } = parseArgs({ args, options })
  if (values.help) return printUsage()
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const untilMs = Date.now() + 60_000 * Number(values.minutes)
  const runsMax = Number(values.runs ?? Number.POSITIVE_INFINITY)
  process.env.LINES = values.lines
  const { simulate, plants: ofOne, fleetPlants: ofSeveral, pastPlants: ofHistories, ...more } = await load()
  const plants = { ...ofOne, ...ofSeveral, ...ofHistories }
  const name = values.plant === undefined ? undefined : Object.keys(plants)[Number(values.plant) - 1]
  if (values.plant !== undefined && name === undefined) throw new Error(listOf(plants))
  say(`simulating from seed ${seed} on${name === undefined ? '' : `; planted: ${name}`}`)
  const isOfSeveral = name !== undefined && (name in ofSeveral || more.ofSeveralNodes.has(name))
  const usual = name === undefined ? [1, nodesUsual] : isOfSeveral ? [nodesUsual] : [1]
  const kinds = values.nodes === undefined ? usual : [Number(values.nodes)]
  const isWanted = at => !values.histories || more.drawPastPlan(at, 1) !== null
  const outcome = await runAll({ simulate, plant: plants[name], kinds, isWanted, seed, runsMax, untilMs })
  say(outcome.summary)
  process.exitCode = outcome.hasFailed ? 1 : 0
}

async function runAll({ simulate, plant, kinds, isWanted, seed, runsMax, untilMs }) {
  const startMs = performance.now()
  const totals = new Map()
  let runs = 0
  let virtualMs = 0
  let failure = null
  for (let at = seed; failure === null && at < seed + runsMax && (runs === 0 || Date.now() < untilMs); at++) {
    for (const nodes of isWanted(at) ? kinds : []) {
      runs++
      try {
        const result = await simulate(at, { plant, nodes })
        virtualMs += result.virtualMs
        for (const [what, count] of result.counts) totals.set(what, (totals.get(what) ?? 0) + count)
      } catch (error) {
        failure = `--seed ${at} --nodes ${nodes}`
        process.stdout.write(`${error.message}\n`)
        break
      }
    }
  }
  const seconds = (performance.now() - startMs) / 1000
  for (const [what, count] of [...totals].sort())
    process.stdout.write(`${String(count).padStart(12)}  ${what}\n`)
  const speed = `${runs} runs, ${(runs / seconds).toFixed(1)} a second, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours`
  const summary =
    failure === null
      ? `${speed}: nothing wrong`
      : `${speed}; it failed. Again: npm run simulate -- ${failure} --runs 1`
  return { hasFailed: failure !== null, summary }
}

/** Node 20 does not run TypeScript: the runs are bundled first; packages stay where they are. */
async function load() {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    build: {
      ssr: 'test/simulation/main.ts',
      outDir: directory,
      emptyOutDir: true,
      minify: false,
      target: 'node20',
      rolldownOptions: { output: { entryFileNames: 'main.mjs' } }
    }
  })
  return import(pathToFileURL(join(directory, 'main.mjs')).href)
}

function listOf(plants) {
  return Object.keys(plants)
    .map((name, i) => `${i + 1}  ${name}`)
    .join('\n')
}

function printUsage() {
  const [usage = ''] = readFileSync(join(root, 'scripts/simulate.js'), 'utf8').split('*/')
  process.stdout.write(usage.replaceAll(/^[ /]\*+ ?/gm, ''))
}

if (isMain(import.meta.url)) await main(process.argv.slice(2))
