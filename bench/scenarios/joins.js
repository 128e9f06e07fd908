/** Joining a document that is there: many at once, with a large one, and coming back with nearly all of it. */
import { readFileSync } from 'node:fs'
import * as Y from 'yjs'
import { Client, closeClients, openClients } from '../load/client.js'
import { Deliveries } from '../load/deliveries.js'
import { documentOf, plant } from '../load/documents.js'
import { delay, pace, until, untilQuiet } from '../load/pace.js'
import { realClient } from '../load/real-client.js'
import { sessionUpdates } from '../load/session.js'
import { framesOf, typeTexts } from '../load/typing.js'

const room = 'joins'
const documented = ['chorus', 'y-websocket', 'hocuspocus-sqlite']
const durable = ['chorus', 'y-leveldb', 'hocuspocus-sqlite']
const best = ['y-websocket', 'hocuspocus-sqlite']
const perJoin = ['cpuMs', 'CPU ms per join']
const megabyte = 1_000_000
/** Rooms are closed, and debounced work begun, within this time after everyone has left. */
const leftMs = 14_000

export const scenarios = [
  {
    name: 'join-storm',
    title: 'Join storm: 200 clients, a 220 KB document, one person typing',
    servers: documented,
    figure: perJoin,
    parameters: { documentBytes: 220_000, joiners: 200 },
    quick: { joiners: 60 },
    bars: [
      { figure: 'cpuMs', against: best, factor: 0.25 },
      { figure: 'typingMaxMs', max: 50 }
    ],
    run: joinStorm
  },
  {
    name: 'join-storm-5mb',
    title: 'Join storm: 20 clients, a 5 MB document, one person typing',
    servers: documented,
    figure: perJoin,
    parameters: { documentBytes: 5 * megabyte, joiners: 20 },
    quick: { joiners: 8 },
    bars: [
      { figure: 'cpuMs', against: best, factor: 0.05 },
      { figure: 'growth', max: 3 }
    ],
    run: joinStorm
  },
  {
    name: 'join-storm-20mb',
    title: 'Join storm: 8 clients, a 20 MB document, one person typing',
    servers: documented,
    figure: perJoin,
    parameters: { documentBytes: 20 * megabyte, joiners: 8 },
    quick: { joiners: 3 },
    bars: [{ figure: 'growth', max: 3 }],
    run: joinStorm
  },
  {
    name: 'reconnect',
    title: 'Reconnect to a 220 KB document with a nearly current state vector',
    servers: documented,
    figure: ['cpuMs', 'CPU ms per reconnect'],
    parameters: { documentBytes: 220_000, count: 1_000, warmUp: 1_500, behind: 5 },
    quick: { count: 200, warmUp: 50 },
    bars: [{ figure: 'cpuMs', against: best, factor: 0.7 }],
    run: reconnect
  },
  {
    name: 'reconnect-imported',
    title: 'The same, with a document that came as one update and was never edited since',
    servers: documented,
    figure: ['cpuMs', 'CPU ms per reconnect'],
    parameters: { documentBytes: 220_000, count: 1_000, warmUp: 1_500, behind: 5, isImported: true },
    quick: { count: 200, warmUp: 50 },
    bars: [{ figure: 'cpuMs', against: best, factor: 0.7 }],
    run: reconnect
  },
  {
    name: 'reconnect-storm',
    title: 'After a deploy: 200 clients come back at once, with nearly all of it and 11 KB of deletions each',
    servers: documented,
    figure: ['cpuMs', 'CPU ms per reconnect'],
    parameters: { documentBytes: 450_000, count: 600, warmUp: 800, behind: 5, abreast: 200 },
    quick: { count: 200, warmUp: 200 },
    bars: [{ figure: 'cpuMs', against: ['y-websocket'], factor: 0.35 }],
    run: reconnect
  },
  {
    name: 'restart-storm',
    title: 'Restart with 20 rooms × 25 people (100 KB documents), all coming back at once',
    servers: durable,
    figure: ['cpuMs', 'CPU ms per reconnect'],
    parameters: { documentBytes: 100_000, rooms: 20, perRoom: 25 },
    quick: { rooms: 6, perRoom: 10 },
    bars: [],
    run: restartStorm
  },
  {
    name: 'cold-log',
    title:
      'First join of a room after a crash: 10,000 keystrokes since its last checkpoint, or its last save',
    servers: durable,
    figure: ['cpuMs', 'CPU ms of the first join'],
    parameters: { keystrokes: 10_000, rounds: 5 },
    quick: { rounds: 2 },
    bars: [{ figure: 'cpuMs', against: ['hocuspocus-sqlite'], factor: 1 }],
    run: coldLog
  },
  {
    name: 'cold-deploy',
    title: 'The same after a deploy: the server was asked to stop while people were there',
    servers: durable,
    figure: ['cpuMs', 'CPU ms of the first join'],
    parameters: { keystrokes: 10_000, rounds: 5, isAskedToStop: true },
    quick: { rounds: 2 },
    bars: [{ figure: 'cpuMs', against: ['hocuspocus-sqlite'], factor: 1 }],
    run: coldLog
  }
]

/** Someone types, someone else waits for it; `maxMs` is the longest wait. */
async function startTyping({ server, kind, name, perSecond = 25, mostSeconds = 90 }) {
  const { port } = server
  const { dialect } = kind
  const perWriter = perSecond * mostSeconds
  const [text] = typeTexts({ writers: 1, perWriter, seed: 9 })
  const frames = framesOf(text, dialect, name)
  const deliveries = new Deliveries({ writers: 1, perWriter })
  const options = onUpdate => ({ port, dialect, room: name, onUpdate })
  // What the document itself holds is none of the writer's updates.
  const onlyTyped = receive => (bytes, start, end) =>
    isReady && end - start < 4_096 && receive(bytes, start, end)
  let isReady = false
  const typist = new Client(options(onlyTyped(deliveries.receiver(0))))
  const reader = new Client(options(onlyTyped(deliveries.receiver())))
  await Promise.all([typist.synced, reader.synced])
  await delay(200)
  isReady = true
  let sent = 0
  const timer = setInterval(() => {
    if (sent === perWriter) return
    deliveries.sending(0, { isReceiver: true })
    typist.send(frames[sent++])
  }, 1000 / perSecond)
  return {
    latency: deliveries.latency,
    clientID: text.clientID,
    async stop() {
      clearInterval(timer)
      const what = () => `${deliveries.expected - deliveries.count} of the typed updates`
      await until(() => deliveries.isComplete, { ms: 60_000, what })
      closeClients([typist, reader])
      return sent
    }
  }
}

/** Documents come about by typing: one that came as a whole, and was never touched since, is a case of its own. */
async function edit(planter) {
  const [text] = typeTexts({ writers: 1, perWriter: 300, seed: 21 })
  await pace({ perSecond: 1_000, total: 300, step: index => planter.sendUpdate(text.updates[index]) })
  await delay(500)
}

/** A document in its room, stored and compacted as far as the server does that; with storage, in a fresh server. */
async function planted(context, { rooms = [room] } = {}) {
  const { kind, parameters } = context
  const update = documentOf(parameters.documentBytes)
  for (const name of rooms) {
    const planter = await plant({ port: context.server.port, dialect: kind.dialect, room: name, update })
    if (parameters.isImported !== true) await edit(planter)
    // Without storage a room may end with its last member.
    if (kind.isDurable) planter.close()
  }
  await untilQuiet(context.server, { leastMs: kind.isDurable ? leftMs : 1_000 })
  if (kind.isDurable) {
    await context.server.stop()
    await context.restart()
  }
  return update
}

async function joinStorm(context) {
  const { kind, parameters } = context
  const update = await planted(context)
  const { server } = context
  const { port } = server
  const { dialect } = kind
  const before = await server.memory()
  const typing = await startTyping({ server, kind, name: room })
  await delay(1_000)
  await untilQuiet(server, { mostMs: 5_000 })
  const memory = await server.memory()
  typing.latency.maxMs = 0
  const cpu = server.cpuMs()
  const at = performance.now()
  const joiners = await openClients(parameters.joiners, parameters.joiners, () => ({ port, dialect, room }))
  const allMs = performance.now() - at
  await delay(300)
  const cpuMs = (server.cpuMs() - cpu) / joiners.length
  const typingMaxMs = typing.latency.maxMs
  const after = await server.memory()
  const problems = shortJoins(joiners, update)
  const typed = await typing.stop()
  problems.push(...(await documentProblems(context, { update, clientID: typing.clientID, typed })))
  closeClients(joiners)
  const figures = {
    cpuMs,
    allMs,
    typingMaxMs,
    growth: (after.kept - before.kept) / update.length,
    stormGrowth: (after.kept - memory.kept) / update.length,
    rssMB: after.rss / 2 ** 20,
    peakRssMB: peakRss(server.pid)
  }
  return { figures, problems }
}

function shortJoins(joiners, update) {
  const short = joiners.filter(({ receivedBytes }) => receivedBytes < update.length * 0.9)
  return short.length > 0 ? [`${short.length} joiners were sent less than the document`] : []
}

async function documentProblems({ server, kind }, { update, clientID, typed }) {
  const expected = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(update))
  const client = await realClient({ port: server.port, dialect: kind.dialect, room })
  const problems = []
  for (const [id, clock] of [...expected, [clientID, typed]]) {
    const has = Y.getState(client.doc.store, id)
    if (has !== clock) problems.push(`a fresh client has ${has} of ${clock} of client ${id}`)
  }
  client.close()
  return problems
}

function peakRss(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

/** What a client says that has all but the last few keystrokes: its vector, and its answer to the server's. */
async function behindBy({ server, kind }, { name, count }) {
  const client = await realClient({ port: server.port, dialect: kind.dialect, room: name })
  const { doc } = client
  // y-leveldb says `sync` before it has loaded.
  await until(() => doc.store.clients.size > 0, { ms: 10_000, what: 'the stored document' })
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc))
  const answer = Y.encodeStateAsUpdate(doc, Y.encodeStateVector(doc))
  // The one who typed least typed last; an imported document has only one.
  const [clientID, clock] = [...vector].sort((a, b) => a[1] - b[1])[0]
  vector.set(clientID, clock - count)
  client.close()
  return { vector: encodeVector(vector), answer }
}

function encodeVector(vector) {
  const bytes = [...varUint(vector.size)]
  for (const [clientID, clock] of vector) bytes.push(...varUint(clientID), ...varUint(clock))
  return Uint8Array.from(bytes)
}

function* varUint(value) {
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) yield (rest % 128) + 128
  yield rest
}

async function reconnect(context) {
  const { kind, parameters } = context
  const { count, warmUp, behind, abreast = 1 } = parameters
  await planted(context)
  const { server } = context
  const { vector, answer } = await behindBy(context, { name: room, count: behind })
  const options = { port: server.port, dialect: kind.dialect, room }
  const stays = new Client(options)
  await stays.synced
  const come = async total => {
    let bytes = 0
    for (let i = 0; i < total; i += abreast) {
      const clients = await openClients(abreast, abreast, () => ({ ...options, vector, offline: answer }))
      for (const client of clients) bytes += client.receivedBytes
      closeClients(clients)
      if (abreast > 1) await delay(200)
    }
    return bytes / total
  }
  await come(warmUp)
  await untilQuiet(server)
  const cpu = server.cpuMs()
  const bytes = await come(count)
  await delay(200)
  const figures = { cpuMs: (server.cpuMs() - cpu) / count, receivedKB: bytes / 1024 }
  stays.close()
  return { figures, problems: [] }
}

async function restartStorm(context) {
  const { kind, parameters } = context
  const { rooms, perRoom } = parameters
  const { dialect } = kind
  const names = Array.from({ length: rooms }, (_, index) => `room-${index}`)
  const update = await planted(context, { rooms: names })
  const { vector, answer } = await behindBy(context, { name: names[0], count: 0 })
  const people = rooms * perRoom
  const comeBack = (listeners = {}) =>
    openClients(people, people, index => ({
      port: context.server.port,
      dialect,
      room: names[index % rooms],
      vector,
      offline: answer,
      ...listeners
    }))
  // These are there to be cut off by the restart.
  await comeBack({ onClosed: () => {} })
  await untilQuiet(context.server)
  await context.server.stop()
  const server = await context.restart()
  await untilQuiet(server)
  const cpu = server.cpuMs()
  const at = performance.now()
  const clients = await comeBack()
  const allMs = performance.now() - at
  await untilQuiet(server)
  const figures = { cpuMs: (server.cpuMs() - cpu) / people, allMs }
  closeClients(clients)
  const check = await realClient({ port: server.port, dialect, room: names[0] })
  const expected = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(update))
  const lacks = () => [...expected].some(([id, clock]) => Y.getState(check.doc.store, id) < clock)
  for (let waited = 0; waited < 10_000 && lacks(); waited += 100) await delay(100)
  const isWhole = !lacks()
  check.close()
  return { figures, problems: isWhole ? [] : ['a fresh client has not the whole document'] }
}

/** Someone types and stays; the server ends, and is started again for each round with nobody in the room before. */
async function coldLog(context) {
  const { kind, parameters } = context
  const { keystrokes, rounds, isAskedToStop = false } = parameters
  const { updates, doc } = sessionUpdates({ count: keystrokes })
  const options = () => ({ port: context.server.port, dialect: kind.dialect, room })
  const typist = new Client({ ...options(), onClosed: () => {} })
  await typist.synced
  // So many that a log of one record each would not be compacted meanwhile.
  await pace({ perSecond: 500, total: keystrokes, step: index => typist.sendUpdate(updates[index]) })
  await untilQuiet(context.server, { leastMs: 4_000 })
  const end = () => (isAskedToStop ? context.server.stop() : context.server.kill())
  await end()
  const samples = []
  for (let round = 0; round < rounds; round++) {
    const server = await context.restart()
    await untilQuiet(server)
    const cpu = server.cpuMs()
    const joiner = new Client({ ...options(), onClosed: () => {} })
    await joiner.synced
    await delay(300)
    samples.push(server.cpuMs() - cpu)
    if (round < rounds - 1) await server.kill()
  }
  samples.sort((a, b) => a - b)
  const figures = { cpuMs: samples[Math.floor(rounds / 2)], worstMs: samples[rounds - 1] }
  const check = await realClient(options())
  const text = doc.getText('text').toString()
  await until(() => check.doc.getText('text').toString() === text, { ms: 10_000, what: 'the whole text' })
  check.close()
  return { figures, problems: [] }
}
