/**
 * Many documents in which little happens: each has somebody on every node, and one of them types now and then. What a hot
 * document beside them does to their latency, and what such documents cost.
 */
import { closeClients, openClients } from '../load/client.js'
import { Latency } from '../load/latency.js'
import { delay, pace, until } from '../load/pace.js'
import { framesOf, typeTexts, writersMax } from '../load/typing.js'
import { cpuMsOf } from '../server-process.js'

const hotRoom = 'hot'
const phases = ['without', 'with', 'without', 'with']
/** What nobody does and is to be settled before a figure is taken. */
const calmMs = 5_000

/** `load.documents` quiet ones, at most `writersMax` less those who write the hot one. Resolves to lines. */
export async function besideHot(name, { nodes, dialect, load }) {
  const { documents, seconds, writers, rate, quietRate } = load
  const quiet = await openQuiet({ nodes, dialect, load, rounds: phases.length })
  const perWriter = Math.ceil((rate * seconds * phases.length) / writers) + 1
  const frames = typeTexts({ writers, perWriter }).map(text => framesOf(text, dialect, hotRoom))
  const port = index => nodes[index % nodes.length].port
  const hot = await openClients(writers, 10, index => ({ port: port(index), dialect, room: hotRoom }))
  let sent = 0
  const typeHot = () => {
    hot[sent % writers].send(frames[sent % writers][Math.floor(sent / writers)])
    sent++
  }
  const times = { without: new Latency(), with: new Latency() }
  for (const phase of phases) {
    const typing = phase === 'with' ? pace({ perSecond: rate, total: rate * seconds, step: typeHot }) : null
    await quiet.type({ perSecond: quietRate, seconds, latency: times[phase] })
    await typing
    await delay(1_000)
  }
  closeClients([...hot, ...quiet.clients])
  const [without, beside] = [times.without.figures(), times.with.figures()]
  const ratio = beside.p99Ms / without.p99Ms
  return [
    `${name.padEnd(18)} ${documents} quiet documents, ${quietRate} updates a second; the hot one: ${writers} writers, ${rate} a second`,
    `  alone:  ${shown(without)}`,
    `  beside: ${shown(beside)}  p99 ${ratio.toFixed(2)} times as long (bar 1.5)`
  ].join('\n')
}

function shown({ p50Ms, p99Ms, maxMs }) {
  return `p50 ${p50Ms} p99 ${p99Ms} max ${maxMs} ms`
}

/** CPU time and bytes for each room and each record. `services`: those that run for these nodes. Resolves to lines. */
export async function costs(name, { nodes, dialect, load, services }) {
  const { documents, seconds, quietRate } = load
  const postgres = await services.get('postgres')
  const redis = services.has('redis') ? await services.get('redis') : null
  await delay(calmMs)
  const empty = await readings({ nodes, postgres, redis, seconds })
  const quiet = await openQuiet({ nodes, dialect, load, rounds: 2 })
  await quiet.type({
    perSecond: quietRate,
    seconds: Math.ceil(documents / quietRate),
    latency: new Latency()
  })
  await delay(calmMs)
  const idle = await readings({ nodes, postgres, redis, seconds })
  const latency = new Latency()
  const typing = await readings({
    nodes,
    postgres,
    redis,
    seconds,
    during: () => quiet.type({ perSecond: quietRate, seconds, latency })
  })
  closeClients(quiet.clients)
  const rooms = documents * nodes.length
  const perThousand = key => ((1_000 * (idle[key] - empty[key])) / idle.seconds / rooms).toFixed(2)
  const perRecord = key => (typing[key] - (idle[key] * typing.seconds) / idle.seconds) / latency.sent
  return [
    `${name.padEnd(18)} ${nodes.length} nodes, ${documents} documents open on each, ${quietRate} records a second`,
    `  a room and its connection: ${((idle.memory - empty.memory) / rooms / 1024).toFixed(1)} KiB (heap and buffers, after a collection)`,
    `  1,000 rooms that rest, each second: ${perThousand('cpu')} ms of CPU on their node, ${perThousand('postgresCpu')} ms of PostgreSQL's`,
    `  a record: ${perRecord('cpu').toFixed(2)} ms of CPU on the nodes, ${perRecord('postgresCpu').toFixed(2)} ms of PostgreSQL's, ` +
      `${Math.round(perRecord('wal'))} bytes of WAL, ${perRecord('busBytes') > 0 ? `${Math.round(perRecord('busBytes'))} bytes to the broker` : 'no bus'}`,
    `  connections to PostgreSQL: ${typing.connections}; ${shown(latency.figures())}`
  ].join('\n')
}

async function readings({ nodes, postgres, redis, seconds, during = () => delay(seconds * 1_000) }) {
  const before = await reading({ nodes, postgres, redis })
  await during()
  const after = await reading({ nodes, postgres, redis })
  const spent = key => after[key] - before[key]
  return {
    seconds: spent('atMs') / 1_000,
    cpu: spent('cpu'),
    postgresCpu: spent('postgresCpu'),
    wal: spent('wal'),
    busBytes: spent('busBytes'),
    memory: after.memory,
    connections: after.connections
  }
}

async function reading({ nodes, postgres, redis }) {
  const text = await postgres.query(
    `SELECT pg_current_wal_lsn() - '0/0', string_agg(pid::text, ','), count(*) FILTER (WHERE usename = 'chorus') - 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid()`
  )
  const [wal, pids, connections] = text.split('|')
  const memories = await Promise.all(nodes.map(each => each.memory()))
  const cpuOf = pid => {
    try {
      return cpuMsOf(pid)
    } catch {
      // It has ended.
      return 0
    }
  }
  return {
    atMs: performance.now(),
    cpu: nodes.reduce((sum, each) => sum + each.cpuMs(), 0),
    memory: memories.reduce((sum, { kept }) => sum + kept, 0),
    postgresCpu: pids.split(',').reduce((sum, pid) => sum + cpuOf(Number(pid)), 0),
    wal: Number(wal),
    connections: Number(connections),
    busBytes: redis === null ? 0 : await bytesTo(redis)
  }
}

/** What clients have sent to this Redis. */
async function bytesTo({ url }) {
  const { default: Redis } = await import('ioredis')
  const client = new Redis(url)
  const info = await client.info('stats')
  client.disconnect()
  return Number(/total_net_input_bytes:(\d+)/.exec(info)?.[1])
}

/** Somebody on each node in each document; the first of them types, on one node after the other. */
async function openQuiet({ nodes, dialect, load, rounds }) {
  const { documents, seconds, quietRate } = load
  if (documents > writersMax) throw new Error(`at most ${writersMax} documents`)
  const perWriter = rounds * Math.ceil((quietRate * seconds) / documents + 1) + 2
  const frames = typeTexts({ writers: documents, perWriter }).map((text, i) =>
    framesOf(text, dialect, roomOf(i))
  )
  const state = Array.from({ length: documents }, () => ({ sentAt: 0, waits: 0, latency: null }))
  const clients = await openClients(documents * nodes.length, 20, index => {
    const [document, at] = [Math.floor(index / nodes.length), index % nodes.length]
    return {
      port: nodes[(document + at) % nodes.length].port,
      dialect,
      room: roomOf(document),
      // The writer has it already.
      onUpdate: (_bytes, start, end) => at > 0 && end - start > 2 && arrivedAt(state[document])
    }
  })
  let next = 0
  const sent = new Uint32Array(documents)
  const step = latency => {
    const document = next++ % documents
    const { waits, sentAt } = state[document]
    // The one before has not arrived: it has taken so long already.
    if (waits > 0) latency.add(performance.now() - sentAt)
    Object.assign(state[document], { sentAt: performance.now(), waits: nodes.length - 1, latency })
    latency.sent = (latency.sent ?? 0) + 1
    clients[document * nodes.length].send(frames[document][sent[document]++])
  }
  return {
    clients,
    type: async ({ perSecond, seconds: forSeconds, latency }) => {
      await pace({ perSecond, total: perSecond * forSeconds, step: () => step(latency) })
      await until(() => state.every(({ waits }) => waits <= 0), { ms: 30_000, what: 'what was typed' })
    }
  }
}

function arrivedAt(document) {
  if (document.waits-- > 0) document.latency.add(performance.now() - document.sentAt)
}

const roomOf = document => `quiet-${document}`
