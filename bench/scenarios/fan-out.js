/** Writers and readers in one room at a fixed rate. */
import { closeClients, openClients } from '../load/client.js'
import { Deliveries } from '../load/deliveries.js'
import { delay, pace, until } from '../load/pace.js'
import { missingFrom } from '../load/real-client.js'
import { framesOf, typeTexts } from '../load/typing.js'

const room = 'fan-out'
export const everyone = ['chorus', 'chorus-hocuspocus', 'relay', 'relay-window', 'y-websocket', 'hocuspocus']

/** Clients of one dialect cost hardly more than those of the other. */
export const eitherDialect = { of: 'chorus-hocuspocus', figure: 'cpuUs', against: ['chorus'], factor: 1.15 }

export const scenarios = [
  {
    name: 'fan-out-100',
    title: 'Fan-out: 5 writers, 100 readers, 100 updates/s',
    servers: everyone,
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { writers: 5, readers: 100, perSecond: 100, seconds: 10, warmUpSeconds: 5 },
    quick: { seconds: 3, warmUpSeconds: 1 },
    bars: [
      { figure: 'cpuUs', against: ['relay'], factor: 1.35 },
      { figure: 'cpuUs', against: ['y-websocket'], factor: 0.95 },
      eitherDialect
    ],
    run: fanOut
  },
  {
    name: 'fan-out-600',
    title: 'Fan-out: 5 writers, 100 readers, 600 updates/s',
    servers: everyone,
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { writers: 5, readers: 100, perSecond: 600, seconds: 10, warmUpSeconds: 5 },
    quick: { seconds: 3, warmUpSeconds: 1 },
    bars: [
      { figure: 'cpuUs', against: ['relay'], factor: 0.4 },
      { figure: 'cpuUs', against: ['relay-window'], factor: 1.15 },
      eitherDialect,
      { figure: 'p99Ms', max: 20 }
    ],
    run: fanOut
  },
  {
    name: 'all-writing',
    title: 'All writing: 50 writers, 500 updates/s',
    servers: everyone,
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { writers: 50, readers: 0, perSecond: 500, seconds: 10, warmUpSeconds: 5 },
    quick: { seconds: 3, warmUpSeconds: 1 },
    bars: [{ figure: 'cpuUs', against: ['relay'], factor: 1.1 }, eitherDialect, { figure: 'p99Ms', max: 20 }],
    run: fanOut
  },
  {
    name: 'busy-room-fixed',
    title: 'Busy room: 10 writers, 90 readers, 0.5 M deliveries/s',
    servers: everyone,
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { writers: 10, readers: 90, perSecond: 5050, seconds: 8, warmUpSeconds: 5 },
    quick: { seconds: 3, warmUpSeconds: 1 },
    bars: [{ figure: 'cpuUs', against: ['hocuspocus'], factor: 0.6 }],
    run: fanOut
  }
]

/** Also of use to other scenarios: a room with writers and readers, ready to type. */
export async function openRoom({ port, dialect, writers, readers, perWriter, name = room }) {
  const texts = typeTexts({ writers, perWriter })
  const frames = texts.map(text => framesOf(text, dialect, name))
  const deliveries = new Deliveries({ writers, perWriter })
  const fail = { error: null }
  const clients = await openClients(writers + readers, 20, index => ({
    port,
    dialect,
    room: name,
    onUpdate: deliveries.receiver(index < writers ? index : -1),
    onClosed: error => {
      fail.error ??= error
    }
  }))
  const sent = new Uint32Array(writers)
  const typeNext = index => {
    if (fail.error !== null) throw fail.error
    const writer = index % writers
    deliveries.sending(writer, { isReceiver: true })
    clients[writer].send(frames[writer][sent[writer]++])
  }
  const clocks = () => texts.map(({ clientID }, writer) => [clientID, sent[writer]])
  return { name, clients, deliveries, typeNext, clocks }
}

async function fanOut({ server, kind, parameters }) {
  const { writers, readers, perSecond, seconds, warmUpSeconds } = parameters
  const { port } = server
  const { dialect } = kind
  const perWriter = Math.ceil((perSecond * (seconds + warmUpSeconds)) / writers) + 1
  const open = await openRoom({ port, dialect, writers, readers, perWriter })
  await delay(300)
  const { deliveries, typeNext: step } = open
  const figures = await steadyFigures({ server, deliveries, perSecond, step, seconds, warmUpSeconds })
  const problems = await problemsOf({ server, kind, open })
  closeClients(open.clients)
  return { figures, problems }
}

/** Slow servers get time to deliver what they were sent; what has not arrived then is lost. */
export function arrived(deliveries, ms = 60_000) {
  const what = () => `${deliveries.expected - deliveries.count} of ${deliveries.expected} deliveries`
  return until(() => deliveries.isComplete, { ms, what })
}

/** Runs `step` at the rate, first to warm up, and tells what the deliveries after that cost and how long they took. */
export async function steadyFigures({ server, deliveries, perSecond, step, seconds, warmUpSeconds }) {
  const phase = async duration => {
    await pace({ perSecond, total: perSecond * duration, step })
    return arrived(deliveries)
  }
  deliveries.measure(false)
  await phase(warmUpSeconds)
  deliveries.measure(true)
  const load = process.cpuUsage()
  const before = { cpu: server.cpuMs(), count: deliveries.count, load, at: performance.now() }
  await phase(seconds)
  return fanOutFigures({ server, before, deliveries })
}

function fanOutFigures({ server, before, deliveries }) {
  const cpuMs = server.cpuMs() - before.cpu
  const seconds = (performance.now() - before.at) / 1000
  const count = deliveries.count - before.count
  const { user, system } = process.cpuUsage(before.load)
  return {
    cpuUs: (cpuMs * 1000) / count,
    ...deliveries.latency.figures(),
    cores: cpuMs / 1000 / seconds,
    deliveredPerSecond: count / seconds,
    loadCores: (user + system) / 1e6 / seconds
  }
}

export async function problemsOf({ server, kind, open }) {
  const problems = []
  const { count, expected, gaps } = open.deliveries
  if (count !== expected) problems.push(`${count} deliveries of ${expected}`)
  if (gaps > 0) problems.push(`${gaps} updates out of order`)
  if (kind.hasDocuments) {
    const { dialect } = kind
    const missing = await missingFrom({ port: server.port, dialect, room: open.name, clocks: open.clocks() })
    if (missing !== null) problems.push(missing)
  }
  return problems
}
