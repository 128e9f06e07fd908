/**
 * Who worked when, from timelines alone: what one author did without a long pause is one burst, however many others worked
 * at the same time.
 */
import type { Author } from '../../persistence/author.ts'
import type { ChangeCursor, FlatRanges } from './timeline.ts'

/** `inserted`, `deleted`: characters of text, entries of lists and maps. Times are since the epoch. */
export type Burst = {
  readonly author: Author | null
  readonly fromMs: number
  readonly toMs: number
  readonly firstSequence: number
  readonly lastSequence: number
  readonly changes: number
  readonly inserted: number
  readonly deleted: number
}

export type ActivityQuestion = {
  readonly fromMs: number
  readonly toMs: number
  /** A longer pause of an author ends a burst. */
  readonly pauseMs: number
  /** Of more bursts the newest are given. */
  readonly burstsMax: number
}

/** In the order in which they began. `isComplete`: no burst was left out. */
export type Activity = { readonly bursts: readonly Burst[]; readonly isComplete: boolean }

/** `timelines`: of a history, in order, each before its first change. */
export function activity(timelines: Iterable<ChangeCursor>, question: ActivityQuestion): Activity {
  const { fromMs, toMs, pauseMs, burstsMax } = question
  const bursts: Open[] = []
  /** The last burst of each author. */
  const last = new Map<string, Open>()
  for (const change of timelines) {
    const keys = change.authors.map(whose)
    while (change.next() && change.timeMs <= toMs) {
      if (change.timeMs < fromMs) continue
      const key = keys[change.authorPlace] ?? ''
      const burst = last.get(key)
      if (burst !== undefined && change.timeMs - burst.toMs <= pauseMs) prolong(burst, change)
      else last.set(key, begin(bursts, change))
    }
  }
  return { bursts: bursts.slice(-burstsMax), isComplete: bursts.length <= burstsMax }
}

/** A burst that may go on. */
type Open = { -readonly [K in keyof Burst]: Burst[K] }

/** Who has a name is one person, over how many connections ever. */
function whose(author: Author | null): string {
  if (author === null) return ''
  const { user, connection, origin } = author
  return JSON.stringify(user === null ? [origin, null, connection] : [origin, user])
}

function begin(bursts: Open[], change: ChangeCursor): Open {
  const { author, sequence, timeMs } = change
  const burst = {
    author,
    fromMs: timeMs,
    toMs: timeMs,
    firstSequence: sequence,
    lastSequence: sequence,
    changes: 0,
    inserted: 0,
    deleted: 0
  }
  bursts.push(burst)
  prolong(burst, change)
  return burst
}

function prolong(burst: Open, { sequence, timeMs, inserted, deleted }: ChangeCursor): void {
  burst.toMs = timeMs
  burst.lastSequence = sequence
  burst.changes++
  burst.inserted += lengthOf(inserted)
  burst.deleted += lengthOf(deleted)
}

function lengthOf(ranges: FlatRanges): number {
  let sum = 0
  for (let at = 2; at < ranges.length; at += 3) sum += ranges[at] ?? 0
  return sum
}
