/**
 * Loaded into every measured server (`node --import`): answers its parent's questions about memory and stalls. It
 * changes nothing of the server and costs nothing until asked.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

const resolutionMs = 1
let monitor = null

function collectGarbage() {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  gc()
  gc()
}

const answers = {
  memory() {
    collectGarbage()
    const { rss, heapUsed, external } = process.memoryUsage()
    return { rss, kept: heapUsed + external }
  },
  watchStalls() {
    monitor ??= monitorEventLoopDelay({ resolution: resolutionMs })
    monitor.reset()
    monitor.enable()
    return {}
  },
  /** The longest time the event loop did not come round, and the 99th percentile, since `watchStalls`. */
  stalls() {
    const toMs = nanoseconds => Math.max(0, nanoseconds / 1e6 - resolutionMs)
    return { maxMs: toMs(monitor.max), p99Ms: toMs(monitor.percentile(99)) }
  }
}

if (isMainThread && process.channel !== undefined) {
  process.on('message', ({ id, ask }) => process.send({ id, answer: answers[ask]() }))
  // A server that has nothing left to do ends as it would without us.
  process.channel.unref()
}
