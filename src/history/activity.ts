/**
 * Who worked when, from timelines alone: what one author did without a long pause is one burst, however many others worked
 * at the same time.
 */
import type { Author } from '../../persistence/author.ts'
import type { ClockRange } from '../document/scan.ts'
import type { Change } from './timeline.ts'

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

/** `changes`: of a history, in order. */
export function activity(changes: Iterable<Change>, question: ActivityQuestion): Activity {
  const { fromMs, toMs, pauseMs, burstsMax } = question
  const bursts: Burst[] = []
  /** The last burst of each author, as its place in the list. */
  const last = new Map<string, number>()
  for (const change of changes) {
    if (change.timeMs < fromMs) continue
    if (change.timeMs > toMs) break
    const key = whose(change.author)
    const place = last.get(key) ?? -1
    const burst = bursts[place]
    if (burst !== undefined && change.timeMs - burst.toMs <= pauseMs) bursts[place] = prolonged(burst, change)
    else last.set(key, bursts.push(begun(change)) - 1)
  }
  return { bursts: bursts.slice(-burstsMax), isComplete: bursts.length <= burstsMax }
}

/** Who has a name is one person, over how many connections ever. */
function whose(author: Author | null): string {
  if (author === null) return ''
  const { user, connection, origin } = author
  return JSON.stringify(user === null ? [origin, null, connection] : [origin, user])
}

function begun({ author, sequence, timeMs, inserted, deleted }: Change): Burst {
  return {
    author,
    fromMs: timeMs,
    toMs: timeMs,
    firstSequence: sequence,
    lastSequence: sequence,
    changes: 1,
    inserted: lengthOf(inserted),
    deleted: lengthOf(deleted)
  }
}

function prolonged(burst: Burst, { sequence, timeMs, inserted, deleted }: Change): Burst {
  return {
    ...burst,
    toMs: timeMs,
    lastSequence: sequence,
    changes: burst.changes + 1,
    inserted: burst.inserted + lengthOf(inserted),
    deleted: burst.deleted + lengthOf(deleted)
  }
}

function lengthOf(ranges: readonly ClockRange[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0)
}
