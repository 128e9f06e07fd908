/** People who move, and many who look on, with and without clients that send back what they receive. */
import { closeClients, openClients } from '../load/client.js'
import { Cursors } from '../load/cursors.js'
import { Deliveries } from '../load/deliveries.js'
import { delay, pace, until } from '../load/pace.js'
import { framesOf, typeTexts } from '../load/typing.js'
import { eitherDialect, everyone, problemsOf } from './fan-out.js'

const room = 'presence'
/** A relay hands on what comes back, which would come back again. */
const withState = ['chorus', 'y-websocket', 'hocuspocus']
const perMove = ['cpuUs', 'µs per move']

function moving({ people, perPerson, doesEcho, bars, parameters = {}, quick = {} }) {
  const echo = doesEcho ? ', remote states echoed' : ''
  return {
    name: `presence-${people}${doesEcho ? '-echo' : ''}`,
    title: `Presence: ${people} people × ${perPerson}/s${echo}`,
    servers: doesEcho ? withState : everyone,
    figure: perMove,
    parameters: { people, perPerson, doesEcho, seconds: 8, warmUpSeconds: 2, ...parameters },
    quick: { seconds: 2, warmUpSeconds: 0.5, ...quick },
    bars,
    run: presence
  }
}

const bars50 = [{ figure: 'cpuUs', against: ['y-websocket'], factor: 0.5 }, eitherDialect]
const bars100 = [
  { figure: 'cpuUs', against: ['hocuspocus'], factor: 0.25 },
  { figure: 'p99Ms', max: 60 },
  eitherDialect
]

export const scenarios = [
  moving({ people: 50, perPerson: 10, doesEcho: false, bars: bars50 }),
  moving({ people: 50, perPerson: 10, doesEcho: true, bars: bars50 }),
  moving({ people: 100, perPerson: 20, doesEcho: false, bars: bars100 }),
  moving({ people: 100, perPerson: 20, doesEcho: true, bars: bars100 }),
  moving({ people: 500, perPerson: 2, doesEcho: false, bars: [] }),
  moving({ people: 500, perPerson: 2, doesEcho: true, bars: [] }),
  idle({ doesEcho: false }),
  idle({ doesEcho: true }),
  {
    name: 'observers-1500',
    title: 'One writer (10/s), 1,500 observers with presence',
    servers: ['chorus', 'y-websocket', 'hocuspocus'],
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { observers: 1_500, perSecond: 10, seconds: 20, warmUpSeconds: 2 },
    quick: { observers: 300, seconds: 4, warmUpSeconds: 1 },
    bars: [{ figure: 'p99Ms', max: 100 }],
    run: observers
  }
]

function idle({ doesEcho }) {
  return {
    name: `presence-idle-1500${doesEcho ? '-echo' : ''}`,
    title: `Presence: 1,500 idle people, each renewed every 15 s${doesEcho ? ', remote states echoed' : ''}`,
    servers: withState,
    figure: ['cpuUs', 'CPU µs per renewal'],
    parameters: { people: 1_500, doesEcho, seconds: 30 },
    quick: { people: 200, seconds: 6 },
    bars: [],
    run: idlePresence
  }
}

/** A room of people, everyone visible to everyone. */
async function openPeople({ server, kind, people, doesEcho, movesMax, listeners = () => ({}) }) {
  const { port } = server
  const { dialect } = kind
  const cursors = new Cursors({ people, movesMax })
  const clients = []
  const opened = await openClients(people, 20, person => {
    const echo = (bytes, start, end) => clients[person]?.sendAwareness(bytes.subarray(start, end))
    const onAwareness = cursors.receiver(person, doesEcho && dialect.doesEcho ? echo : null)
    return { port, dialect, room, onAwareness, ...listeners(person) }
  })
  clients.push(...opened)
  return { cursors, clients }
}

function settled(cursors, ms = 90_000) {
  return until(() => cursors.isSettled, { ms, what: () => `${cursors.missing} states to be seen` })
}

async function presence({ server, kind, parameters }) {
  const { people, perPerson, doesEcho, seconds, warmUpSeconds } = parameters
  const movesMax = Math.ceil(perPerson * (seconds + warmUpSeconds)) + 10
  const { cursors, clients } = await openPeople({ server, kind, people, doesEcho, movesMax })
  const moveNext = index => clients[index % people].sendAwareness(cursors.move(index % people))
  const phase = async duration => {
    const perSecond = people * perPerson
    await pace({ perSecond, total: Math.max(people, Math.floor(perSecond * duration)), step: moveNext })
    await settled(cursors)
  }
  await phase(warmUpSeconds)
  cursors.latency = new cursors.latency.constructor()
  const before = start(server, cursors)
  await phase(seconds)
  const figures = presenceFigures({ server, cursors, before })
  closeClients(clients)
  return { figures, problems: [] }
}

function start(server, cursors) {
  const { moves, entries, echoes } = cursors
  return { cpu: server.cpuMs(), load: process.cpuUsage(), at: performance.now(), moves, entries, echoes }
}

function presenceFigures({ server, cursors, before }) {
  const cpuMs = server.cpuMs() - before.cpu
  const seconds = (performance.now() - before.at) / 1000
  const { user, system } = process.cpuUsage(before.load)
  return {
    cpuUs: (cpuMs * 1000) / (cursors.moves - before.moves),
    ...cursors.latency.figures(),
    cores: cpuMs / 1000 / seconds,
    loadCores: (user + system) / 1e6 / seconds
  }
}

async function idlePresence({ server, kind, parameters }) {
  const { people, doesEcho, seconds } = parameters
  const { cursors, clients } = await openPeople({ server, kind, people, doesEcho, movesMax: 10 })
  for (let person = 0; person < people; person++) {
    clients[person].sendAwareness(cursors.move(person))
    if (person % 50 === 49) await delay(20)
  }
  await settled(cursors, 240_000)
  await delay(1_000)
  const before = start(server, cursors)
  const renewals = Math.floor((people / 15) * seconds)
  const step = index => clients[index % people].sendAwareness(cursors.renew(index % people))
  await pace({ perSecond: people / 15, total: renewals, step })
  const cpuMs = server.cpuMs() - before.cpu
  const elapsed = (performance.now() - before.at) / 1000
  const { user, system } = process.cpuUsage(before.load)
  closeClients(clients)
  const figures = {
    cpuUs: (cpuMs * 1000) / renewals,
    cores: cpuMs / 1000 / elapsed,
    loadCores: (user + system) / 1e6 / elapsed,
    receivedKB: clients.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0) / 1024 / people
  }
  return { figures, problems: [] }
}

/** Observers renew their presence every 15 s, as every client does; the one writer types. */
async function observers({ server, kind, parameters }) {
  const { observers: people, perSecond, seconds, warmUpSeconds } = parameters
  const perWriter = perSecond * (seconds + warmUpSeconds) + 1
  const deliveries = new Deliveries({ writers: 1, perWriter })
  const [text] = typeTexts({ writers: 1, perWriter })
  const frames = framesOf(text, kind.dialect, room)
  const listeners = person => ({ onUpdate: deliveries.receiver(person === 0 ? 0 : -1) })
  const { cursors, clients } = await openPeople({
    server,
    kind,
    people,
    doesEcho: true,
    movesMax: 10,
    listeners
  })
  let sent = 0
  const typeNext = () => {
    deliveries.sending(0, { isReceiver: true })
    clients[0].send(frames[sent++])
  }
  const phase = async duration => {
    const renewing = pace({
      perSecond: people / 15,
      total: Math.floor((people / 15) * duration),
      step: index => clients[index % people].sendAwareness(cursors.renew(index % people))
    })
    await pace({ perSecond, total: perSecond * duration, step: typeNext })
    await renewing
    const what = () => `${deliveries.expected - deliveries.count} of ${deliveries.expected} deliveries`
    await until(() => deliveries.isComplete, { ms: 120_000, what })
  }
  for (let person = 0; person < people; person++) {
    clients[person].sendAwareness(cursors.move(person))
    if (person % 50 === 49) await delay(20)
  }
  await settled(cursors, 240_000)
  deliveries.measure(false)
  await phase(warmUpSeconds)
  deliveries.measure(true)
  const before = { ...start(server, cursors), count: deliveries.count }
  await phase(seconds)
  const cpuMs = server.cpuMs() - before.cpu
  const elapsed = (performance.now() - before.at) / 1000
  const figures = {
    cpuUs: (cpuMs * 1000) / (deliveries.count - before.count),
    ...deliveries.latency.figures(),
    cores: cpuMs / 1000 / elapsed
  }
  const open = { name: room, deliveries, clocks: () => [[text.clientID, sent]] }
  const problems = await problemsOf({ server, kind, open })
  closeClients(clients)
  return { figures, problems }
}
