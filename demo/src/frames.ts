// Doing things once, however often they are asked for.

/** Returns a function that makes `act` run in the next frame, once for all calls before it. */
export function oncePerFrame(act: () => void): () => void {
  let isScheduled = false
  return () => {
    if (isScheduled) return
    isScheduled = true
    // A hidden tab draws no frames: what is shown is then right as soon as it is looked at.
    requestAnimationFrame(() => {
      isScheduled = false
      act()
    })
  }
}

/** Returns a function that makes `act` run soon, at most once in `intervalMs`, and once after the last call. */
export function atMostEvery(intervalMs: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let actedAt = Number.NEGATIVE_INFINITY
  return () => {
    if (timer !== undefined) return
    const run = () => {
      timer = undefined
      actedAt = performance.now()
      act()
    }
    timer = setTimeout(run, Math.max(0, actedAt + intervalMs - performance.now()))
  }
}
