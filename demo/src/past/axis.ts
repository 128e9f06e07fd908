// The line on which the past lies. Its unit is a record of the log, not a second: where nobody did anything there is
// nothing to slide over, so a night is as wide as a pause for breath. It knows nothing of the page.
import type { Burst, Extent } from './answers.ts'

/** A longer silence of everybody is a pause: a mark on the line, and something to compare with. */
export const pauseMs = 4_000

export type Pause = { readonly afterSequence: number; readonly ms: number }

export type Axis = {
  /** The first and the last moment, as sequence numbers. */
  readonly first: number
  readonly last: number
  readonly bursts: readonly Burst[]
  readonly pauses: readonly Pause[]
}

/** `bursts`: in the order in which they began; `isComplete`: none was left out. */
export function axisOf({ beginsAt, head }: Extent, bursts: readonly Burst[], isComplete: boolean): Axis {
  const oldest = Math.min(...bursts.map(({ firstSequence }) => firstSequence))
  const first = isComplete ? beginsAt.sequence : Math.max(beginsAt.sequence, oldest - 1)
  return { first, last: Math.max(first, head), bursts, pauses: pausesBetween(bursts) }
}

function pausesBetween(bursts: readonly Burst[]): Pause[] {
  const pauses: Pause[] = []
  let [endMs, endSequence] = [Number.POSITIVE_INFINITY, 0]
  for (const { fromMs, toMs, lastSequence } of bursts) {
    if (fromMs - endMs > pauseMs) pauses.push({ afterSequence: endSequence, ms: fromMs - endMs })
    endMs = Number.isFinite(endMs) ? Math.max(endMs, toMs) : toMs
    endSequence = Math.max(endSequence, lastSequence)
  }
  return pauses
}

/** Where on the line a moment is, from 0 to 1. */
export function shareOf({ first, last }: Axis, sequence: number): number {
  return last === first ? 1 : Math.min(1, Math.max(0, (sequence - first) / (last - first)))
}

/** When it was, as near as bursts tell; null: before anything was done. */
export function timeAt({ bursts }: Axis, sequence: number): number | null {
  let best: Burst | null = null
  for (const burst of bursts) {
    if (burst.firstSequence > sequence) continue
    if (best === null || Math.min(burst.lastSequence, sequence) >= Math.min(best.lastSequence, sequence)) {
      best = burst
    }
  }
  if (best === null) return null
  const { firstSequence, lastSequence, fromMs, toMs } = best
  if (sequence >= lastSequence) return toMs
  return fromMs + ((toMs - fromMs) * (sequence - firstSequence)) / (lastSequence - firstSequence)
}

/** Those who were at work then. */
export function burstsAt({ bursts }: Axis, sequence: number): readonly Burst[] {
  return bursts.filter(each => each.firstSequence <= sequence && sequence <= each.lastSequence)
}

/** The end of what was done before the pause before a moment: the beginning, if there was no pause. */
export function pauseBefore({ first, pauses }: Axis, sequence: number): number {
  return pauses.findLast(({ afterSequence }) => afterSequence < sequence)?.afterSequence ?? first
}
