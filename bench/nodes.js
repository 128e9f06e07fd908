/**
 * What several nodes cost and how long an update takes from one to another: one room, its people spread over the nodes, a few
 * of whom type. Prints a line for each arrangement: CPU time of the nodes (not of services) for each delivered update, times
 * of deliveries within a node and to another one, and what is wrong with the text in the end. All nodes share one core.
 *
 *   node bench/nodes.js [--seconds 10] [--people 90] [--writers 6] [--rate 60] [--kill] [arrangement ...]
 *   node bench/nodes.js --hot [--documents 1000] [--quiet-rate 100] [--rate 300] [arrangement ...]
 *   node bench/nodes.js --costs [--documents 1000] [--quiet-rate 100] [arrangement ...]
 *   node bench/nodes.js --help
 *
 * With --kill the first node is killed in the middle, and the line says how many of the updates are lost that others had
 * been sent or were acknowledged. With --hot: what a document with writers on all nodes does to many quiet ones beside it,
 * measured twice without it and twice with it. With --costs: CPU time and bytes for each open document and each record, of
 * nodes, of PostgreSQL and of Redis.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { closeClients, openClients } from './load/client.js'
import { Deliveries } from './load/deliveries.js'
import { Latency } from './load/latency.js'
import { delay, pace } from './load/pace.js'
import { missingFrom } from './load/real-client.js'
import { framesOf, typeTexts } from './load/typing.js'
import { arrangements } from './nodes/arrangements.js'
import { killed } from './nodes/kill.js'
import { besideHot, costs } from './nodes/quiet.js'
import { Services } from './nodes/services.js'
import { ensureBuilt, ensurePeers } from './peers.js'
import { arrived } from './scenarios/fan-out.js'
import { startServer } from './server-process.js'

const room = 'nodes'
const warmUpSeconds = 3
const say = text => process.stdout.write(`${text}\n`)

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      people: { type: 'string', default: '90' },
      writers: { type: 'string', default: '6' },
      rate: { type: 'string', default: '60' },
      kill: { type: 'boolean', default: false },
      hot: { type: 'boolean', default: false },
      costs: { type: 'boolean', default: false },
      documents: { type: 'string', default: '1000' },
      'quiet-rate': { type: 'string', default: '100' },
      help: { type: 'boolean', short: 'h', default: false }
    },
    allowPositionals: true
  })
  const names = positionals.length > 0 ? positionals : Object.keys(arrangements)
  const unknown = names.find(name => !(name in arrangements))
  if (values.help || unknown !== undefined) return say(usage(unknown))
  ensureBuilt()
  // Another Yjs is found from now on than this process has loaded: it begins anew.
  if (names.some(name => arrangements[name].isPeer) && ensurePeers(say)) return again()
  const load = {
    seconds: Number(values.seconds),
    people: Number(values.people),
    writers: Number(values.writers),
    rate: Number(values.rate),
    documents: Number(values.documents),
    quietRate: Number(values['quiet-rate'])
  }
  const measured = async (name, parts) => line(name, await measure(parts))
  const run = values.kill ? killed : values.hot ? besideHot : values.costs ? costs : measured
  const services = new Services()
  try {
    for (const [i, name] of names.entries()) {
      await withNodes(arrangements[name], { services, schema: `bench_${i}` }, async nodes => {
        say(await run(name, { nodes, dialect: arrangements[name].dialect, load, services }))
      })
    }
  } finally {
    await services.stop()
  }
}

function again() {
  const { status } = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

function usage(unknown) {
  const list = Object.entries(arrangements).map(([name, { title }]) => `  ${name.padEnd(18)} ${title}`)
  const problem = unknown === undefined ? [] : [`unknown: ${unknown}`, '']
  const uses = [
    'node bench/nodes.js [--seconds 10] [--people 90] [--writers 6] [--rate 60] [--kill] [arrangement ...]',
    'node bench/nodes.js --hot [--documents 1000] [--quiet-rate 100] [--rate 300] [arrangement ...]',
    'node bench/nodes.js --costs [--documents 1000] [--quiet-rate 100] [arrangement ...]'
  ]
  return [...problem, ...uses, '', 'Arrangements (all by default):', ...list].join('\n')
}

/** Starts the nodes, and ends them whatever happens. */
async function withNodes(arrangement, { services, schema }, use) {
  const directory = await mkdtemp(join(tmpdir(), 'chorus-nodes-'))
  const { count, node = process.execPath } = arrangement
  const nodes = []
  try {
    const program = await arrangement.program({ services, directory, schema })
    for (let i = 0; i < count; i++) {
      nodes.push(await startServer({ node, program: () => program }, { data: directory }))
    }
    await use(nodes)
  } finally {
    await Promise.all(nodes.map(each => each.stop()))
    await rm(directory, { recursive: true, force: true })
  }
}

async function measure({ nodes, dialect, load }) {
  const { seconds, people, writers, rate } = load
  const perWriter = Math.ceil((rate * (seconds + warmUpSeconds)) / writers) + 1
  const texts = typeTexts({ writers, perWriter })
  const frames = texts.map(text => framesOf(text, dialect, room))
  const deliveries = new Deliveries({ writers, perWriter })
  const times = { within: new Latency(), crossing: new Latency() }
  // Writers come first, one on each node after the other.
  const nodeOf = index => index % nodes.length
  const clients = await openClients(people, 20, index => ({
    port: nodes[nodeOf(index)].port,
    dialect,
    room,
    onUpdate: deliveries.receiver(index < writers ? index : -1, writer =>
      nodeOf(writer) === nodeOf(index) ? times.within : times.crossing
    )
  }))
  const sent = new Uint32Array(writers)
  const step = index => {
    const writer = index % writers
    deliveries.sending(writer, { isReceiver: true })
    clients[writer].send(frames[writer][sent[writer]++])
  }
  const cpuMs = () => nodes.reduce((sum, each) => sum + each.cpuMs(), 0)
  await delay(1_000)
  deliveries.measure(false)
  await pace({ perSecond: rate, total: rate * warmUpSeconds, step })
  await arrived(deliveries)
  deliveries.measure(true)
  const before = { cpu: cpuMs(), count: deliveries.count }
  await pace({ perSecond: rate, total: rate * seconds, step })
  await arrived(deliveries)
  const cpuUs = (1_000 * (cpuMs() - before.cpu)) / (deliveries.count - before.count)
  const clocks = texts.map(({ clientID }, writer) => [clientID, sent[writer]])
  const missing = []
  for (const { port } of nodes) missing.push(await missingFrom({ port, dialect, room, clocks }))
  closeClients(clients)
  return { cpuUs, times, gaps: deliveries.gaps, missing: missing.filter(each => each !== null) }
}

function line(name, { cpuUs, times, gaps, missing }) {
  const { within, crossing } = times
  const figures = [`${name.padEnd(18)} ${cpuUs.toFixed(1)} µs a delivery`, `within ${shown(within)}`]
  if (crossing.count > 0) figures.push(`crossing ${shown(crossing)}`)
  if (gaps > 0) figures.push(`${gaps} out of order`)
  return [...figures, ...missing].join('  ')
}

function shown(latency) {
  const { p50Ms, p99Ms, maxMs } = latency.figures()
  return `p50 ${p50Ms} p99 ${p99Ms} max ${maxMs} ms`
}

await main()
