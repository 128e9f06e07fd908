/** A document as it was: from a whole state, the segments after it, and a part of the last one. */
import { ClockRuns } from '../document/clocks.ts'
import { scanUpdate } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import { cutUpdate } from './cut.ts'
import { openBody, openTimeline, type Segment } from './segment.ts'
import type { Change } from './timeline.ts'

/** Up to a record of the log, or up to a time since the epoch: what came then is part of it. */
export type Moment = { readonly sequence: number } | { readonly timeMs: number }

/** `keyframe`: the whole document as one update (V1) before the first of the segments; null: it was empty. */
export type Past = { readonly keyframe: Uint8Array | null; readonly segments: readonly Segment[] }

/** What a document held. The vector has the end of each client's clocks. */
export type State = {
  readonly vector: ReadonlyMap<number, number>
  readonly deletes: ClockRuns
}

/** The document as one update (V1), a new array. Throws ERR_BAD_MESSAGE or ERR_UPDATE_MALFORMED for what is damaged. */
export function documentAt(past: Past, moment: Moment): Uint8Array {
  const { state, segments } = foundAt(past, moment)
  const bodies = segments.map(openBody)
  const update = mergeUpdates([...(past.keyframe === null ? [] : [past.keyframe]), ...bodies, emptyUpdate])
  return cutUpdate(update, state.vector, state.deletes)
}

/** From timelines alone. */
export function stateAt(past: Past, moment: Moment): State {
  return foundAt(past, moment).state
}

const emptyUpdate = new Uint8Array([0, 0])

/** `segments`: those of which something is part of it. */
function foundAt(
  { keyframe, segments }: Past,
  moment: Moment
): { state: State; segments: readonly Segment[] } {
  const vector = new Map<number, number>()
  const deletes = new ClockRuns()
  if (keyframe !== null) {
    const scan = scanUpdate(keyframe)
    for (const { client, clock, length } of scan.structs) vector.set(client, clock + length)
    deletes.addAll(scan.deletes)
  }
  const found: Segment[] = []
  for (const segment of segments) {
    if (!isWithin({ sequence: segment.firstSequence, timeMs: segment.firstMs }, moment)) break
    found.push(segment)
    for (const change of openTimeline(segment).changes) {
      if (!isWithin(change, moment)) break
      for (const { client, clock, length } of change.inserted) vector.set(client, clock + length)
      deletes.addAll(change.deleted)
    }
  }
  return { state: { vector, deletes }, segments: found }
}

function isWithin(change: Pick<Change, 'sequence' | 'timeMs'>, moment: Moment): boolean {
  return 'sequence' in moment ? change.sequence <= moment.sequence : change.timeMs <= moment.timeMs
}
