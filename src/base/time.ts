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

/** Settles as the work does; rejects with `late` when that has not been within `ms`. Nobody hears what comes after. */
export async function within<T>(
  work: Promise<T>,
  { time, ms, late }: { time: Pick<Time, 'after'>; ms: number; late: Error }
): Promise<T> {
  let cancel: Cancel = () => {}
  const deadline = new Promise<never>((_, reject) => {
    cancel = time.after(ms, () => reject(late))
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    cancel()
  }
}
