/** A document as it was: from a whole state, the segments after it, and a part of the last one. */
import type { Author } from '../../persistence/author.ts'
import { ClockRuns } from '../document/clocks.ts'
import { type ClockRange, scanUpdate } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import { cutUpdate } from './cut.ts'
import { changesOf, openBody, type Part } from './segment.ts'
import type { Change, FlatRanges } from './timeline.ts'

/** Up to a record of the log, or up to a time since the epoch: what came then is part of it. */
export type Moment = { readonly sequence: number } | { readonly timeMs: number }

/** `keyframe`: the whole document as one update (V1) before the first of the segments; null: it was empty. */
export type Past = {
  readonly keyframe: Uint8Array | null
  readonly segments: readonly Part[]
}

/** What a document held. The vector has the end of each client's clocks. */
export type State = {
  readonly vector: ReadonlyMap<number, number>
  readonly deletes: ClockRuns
}

/** The document as one update (V1), a new array. Throws ERR_BAD_MESSAGE or ERR_UPDATE_MALFORMED for what is damaged. */
export function documentAt(past: Past, moment: Moment): Uint8Array {
  const { state, segments } = foundAt(past, moment)
  return cutUpdate(joinedUpdate(past, segments), state.vector, state.deletes)
}

function joinedUpdate({ keyframe }: Past, segments: Past['segments']): Uint8Array {
  return mergeUpdates([...(keyframe === null ? [] : [keyframe]), ...segments.map(openBody), emptyUpdate])
}

/** From timelines alone. */
export function stateAt(past: Past, moment: Moment): State {
  return foundAt(past, moment).state
}

/** What of a document's past is to be taken back: of whom, after one moment and up to another. */
export type Deeds = {
  readonly after: Moment
  readonly upTo: Moment
  readonly isOf: (author: Author | null) => boolean
}

/**
 * What they inserted and deleted, and the document in which what they deleted is still there, as `undo` takes it: at the
 * later moment, without their deletions. The keyframe must not be of after the earlier moment.
 */
export function deedsIn(
  past: Past,
  { after, upTo, isOf }: Deeds
): { content: Uint8Array; inserted: ClockRuns; deleted: ClockRuns } {
  const { state, segments } = foundAt(past, upTo)
  const [insertions, deletions] = [new Gathering(), new Gathering()]
  for (const segment of segments) {
    const change = changesOf(segment)
    while (change.next() && isWithin(change, upTo)) {
      if (isWithin(change, after) || !isOf(change.author)) continue
      insertions.add(change.inserted)
      deletions.add(change.deleted)
    }
  }
  const [inserted, deleted] = [insertions.runs(), deletions.runs()]
  const content = cutUpdate(joinedUpdate(past, segments), state.vector, state.deletes.subtract(deleted))
  return { content, inserted, deleted }
}

const emptyUpdate = new Uint8Array([0, 0])

/** `segments`: those of which something is part of it. */
function foundAt({ keyframe, segments }: Past, moment: Moment): { state: State; segments: Past['segments'] } {
  const vector = new Map<number, number>()
  const deletions = new Gathering()
  const found: Part[] = []
  for (const segment of segments) {
    if (!isWithin({ sequence: segment.firstSequence, timeMs: segment.firstMs }, moment)) break
    found.push(segment)
    const change = changesOf(segment)
    while (change.next() && isWithin(change, moment)) {
      const { inserted } = change
      for (let at = 0; at < inserted.length; at += 3) {
        vector.set(inserted[at] ?? 0, (inserted[at + 1] ?? 0) + (inserted[at + 2] ?? 0))
      }
      deletions.add(change.deleted)
    }
  }
  const deletes = deletions.runs()
  if (keyframe !== null) {
    const scan = scanUpdate(keyframe)
    for (const { client, clock, length } of scan.structs)
      vector.set(client, Math.max(clock + length, vector.get(client) ?? 0))
    deletes.addAll(scan.deletes)
  }
  return { state: { vector, deletes }, segments: found }
}

/** Ranges of many changes: sorted once, as adding each to the runs of its client would move all behind it. */
class Gathering {
  readonly #ofClients = new Map<number, number[]>()

  add(ranges: FlatRanges): void {
    for (let at = 0; at < ranges.length; at += 3) {
      const client = ranges[at] ?? 0
      const own = this.#ofClients.get(client) ?? []
      if (own.length === 0) this.#ofClients.set(client, own)
      own.push(ranges[at + 1] ?? 0, ranges[at + 2] ?? 0)
    }
  }

  runs(): ClockRuns {
    return ClockRuns.from(this.#ranges())
  }

  *#ranges(): Generator<ClockRange> {
    for (const [client, own] of this.#ofClients) {
      for (let at = 0; at < own.length; at += 2)
        yield { client, clock: own[at] ?? 0, length: own[at + 1] ?? 0 }
    }
  }
}

function isWithin(change: Pick<Change, 'sequence' | 'timeMs'>, moment: Moment): boolean {
  return 'sequence' in moment ? change.sequence <= moment.sequence : change.timeMs <= moment.timeMs
}
