/** `npm run bench`: reads the command line, installs what is to be measured, runs, prints, keeps the results. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCampaign } from './campaign.js'
import { commit, machine, versions } from './machine.js'
import { readOptions, UsageError } from './options.js'
import { ensureBuilt, ensurePeers } from './peers.js'
import { writeReport } from './report.js'
import { servers } from './servers/table.js'
import { barLine, repetitionLine, scenarioTable } from './text.js'

const repository = fileURLToPath(new URL('..', import.meta.url))
const resultsDirectory = fileURLToPath(new URL('results', import.meta.url))
const say = text => process.stdout.write(`${text}\n`)

async function main(argv) {
  const options = readOptions(argv)
  if (options.action === 'print') return say(options.text)
  if (options.action === 'report') return say(writeReport(resolve(options.out ?? resultsDirectory)))
  prepare(options)
  const started = new Date()
  const about = { date: started.toISOString(), commit: commit(), machine: machine(), versions: versions() }
  say(
    `${about.machine.cpu}, ${about.machine.cores} cores, load ${about.machine.load.toFixed(1)}, commit ${about.commit}`
  )
  const results = await runCampaign(options, repetition => say(repetitionLine(repetition)))
  const { repeats, isQuick, trace } = options
  for (const result of results) say(`\n${scenarioTable(result)}`)
  if (options.out !== null)
    keep({ ...about, repeats, isQuick, trace, results }, options.out ?? resultsDirectory)
  conclude(results)
}

function prepare({ scenarios, servers: names }) {
  const needed = new Set(scenarios.flatMap(scenario => scenario.servers.filter(name => names.includes(name))))
  if ([...needed].some(name => servers[name].isPeer)) ensurePeers(say)
  if (needed.has('chorus') || needed.has('chorus-hocuspocus')) ensureBuilt()
}

function keep(run, directory) {
  mkdirSync(directory, { recursive: true })
  const file = join(resolve(directory), `${run.date.slice(0, 19).replaceAll(':', '-')}.json`)
  // Errors name files: where this repository lies is nobody's business.
  const text = JSON.stringify(run, null, 2).replaceAll(`file://${repository}`, '').replaceAll(repository, '')
  writeFileSync(file, `${text}\n`)
  say(`\nresults: ${file}`)
}

function conclude(results) {
  const problems = results.flatMap(({ scenario, problems: found }) =>
    Object.entries(found).map(([server, list]) => `${scenario}, ${server}: ${list[0].split('\n')[0]}`)
  )
  const missed = results.flatMap(({ scenario, bars }) =>
    bars.filter(({ isMet }) => isMet === false).map(bar => `${scenario}: ${barLine(bar)}`)
  )
  say(`\n${missed.length === 0 ? 'no bar missed' : `bars missed:\n  ${missed.join('\n  ')}`}`)
  if (problems.length === 0) return
  say(`wrong answers:\n  ${problems.join('\n  ')}`)
  if (problems.some(line => line.includes(', chorus:'))) process.exitCode = 1
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  say(`${error.message}\nnpm run bench -- --help`)
  process.exitCode = 2
}
