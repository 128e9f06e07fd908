/** How much one process carries: thousands of connections that write, and that only are there. */
import { closeClients, openClients } from '../load/client.js'
import { Cursors } from '../load/cursors.js'
import { Deliveries, totalOf } from '../load/deliveries.js'
import { delay, pace, until, untilQuiet } from '../load/pace.js'
import { missingFrom } from '../load/real-client.js'
import { typeTexts } from '../load/typing.js'
import { steadyFigures } from './fan-out.js'

export const scenarios = [
  {
    name: 'crowd-10000',
    title: '10,000 people in 100 rooms, 5 writers and 10 updates/s in each',
    servers: ['chorus', 'relay', 'y-websocket'],
    figure: ['cpuUs', 'µs per delivered update'],
    parameters: { rooms: 100, people: 100, writers: 5, perRoom: 10, seconds: 10, warmUpSeconds: 4 },
    quick: { rooms: 10, seconds: 3, warmUpSeconds: 1 },
    bars: [{ figure: 'p99Ms', max: 100 }],
    run: crowd
  },
  {
    name: 'idle-presence-19000',
    title: '19,000 idle people with presence in 190 rooms, each renewed every 15 s',
    servers: ['chorus', 'y-websocket'],
    figure: ['cpuUs', 'CPU µs per renewal'],
    parameters: { rooms: 190, people: 100, seconds: 30 },
    quick: { rooms: 10, seconds: 6 },
    bars: [],
    run: idleCrowd
  }
]

const roomOf = index => `crowd-${index}`

async function crowd({ server, kind, parameters }) {
  const { rooms, people, writers, perRoom, seconds, warmUpSeconds } = parameters
  const perWriter = Math.ceil((perRoom * (seconds + warmUpSeconds)) / writers) + 2
  const texts = typeTexts({ writers, perWriter })
  const each = Array.from({ length: rooms }, () => new Deliveries({ writers, perWriter }))
  for (const deliveries of each) deliveries.latency = each[0].latency
  const all = totalOf(each)
  const clients = await openClients(rooms * people, 20, index => {
    const person = Math.floor(index / rooms)
    return {
      port: server.port,
      dialect: kind.dialect,
      room: roomOf(index % rooms),
      onUpdate: each[index % rooms].receiver(person < writers ? person : -1)
    }
  })
  await untilQuiet(server, { mostMs: 15_000 })
  const sent = new Uint32Array(rooms * writers)
  let next = 0
  const step = () => {
    const index = next++ % sent.length
    const writer = Math.floor(index / rooms)
    each[index % rooms].sending(writer, { isReceiver: true })
    clients[index].sendUpdate(texts[writer].updates[sent[index]++])
  }
  const perSecond = perRoom * rooms
  const figures = await steadyFigures({ server, deliveries: all, perSecond, step, seconds, warmUpSeconds })
  const problems = []
  for (let room = 0; room < rooms && kind.hasDocuments; room += Math.ceil(rooms / 5)) {
    const clocks = texts.map(({ clientID }, writer) => [clientID, sent[room + writer * rooms]])
    const place = { port: server.port, dialect: kind.dialect, room: roomOf(room) }
    const missing = await missingFrom({ ...place, clocks })
    if (missing !== null) problems.push(missing)
  }
  closeClients(clients)
  return { figures, problems }
}

/** Each person is seen by the others of the room, and by nobody else. */
async function idleCrowd({ server, kind, parameters }) {
  const { rooms, people, seconds } = parameters
  const empty = await server.memory()
  const open = []
  for (let room = 0; room < rooms; room++) {
    const cursors = new Cursors({ people, movesMax: 10, seed: room + 1 })
    const clients = await openClients(people, 20, person => ({
      port: server.port,
      dialect: kind.dialect,
      room: roomOf(room),
      onAwareness: cursors.receiver(person)
    }))
    for (let person = 0; person < people; person++) clients[person].sendAwareness(cursors.move(person))
    open.push({ cursors, clients })
    await delay(5)
  }
  const missing = () => open.reduce((sum, { cursors }) => sum + cursors.missing, 0)
  await until(() => open.every(({ cursors }) => cursors.isSettled), {
    ms: 240_000,
    what: () => `${missing()} states to be seen`
  })
  await untilQuiet(server, { mostMs: 20_000 })
  const full = await server.memory()
  const count = rooms * people
  const renewals = Math.floor((count / 15) * seconds)
  const cpu = server.cpuMs()
  const at = performance.now()
  const step = index => {
    const { cursors, clients } = open[index % rooms]
    const person = Math.floor(index / rooms) % people
    clients[person].sendAwareness(cursors.renew(person))
  }
  await pace({ perSecond: count / 15, total: renewals, step })
  const cpuMs = server.cpuMs() - cpu
  closeClients(open.flatMap(({ clients }) => clients))
  const figures = {
    cpuUs: (cpuMs * 1000) / renewals,
    cores: cpuMs / (performance.now() - at),
    keptKB: (full.kept - empty.kept) / 1024 / count,
    rssKB: (full.rss - empty.rss) / 1024 / count
  }
  return { figures, problems: [] }
}
