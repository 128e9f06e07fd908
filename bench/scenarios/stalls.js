/** The longest time a server's event loop does not come round, by what it was doing. */
import { Client, closeClients, closures, openClients } from '../load/client.js'
import { documentOf, plant } from '../load/documents.js'
import { delay, pace, untilQuiet } from '../load/pace.js'
import { sessionUpdates } from '../load/session.js'

const room = 'stalls'

export const scenarios = [5, 20].map(megabytes => ({
  name: `stalls-${megabytes}mb`,
  title: `Event loop: longest stall by a ${megabytes} MB document`,
  servers: ['chorus', 'y-leveldb', 'hocuspocus-sqlite'],
  figure: ['stallMs', 'ms, the longest of load, join, rejoin, typing and compaction'],
  parameters: { documentBytes: megabytes * 1_000_000, updates: 6_000 },
  quick: { updates: 3_000 },
  bars: [{ figure: 'stallMs', max: 20 }],
  run: stalls
}))

async function stalls(context) {
  const { kind, parameters } = context
  const { dialect } = kind
  const update = documentOf(parameters.documentBytes)
  // Receiving the document as one frame is not what is measured here.
  const planter = await plant({ port: context.server.port, dialect, room, update })
  planter.close()
  await untilQuiet(context.server, { leastMs: 14_000 })
  await context.server.stop()
  closures.length = 0
  await context.restart()
  const { server } = context
  const longest = async run => {
    await untilQuiet(server, { share: 0.06, mostMs: 10_000 })
    await server.watchStalls()
    await delay(50)
    await run()
    // The monitor's own timer takes a few percent.
    await untilQuiet(server, { share: 0.06, mostMs: 30_000 })
    return (await server.stalls()).maxMs
  }
  const options = { port: server.port, dialect, room }
  const kept = []
  const join = async count => kept.push(...(await openClients(count, count, () => options)))
  const figures = { restMs: await longest(() => delay(2_000)) }
  figures.loadMs = await longest(() => join(1))
  figures.joinStallMs = await longest(() => join(4))
  figures.typingStallMs = await longest(() => typeInto(options, parameters.updates))
  figures.leaveStallMs = await longest(async () => {
    closeClients(kept)
    await delay(13_000)
  })
  const { loadMs, joinStallMs, typingStallMs, leaveStallMs } = figures
  figures.stallMs = Math.max(loadMs, joinStallMs, typingStallMs, leaveStallMs)
  return { figures, problems: [] }
}

/** Enough keystrokes for the log to be worth compacting. */
async function typeInto({ port, dialect, room: name }, count) {
  const { updates } = sessionUpdates({ count })
  const typist = new Client({ port, dialect, room: name })
  await typist.synced
  await pace({ perSecond: 1_000, total: count, step: index => typist.sendUpdate(updates[index]) })
  await delay(3_000)
  typist.close()
}
