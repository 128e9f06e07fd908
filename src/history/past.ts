/** What has to be read of a history to have the document as it was after some of its segments. */
import { Fault } from '../base/errors.ts'
import { segmentOf } from './growth.ts'
import type { Kept, KeptHistories } from './kept.ts'
import type { BlobEntry, KeyframeEntry, Manifest } from './manifest.ts'
import type { PastWork } from './work.ts'

/** Where the history ends: of all that is sealed the last number and time. */
export function endOf({ segments, keyframes, beginsAt }: Manifest): Manifest['beginsAt'] {
  const [segment, keyframe] = [segments.at(-1), keyframes.at(-1)]
  return {
    sequence: Math.max(beginsAt.sequence, segment?.lastSequence ?? 0, keyframe?.sequence ?? 0),
    timeMs: Math.max(beginsAt.timeMs, segment?.lastMs ?? 0, keyframe?.timeMs ?? 0)
  }
}

/** The last keyframe that stands before what comes after the first `count` segments; null: the document was empty. */
export function keyframeBefore({ segments, keyframes }: Manifest, count: number): KeyframeEntry | null {
  const next = segments[count]
  return keyframes.findLast(({ sequence }) => next === undefined || sequence <= next.firstSequence) ?? null
}

/**
 * Whole state and segments that make the document as it was after the first `count` segments. ERR_DOCUMENT_DAMAGED where a
 * body that is needed was pruned.
 */
export async function pastAfter(
  document: string,
  { kept, count }: { readonly kept: Kept; readonly count: number },
  histories: KeptHistories
): Promise<PastWork> {
  const { manifest, incarnation } = kept
  const keyframe = keyframeBefore(manifest, count)
  const since = manifest.segments
    .slice(0, count)
    .filter(({ lastSequence }) => keyframe === null || lastSequence > keyframe.sequence)
  const needed: BlobEntry[] = keyframe === null ? [] : [keyframe]
  for (const { timeline, body } of since) {
    if (body === null) throw new Fault('ERR_DOCUMENT_DAMAGED', 'a body that the history needs was pruned')
    needed.push(timeline, body)
  }
  const bytes = await histories.blobs(document, incarnation, needed)
  const rest = keyframe === null ? bytes : bytes.slice(1)
  const segments = since.map((entry, index) => {
    const [timeline, body] = [rest[2 * index], rest[2 * index + 1]]
    if (timeline === undefined || body === undefined) throw new Fault('ERR_INTERNAL', 'a blob too few')
    return segmentOf(entry, { timeline, body })
  })
  return { document, keyframe: keyframe === null ? null : (bytes[0] ?? null), segments }
}
