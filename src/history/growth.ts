/**
 * How the list of segments grows: small ones are merged as digits are carried, so that there are few and none is written
 * often, and a keyframe is made when reading what came since the last one costs more than the document.
 */
import type { Limits } from '../base/limits.ts'
import type { BlobEntry, Manifest, SegmentEntry } from './manifest.ts'
import type { Segment } from './segment.ts'

type MergeLimits = Pick<Limits, 'historyMergedChangesMax' | 'historyMergedBytesMax' | 'historyMergedMs'>

/** What reading a change costs beside the bytes of the body. */
const changeBytes = 16

/**
 * How many of the last segments are to be merged with this new one: those that are at most twice as large as what was
 * gathered so far, together within the limits, and neither behind a keyframe or a hole nor pruned.
 */
export function mergedWith(manifest: Manifest, segment: Segment, limits: MergeLimits): number {
  const { segments, keyframes, holes } = manifest
  const wall = Math.max(keyframes.at(-1)?.sequence ?? 0, holes.at(-1)?.toSequence ?? 0)
  let { changes, joinedBytes } = segment
  let count = 0
  for (;;) {
    const last = segments[segments.length - 1 - count]
    if (last === undefined || last.body === null || last.firstSequence <= wall) return count
    if (sizeOf(last) > 2 * sizeOf({ changes, joinedBytes })) return count
    changes += last.changes
    joinedBytes += last.joinedBytes
    const isWithin = changes <= limits.historyMergedChangesMax && joinedBytes <= limits.historyMergedBytesMax
    if (!isWithin || segment.lastMs - last.firstMs > limits.historyMergedMs) return count
    count++
  }
}

function sizeOf({ changes, joinedBytes }: Pick<SegmentEntry, 'changes' | 'joinedBytes'>): number {
  return joinedBytes + changes * changeBytes
}

/** Whether a keyframe is due at the end of what is sealed. */
export function isKeyframeDue(
  { segments, keyframes, documentBytes }: Manifest,
  {
    historyKeyframeBytesMin,
    historyKeyframeRatio
  }: Pick<Limits, 'historyKeyframeBytesMin' | 'historyKeyframeRatio'>
): boolean {
  const last = keyframes.at(-1)?.sequence ?? -1
  const since = segments
    .filter(({ lastSequence }) => lastSequence > last)
    .reduce((sum, { joinedBytes }) => sum + joinedBytes, 0)
  return since > Math.max(historyKeyframeBytesMin, historyKeyframeRatio * documentBytes)
}

/** A segment as the manifest lists it. */
export function entryOf(
  { timeline: _, body: __, ...segment }: Segment,
  blobs: { readonly timeline: BlobEntry; readonly body: BlobEntry }
): SegmentEntry {
  return { ...segment, ...blobs }
}

/** A segment that is listed, from its blobs. */
export function segmentOf(
  { timeline: _, body: __, ...entry }: SegmentEntry,
  blobs: { readonly timeline: Uint8Array; readonly body: Uint8Array }
): Segment {
  return { ...entry, ...blobs }
}
