/** Time as a parameter, so that tests and the simulation own it. */

export type BusTime = {
  /** Runs once after the delay. The returned function cancels it and may be called at any time. */
  after(delayMs: number, run: () => void): () => void
}

export const realTime: BusTime = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  }
}
