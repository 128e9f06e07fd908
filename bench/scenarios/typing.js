/** One person typing a long session: what each update costs in the end, and what is there after a restart. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as Y from 'yjs'
import { Client } from '../load/client.js'
import { delay, pace, until, untilQuiet } from '../load/pace.js'
import { realClient } from '../load/real-client.js'
import { sessionUpdates } from '../load/session.js'
import { maskedFrame } from '../load/socket.js'

const room = 'typing'
const stored = ['chorus', 'y-leveldb', 'hocuspocus-sqlite']
/** Rooms are closed, and debounced work begun, within this time after everyone has left. */
const leftMs = 14_000

export const scenarios = [
  {
    name: 'typing',
    title: 'Typing a session of 50,000 updates, until quiet; then a restart',
    servers: ['chorus', 'y-websocket', 'y-leveldb', 'hocuspocus-sqlite'],
    figure: ['cpuUs', 'µs per update, until quiet'],
    parameters: { count: 50_000, perSecond: 2_000 },
    quick: { count: 6_000 },
    bars: [
      { figure: 'cpuUs', against: ['hocuspocus-sqlite'], factor: 0.8 },
      { figure: 'restartCpuMs', against: ['hocuspocus-sqlite'], factor: 0.25 }
    ],
    run: typing
  },
  {
    name: 'long-lived',
    title: 'A long-lived room: 250,000 keystrokes in a text that stays at 20,000 characters',
    servers: stored,
    figure: ['costRatio', 'last 1,000 keystrokes ÷ first 1,000'],
    parameters: { count: 250_000, probe: 1_000, bulkPerSecond: 5_000, joins: 50, lengthMax: 20_000 },
    quick: { count: 24_000, joins: 10 },
    bars: [
      { figure: 'costRatio', max: 1.25 },
      { figure: 'joinRatio', max: 1.5 },
      { figure: 'diskRatio', max: 3 }
    ],
    run: longLived
  }
]

async function typing(context) {
  const { kind, parameters, trace } = context
  const { perSecond } = parameters
  const { dialect } = kind
  const { updates, doc } = sessionUpdates({ trace, count: parameters.count })
  const frames = updates.map(update => maskedFrame(dialect.update(room, update)))
  const warmUp = new Client({ port: context.server.port, dialect, room: 'warm-up' })
  await warmUp.synced
  const typist = new Client({ port: context.server.port, dialect, room })
  await typist.synced
  await untilQuiet(context.server)
  const cpu = context.server.cpuMs()
  await pace({ perSecond, total: frames.length, step: index => typist.send(frames[index]) })
  const problems = await differences({ context, doc })
  typist.close()
  await untilQuiet(context.server, { leastMs: leftMs })
  const figures = { cpuUs: ((context.server.cpuMs() - cpu) * 1000) / frames.length }
  warmUp.close()
  if (!kind.isDurable) return { figures, problems }
  figures.diskRatio = diskBytes(context.data) / Y.encodeStateAsUpdate(doc).length
  Object.assign(figures, await coldStart(context))
  problems.push(...(await differences({ context, doc })).map(problem => `after the restart: ${problem}`))
  return { figures, problems }
}

/** From the first client's connect to its sync, in a process that has done nothing else. */
async function coldStart(context) {
  await context.server.stop()
  const server = await context.restart()
  await untilQuiet(server)
  const cpu = server.cpuMs()
  const at = performance.now()
  const client = new Client({ port: server.port, dialect: context.kind.dialect, room })
  await client.synced
  const figures = { restartCpuMs: server.cpuMs() - cpu, restartMs: performance.now() - at }
  client.close()
  return figures
}

/** What a fresh real client finds, against what was typed. */
async function differences({ context, doc, ms = 60_000 }) {
  const { dialect } = context.kind
  const expected = doc.getText('text').toString()
  const client = await realClient({ port: context.server.port, dialect, room })
  try {
    await until(() => client.doc.getText('text').toString() === expected, { ms, what: 'the whole text' })
    return []
  } catch {
    const { length } = client.doc.getText('text').toString()
    return [`a fresh client has ${length} characters, not the ${expected.length} typed`]
  } finally {
    client.close()
  }
}

async function longLived(context) {
  const { kind, parameters, trace } = context
  const { probe, bulkPerSecond, joins } = parameters
  const { updates, doc } = sessionUpdates({ trace, count: parameters.count, lengthMax: parameters.lengthMax })
  const frames = updates.map(update => maskedFrame(kind.dialect.update(room, update)))
  const typist = new Client({ port: context.server.port, dialect: kind.dialect, room })
  await typist.synced
  let next = 0
  const type = (count, perSecond) =>
    pace({ perSecond, total: count, step: () => typist.send(frames[next++]) })
  const probeCost = async () => {
    await untilQuiet(context.server)
    const cpu = context.server.cpuMs()
    await type(probe, 200)
    await delay(500)
    return ((context.server.cpuMs() - cpu) * 1000) / probe
  }
  const joinCost = async () => {
    await untilQuiet(context.server, { leastMs: 3_000 })
    const cpu = context.server.cpuMs()
    for (let i = 0; i < joins; i++) {
      const joiner = new Client({ port: context.server.port, dialect: kind.dialect, room })
      await joiner.synced
      joiner.close()
    }
    return (context.server.cpuMs() - cpu) / joins
  }
  // The server's code is warm before the first figure.
  await type(2 * probe, 1_000)
  const first = await probeCost()
  await type(Math.floor(frames.length / 5) - next, bulkPerSecond)
  const joinFirst = await joinCost()
  await type(frames.length - probe - next, bulkPerSecond)
  const last = await probeCost()
  const joinLast = await joinCost()
  typist.close()
  await untilQuiet(context.server, { leastMs: leftMs })
  const figures = {
    costRatio: last / first,
    firstUs: first,
    lastUs: last,
    joinRatio: joinLast / joinFirst,
    joinMs: joinLast,
    diskRatio: diskBytes(context.data) / Y.encodeStateAsUpdate(doc).length
  }
  const cold = await coldStart(context)
  return { figures: { ...figures, ...cold }, problems: await differences({ context, doc }) }
}

function diskBytes(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
