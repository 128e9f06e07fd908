/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { scenarios } from './scenarios/table.js'
import { families, servers } from './servers/table.js'

export class UsageError extends Error {}

const help = `npm run bench -- [options]

Measures Chorus beside other servers on this machine, one after the other, and checks every answer.

  --scenario a,b     only these; a prefix ending in * names several (default: all)
  --servers a,b      of ${families.join(', ')}; or one of
                     ${Object.keys(servers).join(', ')} (default: all)
  --repeats n        repetitions; medians are reported (default: 3, with --quick 1)
  --quick            short phases and small documents: to see that it works, not for figures
  --trace file       an editing trace (.json or .json.gz) for the typing scenarios (default: generated)
  --out directory    where the dated results file goes (default: bench/results, with --quick nowhere)
  --list             the scenarios and their servers
  --report           no run: docs/benchmarks.md and its picture from the latest results file in --out

The other servers are installed into bench/node_modules when they are first needed. A subset of scenarios can be
run at a time: --report takes each scenario from the latest full run that has it.`

export function readOptions(argv) {
  const { values } = parse(argv)
  if (values.help) return { action: 'print', text: help }
  if (values.list) return { action: 'print', text: listing() }
  if (values.report) return { action: 'report', out: values.out }
  const isQuick = values.quick === true
  return {
    action: 'run',
    scenarios: chosenScenarios(values.scenario),
    servers: chosenServers(values.servers),
    repeats: repeatsOf(values.repeats ?? (isQuick ? '1' : '3')),
    isQuick,
    trace: values.trace ?? null,
    out: values.out ?? (isQuick ? null : undefined)
  }
}

function parse(argv) {
  try {
    return parseArgs({
      args: argv,
      options: {
        scenario: { type: 'string' },
        servers: { type: 'string' },
        repeats: { type: 'string' },
        quick: { type: 'boolean' },
        trace: { type: 'string' },
        out: { type: 'string' },
        list: { type: 'boolean' },
        report: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' }
      }
    })
  } catch (error) {
    throw new UsageError(error.message)
  }
}

function listing() {
  return scenarios
    .map(({ name, title, servers: who }) => `${name.padEnd(22)} ${title}\n${' '.repeat(23)}${who.join(', ')}`)
    .join('\n')
}

function chosenScenarios(list) {
  if (list === undefined) return scenarios
  const matches = pattern => {
    const found = scenarios.filter(({ name }) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
    )
    if (found.length === 0) throw new UsageError(`there is no scenario "${pattern}"; --list names them`)
    return found
  }
  const chosen = new Set(list.split(',').flatMap(matches))
  return scenarios.filter(scenario => chosen.has(scenario))
}

function chosenServers(list) {
  const all = Object.values(servers)
  if (list === undefined) return all.map(({ name }) => name)
  const matches = wanted => {
    const found = all.filter(({ name, family }) => name === wanted || family === wanted)
    if (found.length === 0) throw new UsageError(`there is no server "${wanted}": ${families.join(', ')}`)
    return found
  }
  return [...new Set(list.split(',').flatMap(matches))].map(({ name }) => name)
}

function repeatsOf(text) {
  const repeats = Number(text)
  if (!Number.isInteger(repeats) || repeats < 1)
    throw new UsageError(`--repeats takes a number, not "${text}"`)
  return repeats
}
