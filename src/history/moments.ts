/**
 * Which moments a history knows, and what of it is needed for one: a keyframe, and the segments between that and the
 * moment. Works on the manifest alone.
 */
import { Fault } from '../base/errors.ts'
import type { KeyframeEntry, Manifest, SegmentEntry } from './manifest.ts'
import type { Moment } from './moment.ts'
import { endOf } from './past.ts'

/** As a question names it; `version`: by the id of one that was named. */
export type NamedMoment = Moment | { readonly version: string }

/** `head`: the last record of the document. */
export type Extent = { readonly manifest: Manifest; readonly head: number }

/** After all there is. */
export const now: Moment = { sequence: Number.MAX_SAFE_INTEGER }

/** Throws ERR_NO_VERSION, and ERR_NO_MOMENT where the document is not known then. */
export function knownMoment(extent: Extent, named: NamedMoment): Moment {
  const moment = 'version' in named ? momentOf(extent.manifest, named.version) : named
  refuseUnknown(extent, moment)
  return moment
}

function momentOf({ versions }: Manifest, id: string): Moment {
  const version = versions.find(each => each.id === id)
  if (version === undefined) throw new Fault('ERR_NO_VERSION', `no version ${id}`)
  return { sequence: version.sequence }
}

function refuseUnknown({ manifest, head }: Extent, moment: Moment): void {
  const { beginsAt, holes } = manifest
  if ('sequence' in moment && moment.sequence > head && moment !== now) {
    throw unknown(`the newest record of this document is ${head}`)
  }
  if (isBefore(moment, beginsAt)) throw unknown(`the history of this document begins ${place(beginsAt)}`)
  for (const hole of holes) {
    const { afterSequence, toSequence } = hole
    const isWithin =
      'sequence' in moment
        ? moment.sequence > afterSequence && moment.sequence < toSequence
        : moment.timeMs < hole.timeMs && moment.timeMs > lastMsUpTo(manifest, afterSequence)
    if (!isWithin) continue
    const after = place({ sequence: toSequence, timeMs: hole.timeMs })
    throw unknown(`a part of the history of this document is missing; it goes on ${after}`)
  }
}

function isBefore(moment: Moment, { sequence, timeMs }: Manifest['beginsAt']): boolean {
  return 'sequence' in moment ? moment.sequence < sequence : moment.timeMs < timeMs
}

function place({ sequence, timeMs }: Manifest['beginsAt']): string {
  return `at ${new Date(timeMs).toISOString()}, record ${sequence}`
}

function unknown(publicReason: string): Fault {
  return new Fault('ERR_NO_MOMENT', publicReason, { publicReason })
}

function lastMsUpTo({ segments, keyframes, beginsAt }: Manifest, sequence: number): number {
  const segment = segments.findLast(({ lastSequence }) => lastSequence <= sequence)
  const keyframe = keyframes.findLast(each => each.sequence <= sequence)
  return Math.max(segment?.lastMs ?? 0, keyframe?.timeMs ?? 0, beginsAt.timeMs)
}

/** The last keyframe at or before the moment; null: the document was empty before the first segment. */
export function keyframeBefore({ keyframes }: Manifest, moment: Moment): KeyframeEntry | null {
  return keyframes.findLast(keyframe => !isBefore(moment, keyframe)) ?? null
}

/** Of which something had come by then. */
export function segmentsUpTo({ segments }: Manifest, moment: Moment): readonly SegmentEntry[] {
  return segments.filter(({ firstSequence, firstMs }) =>
    'sequence' in moment ? firstSequence <= moment.sequence : firstMs <= moment.timeMs
  )
}

/** Those of which the content is needed, counted from the keyframe. */
export function segmentsBetween(
  manifest: Manifest,
  keyframe: KeyframeEntry | null,
  moment: Moment
): readonly SegmentEntry[] {
  return segmentsUpTo(manifest, moment).filter(
    ({ lastSequence }) => keyframe === null || lastSequence > keyframe.sequence
  )
}

/** Whether what is not sealed may be part of it. */
export function reachesUnsealed(manifest: Manifest, moment: Moment): boolean {
  const end = endOf(manifest)
  return 'sequence' in moment ? moment.sequence > manifest.sealedTo : moment.timeMs >= end.timeMs
}
