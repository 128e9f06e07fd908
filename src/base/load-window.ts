/**
 * How long the server gathers before it writes and sends. Gathering costs whoever waits some milliseconds and saves
 * the server writes; so it gathers little while the event loop has time, and more the fuller the loop gets.
 */
import { performance } from 'node:perf_hooks'
import type { Time } from './time.ts'

/** Share of its time that the event loop was busy since it was asked last, from 0 to 1. */
export type ReadBusy = () => number

type Limits = { readonly coalesceMs: number; readonly commitSpacingMs: number }

/** Busy below the first: there is time. Above the second: what the limits allow is gathered. */
const idleShare = 0.25
const fullShare = 0.6

/** What a socket write takes of the event loop, about; and how much longer than its writes a room gathers at least. */
const sendMs = 0.01
const gatherPerSend = 4

/** The loop is looked at so often, when somebody asks. Each look counts for this share of what is known of it. */
const lookMs = 50
const lookWeight = 0.3

export class LoadWindow {
  readonly #limits: Limits
  readonly #time: Pick<Time, 'nowMs'>
  readonly #readBusy: ReadBusy
  #busy = 0
  #lookedAtMs: number

  constructor({ limits, time }: { limits: Limits; time: Pick<Time, 'nowMs'> }, readBusy: ReadBusy) {
    this.#limits = limits
    this.#time = time
    this.#readBusy = readBusy
    this.#lookedAtMs = time.nowMs()
  }

  /** For what is sent to so many members at a time, in ms after it was done last: at most `coalesceMs`. */
  sendingMs(members: number): number {
    const { coalesceMs } = this.#limits
    const least = Math.min(coalesceMs, members * sendMs * gatherPerSend)
    return least + (coalesceMs - least) * this.#fullness()
  }

  /** For a write of all rooms' batches, in ms after the one before: at most `commitSpacingMs`. */
  writingMs(): number {
    return this.#limits.commitSpacingMs * this.#fullness()
  }

  /** 0: the event loop has time. 1: it has none to waste. */
  #fullness(): number {
    const nowMs = this.#time.nowMs()
    const sinceMs = nowMs - this.#lookedAtMs
    if (sinceMs >= lookMs) {
      // A look after a long silence counts for all of it.
      const weight = 1 - (1 - lookWeight) ** (sinceMs / lookMs)
      this.#busy += (this.#readBusy() - this.#busy) * weight
      this.#lookedAtMs = nowMs
    }
    return Math.min(1, Math.max(0, (this.#busy - idleShare) / (fullShare - idleShare)))
  }
}

/** Of the event loop of this thread. */
export function readEventLoop(): ReadBusy {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
