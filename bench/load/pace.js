/** Things that happen at a rate, and waiting for things to come true. */
import { setTimeout as delay } from 'node:timers/promises'

/** Calls `step(index)` `perSecond` times a second, `total` times. A late step is made up for at once. */
export function pace({ perSecond, total, step }) {
  const start = performance.now()
  let done = 0
  let lateMs = 0
  return new Promise((resolve, reject) => {
    const turn = () => {
      try {
        const elapsed = performance.now() - start
        const due = Math.min(total, Math.floor((elapsed * perSecond) / 1000) + 1)
        lateMs = Math.max(lateMs, elapsed - (done * 1000) / perSecond)
        while (done < due) step(done++)
      } catch (error) {
        return reject(error)
      }
      if (done === total) resolve({ lateMs: Math.round(lateMs), seconds: (performance.now() - start) / 1000 })
      else setTimeout(turn, 1)
    }
    turn()
  })
}

/** Resolves when `isTrue()` holds; rejects after `ms` with what is missing. */
export async function until(isTrue, { ms, what }) {
  const end = performance.now() + ms
  while (!isTrue()) {
    if (performance.now() > end)
      throw new Error(`waited ${ms} ms for ${typeof what === 'string' ? what : what()}`)
    await delay(5)
  }
}

/**
 * Resolves when the server does (nearly) nothing any more: less than `share` of a core over `calmMs`, after at
 * least `leastMs`, in which debounced or idle-time work may yet begin.
 */
export async function untilQuiet(
  server,
  { leastMs = 0, calmMs = 1_500, mostMs = 120_000, share = 0.005 } = {}
) {
  const start = performance.now()
  for (;;) {
    const before = server.cpuMs()
    await delay(calmMs)
    const isCalm = server.cpuMs() - before < Math.max(8, calmMs * share)
    const elapsed = performance.now() - start
    if ((isCalm && elapsed >= leastMs) || elapsed > mostMs) return
  }
}

export { delay }
