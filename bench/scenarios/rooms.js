/** Many rooms, many connections: what the small ones cost. */
import { Client, closeClients, openClients } from '../load/client.js'
import { Deliveries, totalOf } from '../load/deliveries.js'
import { documentOf, plant } from '../load/documents.js'
import { delay, untilQuiet } from '../load/pace.js'
import { missingFrom } from '../load/real-client.js'
import { typeTexts } from '../load/typing.js'
import { steadyFigures } from './fan-out.js'

export const scenarios = [
  manyRoomsAt({ rooms: 300, eachPerSecond: 1 }),
  manyRoomsAt({ rooms: 300, eachPerSecond: 10 }),
  manyRoomsAt({ rooms: 1_000, eachPerSecond: 1 }),
  manyRoomsAt({ rooms: 1_000, eachPerSecond: 10 }),
  {
    name: 'connect-empty',
    title: 'Connect and first sync of an empty room',
    servers: ['chorus', 'relay', 'y-websocket', 'hocuspocus'],
    figure: ['cpuUs', 'µs per connect'],
    parameters: { count: 2_000, warmUp: 3_000, abreast: 10 },
    quick: { count: 300, warmUp: 100 },
    bars: [{ figure: 'cpuUs', against: ['y-websocket'], factor: 0.8 }],
    run: connecting
  },
  {
    name: 'idle-connections',
    title: 'Idle connections, 200 in a room',
    servers: ['chorus', 'relay', 'y-websocket', 'hocuspocus'],
    figure: ['rssKB', 'KB (resident) per connection'],
    parameters: { count: 4_000, perRoom: 200 },
    quick: { count: 600 },
    bars: [{ figure: 'rssKB', against: ['relay'], factor: 1.25 }],
    run: idleConnections
  },
  {
    name: 'open-rooms',
    title: 'Open rooms with a 100 KB document, one person in each; then all leave',
    servers: ['chorus', 'y-websocket', 'hocuspocus-sqlite'],
    figure: ['keptKB', 'KB (heap + external) per room'],
    parameters: { rooms: 200, documentBytes: 100_000, leftMs: 20_000 },
    quick: { rooms: 20, leftMs: 16_000 },
    bars: [
      { figure: 'keptKB', against: ['y-websocket', 'hocuspocus-sqlite'], factor: 0.15 },
      { figure: 'leftMB', max: 5 }
    ],
    run: openRooms
  }
]

/** `eachPerSecond`: updates of each room. */
function manyRoomsAt({ rooms, eachPerSecond }) {
  const isSlow = eachPerSecond <= 1
  return {
    name: `rooms-${rooms}-${eachPerSecond}`,
    title: `${rooms.toLocaleString('en')} rooms × 2 people, ${eachPerSecond} update${isSlow ? '' : 's'}/s in each`,
    servers: ['chorus', 'relay', 'y-websocket', 'y-leveldb', 'hocuspocus-sqlite'],
    figure: ['cpuUs', 'µs per update'],
    parameters: { rooms, perSecond: rooms * eachPerSecond, seconds: 12, warmUpSeconds: 4 },
    quick: { seconds: 3, warmUpSeconds: 2 },
    bars: [
      { figure: 'cpuUs', against: ['y-websocket'], factor: isSlow ? 1.1 : 0.9 },
      { figure: 'cpuUs', against: ['hocuspocus-sqlite'], factor: isSlow ? 0.8 : 0.6 },
      { figure: 'p50Ms', max: 1 },
      { figure: 'p99Ms', max: 10 }
    ],
    run: manyRooms
  }
}

/** The same two texts in every room. */
async function manyRooms({ server, kind, parameters }) {
  const { rooms, perSecond, seconds, warmUpSeconds } = parameters
  const { dialect } = kind
  const perWriter = Math.ceil((perSecond * (seconds + warmUpSeconds)) / rooms / 2) + 2
  const texts = typeTexts({ writers: 2, perWriter })
  const each = Array.from({ length: rooms }, () => new Deliveries({ writers: 2, perWriter }))
  for (const deliveries of each) deliveries.latency = each[0].latency
  const all = totalOf(each)
  const roomOf = index => `room-${index % rooms}`
  const clients = await openClients(2 * rooms, 20, index => ({
    port: server.port,
    dialect,
    room: roomOf(index),
    onUpdate: each[index % rooms].receiver(Math.floor(index / rooms))
  }))
  const sent = new Uint32Array(2 * rooms)
  let next = 0
  const step = () => {
    const index = next++ % (2 * rooms)
    const writer = Math.floor(index / rooms)
    each[index % rooms].sending(writer, { isReceiver: true })
    clients[index].sendUpdate(texts[writer].updates[sent[index]++])
  }
  await untilQuiet(server, { mostMs: 15_000 })
  const figures = await steadyFigures({ server, deliveries: all, perSecond, step, seconds, warmUpSeconds })
  const problems = []
  for (let room = 0; room < rooms && kind.hasDocuments; room += Math.ceil(rooms / 10)) {
    const clocks = texts.map(({ clientID }, writer) => [clientID, sent[room + writer * rooms]])
    const missing = await missingFrom({ port: server.port, dialect, room: roomOf(room), clocks })
    if (missing !== null) problems.push(missing)
  }
  closeClients(clients)
  return { figures, problems }
}

async function connecting({ server, kind, parameters }) {
  const { count, warmUp, abreast } = parameters
  const { port } = server
  const { dialect } = kind
  const open = (total, prefix) =>
    openClients(total, abreast, index => ({ port, dialect, room: `${prefix}-${index}` }))
  // Warm code, and none of the memory that warming it took.
  closeClients(await open(warmUp, 'warm-up'))
  await untilQuiet(server, { leastMs: 1_000, mostMs: 15_000 })
  const cpu = server.cpuMs()
  const at = performance.now()
  const clients = await open(count, 'room')
  const figures = {
    cpuUs: ((server.cpuMs() - cpu) * 1000) / count,
    readyMs: (performance.now() - at) / (count / abreast)
  }
  closeClients(clients)
  return { figures, problems: [] }
}

async function idleConnections({ server, kind, parameters }) {
  const { count, perRoom } = parameters
  const { port } = server
  const { dialect } = kind
  const open = total =>
    openClients(total, 20, index => ({ port, dialect, room: `room-${Math.floor(index / perRoom)}` }))
  const warmUp = await open(perRoom)
  const before = await server.memory()
  const clients = await open(count)
  await delay(1_000)
  const after = await server.memory()
  closeClients([...warmUp, ...clients])
  const figures = {
    keptKB: (after.kept - before.kept) / 1024 / count,
    rssKB: (after.rss - before.rss) / 1024 / count
  }
  return { figures, problems: [] }
}

/** With storage: the documents are there, the server is fresh. Without: they have just been sent. */
async function openRooms(context) {
  const { kind, parameters } = context
  const { rooms, documentBytes, leftMs } = parameters
  const update = documentOf(documentBytes)
  const { dialect } = kind
  const warmUp = await plant({ port: context.server.port, dialect, room: 'warm-up', update })
  let before = await context.server.memory()
  let clients = []
  for (let room = 0; room < rooms; room++) {
    clients.push(await plant({ port: context.server.port, dialect, room: `room-${room}`, update }))
  }
  if (kind.isDurable) {
    closeClients([warmUp, ...clients])
    await untilQuiet(context.server, { leastMs: leftMs })
    await context.server.stop()
    const { port } = await context.restart()
    await new Client({ port, dialect, room: 'warm-up' }).synced
    before = await context.server.memory()
    clients = await openClients(rooms, 10, index => ({ port, dialect, room: `room-${index}` }))
  }
  await untilQuiet(context.server)
  const open = await context.server.memory()
  const smallest = Math.min(...clients.map(({ receivedBytes }) => receivedBytes))
  closeClients(clients)
  await untilQuiet(context.server, { leastMs: leftMs })
  const after = await context.server.memory()
  const figures = {
    keptKB: (open.kept - before.kept) / 1024 / rooms,
    rssKB: (open.rss - before.rss) / 1024 / rooms,
    leftMB: (after.kept - before.kept) / 2 ** 20
  }
  const isShort = kind.isDurable && smallest < update.length / 2
  return { figures, problems: isShort ? [`a joiner was sent ${smallest} bytes only`] : [] }
}
