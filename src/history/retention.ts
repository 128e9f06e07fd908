/** What of a history is too old or too much, and where it can be cut. Pure. */
import type { Limits } from '../base/limits.ts'
import { bytesOf } from './kept.ts'
import type { KeyframeEntry, Manifest, SegmentEntry, Version } from './manifest.ts'
import { endOf } from './past.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** How many of the first segments are all from before a time (since the epoch). */
export function olderThan({ segments }: Manifest, timeMs: number): number {
  const count = segments.findIndex(({ lastMs }) => lastMs >= timeMs)
  return count === -1 ? segments.length : count
}

/** Whether nothing of it is from after a time: not what is sealed, no version, no restore. */
export function isAllOlderThan(manifest: Manifest, timeMs: number): boolean {
  const times = [
    ...manifest.versions.map(({ madeMs }) => madeMs),
    ...manifest.restores.map(each => each.timeMs)
  ]
  return Math.max(endOf(manifest).timeMs, ...times) < timeMs
}

/** When it is too much it is cut to this share, so that it is not cut again at once. */
const sharedAfterCut = 0.75

/** How many of the first segments have to go so that the rest is within the bytes; all, if that is not enough. */
export function beyondBytes(manifest: Manifest, bytesMax: number): number {
  const { segments, keyframes, documentBytes } = manifest
  let bytes = bytesOf(manifest)
  if (bytes <= bytesMax) return 0
  const keyframeBytes = keyframes.at(-1)?.bytes ?? documentBytes
  for (const [index, segment] of segments.entries()) {
    bytes -= bytesOfSegment(segment)
    const cut = cutAfter(manifest, index + 1)
    const stays = keyframes.filter(({ sequence }) => sequence >= cut.beginsAt.sequence)
    const kept = [...stays, ...(cut.keyframe === null ? [{ bytes: keyframeBytes }] : [])]
    const ofKeyframes = sum(kept) - sum(keyframes)
    if (bytes + ofKeyframes <= sharedAfterCut * bytesMax) return index + 1
  }
  return segments.length
}

/** How many of the first segments have to go as there are too many. */
export function beyondCount(
  { segments }: Manifest,
  { historySegmentsMax }: Pick<Limits, 'historySegmentsMax'>
): number {
  return Math.max(0, segments.length - historySegmentsMax)
}

/** Begins behind the last of the holes that are too many; null: there are not. */
export function withoutFirstHoles(
  manifest: Manifest,
  { historyHolesMax }: Pick<Limits, 'historyHolesMax'>
): Manifest | null {
  const { segments, keyframes, holes } = manifest
  const hole = holes[holes.length - historyHolesMax - 1]
  const keyframe = keyframes.find(({ sequence }) => sequence === hole?.toSequence)
  if (hole === undefined || keyframe === undefined) return null
  const count = segments.filter(({ lastSequence }) => lastSequence <= hole.afterSequence).length
  const beginsAt = { sequence: keyframe.sequence, timeMs: keyframe.timeMs }
  return withoutFirst(manifest, { count, keyframe, beginsAt }, 'all')
}

/** `keyframe`: the one that stands where the first `count` segments end; null: it has to be made. */
export type Cut = { readonly keyframe: KeyframeEntry | null; readonly beginsAt: Manifest['beginsAt'] }

/** Of at least one segment. */
export function cutAfter({ segments, keyframes, beginsAt }: Manifest, count: number): Cut {
  const [last, next] = [segments[count - 1], segments[count]]
  if (last === undefined) return { keyframe: null, beginsAt }
  const keyframe = keyframes.findLast(({ sequence }) => {
    return sequence >= last.lastSequence && (next === undefined || sequence <= next.firstSequence)
  })
  if (keyframe === undefined) {
    return { keyframe: null, beginsAt: { sequence: last.lastSequence, timeMs: last.lastMs } }
  }
  return { keyframe, beginsAt: { sequence: keyframe.sequence, timeMs: keyframe.timeMs } }
}

/** `without`: the first segments go with all they have, or only their bodies. */
export type CutKind = 'all' | 'bodies'

/**
 * Without the first `count` segments, and what cannot be read without them: earlier keyframes, versions and holes.
 * `keyframe`: the one that stands where they end.
 */
export function withoutFirst(
  manifest: Manifest,
  { count, keyframe, beginsAt }: { count: number; keyframe: KeyframeEntry; beginsAt: Manifest['beginsAt'] },
  kind: CutKind
): Manifest {
  const { segments, keyframes, versions, holes } = manifest
  const pruned = segments.slice(0, count).map(segment => ({ ...segment, body: null }))
  const later = keyframes.filter(({ sequence }) => sequence > keyframe.sequence)
  return {
    ...manifest,
    segments: [...(kind === 'all' ? [] : pruned), ...segments.slice(count)],
    keyframes: [keyframe, ...later],
    versions: versions.filter(({ sequence }) => sequence >= beginsAt.sequence),
    holes: holes.filter(({ toSequence }) => toSequence > beginsAt.sequence),
    beginsAt
  }
}

/**
 * Versions that the server has made grow fewer with age: of the last day all stay, then one an hour of a week, then one a
 * day, the newest of each. Those that somebody has named stay.
 */
export function thinned(versions: readonly Version[], nowMs: number): readonly Version[] {
  const taken = new Set<string>()
  const stays = new Set<string>()
  for (const { id, kind, timeMs } of [...versions].sort((one, other) => other.timeMs - one.timeMs)) {
    const ageMs = nowMs - timeMs
    const stepMs = ageMs < 7 * dayMs ? hourMs : dayMs
    const place = `${stepMs} ${Math.floor(timeMs / stepMs)}`
    if (kind !== 'named' && ageMs > dayMs && taken.has(place)) continue
    if (kind !== 'named' && ageMs > dayMs) taken.add(place)
    stays.add(id)
  }
  return versions.filter(({ id }) => stays.has(id))
}

function bytesOfSegment({ timeline, body }: SegmentEntry): number {
  return timeline.bytes + (body?.bytes ?? 0)
}

function sum(all: readonly { readonly bytes: number }[]): number {
  return all.reduce((total, { bytes }) => total + bytes, 0)
}
