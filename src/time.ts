/** Time as a parameter, so that tests and the simulation own it. */

export type Cancel = () => void

export type Time = {
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number
  /** Milliseconds since the epoch, for what is stored. */
  wallMs(): number
  /** Runs once after the delay. The returned function cancels it and may be called at any time. */
  after(delayMs: number, run: () => void): Cancel
  /** Runs when the current turn of the event loop has read what there was to read. */
  soon(run: () => void): Cancel
}

export const systemTime: Time = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  soon: run => {
    const immediate = setImmediate(run)
    return () => clearImmediate(immediate)
  }
}
