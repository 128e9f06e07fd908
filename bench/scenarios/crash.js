/** kill -9 in mid-typing: is what anyone has seen still there? */
import { Client, closeClients, closures } from '../load/client.js'
import { Deliveries } from '../load/deliveries.js'
import { delay } from '../load/pace.js'
import { seeded } from '../load/random.js'
import { realClient } from '../load/real-client.js'
import { maskedFrame } from '../load/socket.js'
import { typeTexts } from '../load/typing.js'

export const scenarios = [
  {
    name: 'kill-9',
    title: 'kill -9 in mid-typing, 20 rooms × 20 updates/s',
    servers: ['chorus', 'y-leveldb', 'hocuspocus-sqlite'],
    figure: ['lostPercent', '% of the updates that somebody else had seen, lost'],
    parameters: { rooms: 20, perSecond: 20, rounds: 5, leastMs: 1_500, mostMs: 4_000 },
    quick: { rounds: 2 },
    bars: [
      { figure: 'lostPercent', max: 0 },
      { figure: 'ackedLostPercent', max: 0 }
    ],
    run: killing
  }
]

async function killing(context) {
  const random = seeded(11)
  const total = { seen: 0, lost: 0, acked: 0, ackedLost: 0 }
  for (let round = 0; round < context.parameters.rounds; round++) {
    const outcome = await killOnce(context, { round, random })
    for (const name of Object.keys(total)) total[name] += outcome[name]
  }
  const figures = { lostPercent: (100 * total.lost) / total.seen, seen: total.seen }
  if (total.acked > 0) figures.ackedLostPercent = (100 * total.ackedLost) / total.acked
  return { figures, problems: total.seen === 0 ? ['nothing was seen'] : [] }
}

async function killOnce(context, { round, random }) {
  const { rooms, perSecond, leastMs, mostMs } = context.parameters
  const open = []
  for (let room = 0; room < rooms; room++)
    open.push(await openPair(placeOf(context), `round-${round}-room-${room}`))
  const timers = open.map(({ type }) => setInterval(type, 1000 / perSecond))
  await delay(leastMs + random() * (mostMs - leastMs))
  await context.server.kill()
  for (const timer of timers) clearInterval(timer)
  const before = open.map(({ name, deliveries, acks, clientID }) => ({
    name,
    seen: deliveries.count,
    acked: acks.count,
    clientID
  }))
  closeClients(open.flatMap(({ pair }) => pair))
  closures.length = 0
  await context.restart()
  const total = { seen: 0, lost: 0, acked: 0, ackedLost: 0 }
  for (const { name, seen, acked, clientID } of before) {
    const has = await storedOf(placeOf(context), { name, clientID, atLeast: Math.max(seen, acked) })
    total.seen += seen
    total.lost += Math.max(0, seen - has)
    total.acked += acked
    total.ackedLost += Math.max(0, acked - has)
  }
  return total
}

function placeOf({ server, kind }) {
  return { port: server.port, dialect: kind.dialect }
}

/** One who types, one who reads. */
export async function openPair({ port, dialect }, name) {
  const perWriter = 2_000
  const [text] = typeTexts({ writers: 1, perWriter })
  const deliveries = new Deliveries({ writers: 1, perWriter })
  const acks = { count: 0 }
  const options = { port, dialect, room: name, onClosed: () => {} }
  const typist = new Client({ ...options, onAck: () => acks.count++ })
  const reader = new Client({ ...options, onUpdate: deliveries.receiver() })
  await Promise.all([typist.synced, reader.synced])
  await delay(20)
  // Acknowledgements so far are of the handshake.
  acks.count = 0
  let sent = 0
  const type = () => {
    deliveries.sending(0, { isReceiver: false })
    typist.send(maskedFrame(dialect.update(name, text.updates[sent++])))
  }
  return { name, pair: [typist, reader], deliveries, acks, clientID: text.clientID, type }
}

/** How many of the writer's updates a fresh real client gets; some servers load after they have said `sync`. */
export async function storedOf({ port, dialect }, { name, clientID, atLeast }) {
  const client = await realClient({ port, dialect, room: name })
  const clock = () => client.doc.store.clients.get(clientID)?.at(-1)
  const has = () => (clock() === undefined ? 0 : clock().id.clock + clock().length)
  for (let waited = 0; waited < 500 && has() < atLeast; waited += 50) await delay(50)
  const found = has()
  client.close()
  return found
}
