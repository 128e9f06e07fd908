/**
 * Loaded into a server's process before anything else (`node --import`): a wall clock that a test sets. At SIGUSR2 it is
 * ahead by so many milliseconds (or behind, below 0) as the file in CHORUS_CLOCK says, and a line on standard error says
 * so. Timers and `performance.now()` go on as they were, as when a machine's clock is set.
 */
import { readFileSync } from 'node:fs'

const RealDate = Date
let aheadMs = 0

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + aheadMs)
    else super(...parts)
  }

  static now() {
    return RealDate.now() + aheadMs
  }
}

process.on('SIGUSR2', () => {
  aheadMs = Number(readFileSync(process.env.CHORUS_CLOCK, 'utf8'))
  process.stderr.write(`the wall clock is ahead by ${aheadMs} ms\n`)
})
