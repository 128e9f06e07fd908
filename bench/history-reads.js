/**
 * What looking at a history costs: the document at random moments, activity, differences, who wrote what, and a restore, as
 * CPU time of all threads and as time in the thread that answers; and the longest that the event loop was held meanwhile.
 * On typed text, on maps
 * that are rewritten, and on editing traces (https://github.com/josephg/editing-traces) that are named.
 *
 *   node bench/history-reads.js [--moments 200] [--only prose|maps|traces] [--trace trace.json.gz]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { openStore } from '../dist/persistence/index.js'
import { systemTime } from '../dist/src/base/time.js'
import { HistoryReads } from '../dist/src/documents/history-reads.js'
import { HistoryViews } from '../dist/src/documents/history-views.js'
import { sealingWork } from '../dist/src/history/work.js'
import { HistoryWorkers } from '../dist/src/history/workers.js'
import { board, limits, median, prose, randomOf, sealedLog, trace } from './history-parts.js'

const { values } = parseArgs({
  options: {
    moments: { type: 'string', default: '200' },
    only: { type: 'string' },
    trace: { type: 'string', multiple: true, default: [] }
  }
})
const momentsCount = Number(values.moments)

/** Questions of a document, each with the CPU time of the process and how long the worker had it, in milliseconds. */
function asker(store, histories) {
  const workers = new HistoryWorkers(limits)
  const { parts } = histories
  const views = new HistoryViews({
    ...{ store, kept: histories.histories.kept, work: sealingWork(workers), policyOf: () => null },
    ...{ slices: parts.slices, limits }
  })
  let tookMs = 0
  const metrics = { historyRead() {}, historyReadTook: (_, ms) => (tookMs = ms) }
  const reads = new HistoryReads({ views, workers, metrics })
  const cpuOf = async ask => {
    const before = process.cpuUsage()
    await ask(reads)
    const { user, system } = process.cpuUsage(before)
    return { cpu: (user + system) / 1_000, thread: tookMs }
  }
  return { cpuOf, close: () => workers.close() }
}

const worst = numbers => Math.max(...numbers)
const shown = (name, all) => {
  const of = kind => {
    const numbers = all.map(each => each[kind])
    return `${median(numbers).toFixed(1)} median, ${worst(numbers).toFixed(1)} worst`
  }
  console.log(
    `  ${name.padEnd(9)} ms of CPU in all threads: ${of('cpu')}; in the worker by the clock: ${of('thread')}`
  )
}

async function repeated(times, ask) {
  const all = []
  for (let round = 0; round <= times; round++) {
    const cost = await ask(round)
    // The first one starts the thread.
    if (round > 0) all.push(cost)
  }
  return all
}

async function measure(store, name, updates) {
  const { on, manifest } = await sealedLog(store, name, updates)
  const { segments, keyframes, holes } = manifest
  const head = segments.at(-1).lastSequence
  console.log(
    `${name}: ${updates.length} updates, ${segments.length} segments, ${keyframes.length} keyframes, ${holes.length} holes`
  )
  const { cpuOf, close } = asker(store, on)
  const random = randomOf(421_327_013)
  const asking = { document: name }
  const moment = () => ({ sequence: 1 + Math.floor(random() * head) })
  const answerBytesMax = limits.historyAnswerBytesMax
  const all = { roots: null, answerBytesMax }
  const now = (await store.load(name)).checkpoint?.segments ?? []
  const loop = monitorEventLoopDelay({ resolution: 1 })
  // What came before is not counted.
  await new Promise(resolve => systemTime.soon(resolve))
  loop.enable()
  shown('at', await repeated(momentsCount, () => cpuOf(reads => reads.at(asking, moment()))))
  const question = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, pauseMs: 120_000, burstsMax: 1_000 }
  shown('activity', await repeated(5, () => cpuOf(reads => reads.activity(asking, question))))
  const between = round => ({ from: { sequence: Math.floor((head * (round + 1)) / 8) }, to: null, ...all })
  shown('diff', await repeated(5, round => cpuOf(reads => reads.differences(asking, between(round)))))
  shown('blame', await repeated(5, () => cpuOf(reads => reads.blame(asking, { from: null, ...all }))))
  const taking = { now, copies: [], client: 7, roots: null }
  const back = round => ({ sequence: Math.floor((head * (round + 1)) / 8) })
  shown('restore', await repeated(5, round => cpuOf(reads => reads.restored(asking, back(round), taking))))
  loop.disable()
  console.log(`  the event loop was held for ${(loop.max / 1e6).toFixed(1)} ms at most`)
  await Promise.all([on.close(), close()])
}

const directory = mkdtempSync(join(tmpdir(), 'chorus-bench-'))
const store = await openStore(directory)
try {
  const isOn = kind => values.only === undefined || values.only === kind
  if (isOn('prose')) await measure(store, 'prose', prose(260_000))
  if (isOn('maps')) await measure(store, 'maps', board(20_000))
  if (isOn('traces'))
    for (const path of values.trace) await measure(store, path.split('/').at(-1), trace(path))
  console.log(`load average ${loadavg()[0].toFixed(1)}`)
} finally {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
}
