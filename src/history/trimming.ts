/** Cuts the oldest part off a history: what is left begins with a keyframe, and can be read as before. */
import type { Limits } from '../base/limits.ts'
import type { Change, Kept, KeptHistories } from './kept.ts'
import type { KeyframeEntry, Manifest } from './manifest.ts'
import { pastAfter } from './past.ts'
import { bytesAllowed, type HistoryPolicy } from './policy.ts'
import {
  beyondBytes,
  beyondCount,
  type CutKind,
  cutAfter,
  isAllOlderThan,
  olderThan,
  thinned,
  withoutFirst,
  withoutFirstHoles
} from './retention.ts'
import { areSame } from './sealing.ts'
import type { SealingWork } from './work.ts'

export type Trimming = {
  readonly kept: KeptHistories
  readonly work: Pick<SealingWork, 'keyframeAfter'>
  readonly limits: Limits
}

const dayMs = 86_400_000

/** The first segments, of which so many go: whole, or only their bodies. */
export type Cutting = { readonly count: number; readonly kind: CutKind }

/** What is there afterwards. Null: it was overtaken, or the life or its history is over. Rejects as `Sealing.seal` does. */
export async function cut(
  document: string,
  kept: Kept,
  { count, kind }: Cutting,
  parts: Trimming
): Promise<Kept | null> {
  const { kept: histories, work } = parts
  const { manifest, incarnation } = kept
  // Of those nothing is left but timelines, and what can be read begins behind them.
  const pruned = manifest.segments.filter(({ body }) => body === null).length
  if (count === 0 || (kind === 'bodies' && count <= pruned)) return kept
  if (count < pruned) {
    return histories.change(document, incarnation, ({ manifest: now }) => {
      const isSame = areSame(now.segments.slice(0, pruned), manifest.segments.slice(0, pruned))
      return isSame ? { manifest: { ...now, segments: now.segments.slice(count) } } : null
    })
  }
  const { keyframe, beginsAt } = cutAfter(manifest, count)
  if (keyframe !== null) {
    return histories.change(document, incarnation, ({ manifest: now }) =>
      cutTo(now, { before: manifest, count, keyframe, beginsAt, kind })
    )
  }
  const made = await work.keyframeAfter(await pastAfter(document, { kept, count }, histories))
  const { entry, blob } = histories.newBlob(made.keyframe)
  return histories.change(document, incarnation, ({ manifest: now }) => {
    const change = cutTo(now, {
      before: manifest,
      count,
      keyframe: { ...entry, ...beginsAt },
      beginsAt,
      kind
    })
    return change === null ? null : { ...change, blobs: [blob] }
  })
}

function cutTo(
  now: Manifest,
  to: {
    readonly before: Manifest
    readonly count: number
    readonly keyframe: KeyframeEntry
    readonly beginsAt: Manifest['beginsAt']
    readonly kind: CutKind
  }
): Change | null {
  const { before, count, kind } = to
  if (!areSame(now.segments.slice(0, count + 1), before.segments.slice(0, count + 1))) return null
  return { manifest: withoutFirst(now, to, kind) }
}

/** Cuts off what is more than the rule allows. As `cut`. */
export async function cutToSize(
  document: string,
  kept: Kept,
  policy: HistoryPolicy,
  parts: Trimming
): Promise<Kept | null> {
  const { limits } = parts
  const left = await withoutHoles(document, kept, parts)
  if (left === null) return null
  const { manifest } = left
  const allowed = bytesAllowed(policy, manifest.documentBytes, limits)
  const count = Math.max(beyondBytes(manifest, allowed), beyondCount(manifest, limits))
  return cut(document, left, { count, kind: 'all' }, parts)
}

async function withoutHoles(
  document: string,
  kept: Kept,
  { kept: histories, limits }: Trimming
): Promise<Kept | null> {
  if (withoutFirstHoles(kept.manifest, limits) === null) return kept
  return histories.change(document, kept.incarnation, ({ manifest }) => {
    const left = withoutFirstHoles(manifest, limits)
    return left === null ? null : { manifest: left }
  })
}

/**
 * Cuts off what is older than the rule allows, and thins versions. `gone`: nothing of it was younger, and it was dropped.
 * Null as in `cut`.
 */
export async function cutToAge(
  document: string,
  { kept, nowMs }: { readonly kept: Kept; readonly nowMs: number },
  { days }: Pick<HistoryPolicy, 'days'>,
  parts: Trimming
): Promise<Kept | 'gone' | null> {
  const { kept: histories } = parts
  const oldestMs = nowMs - days * dayMs
  if (isAllOlderThan(kept.manifest, oldestMs)) {
    await histories.drop(document, kept.incarnation)
    return 'gone'
  }
  const count = olderThan(kept.manifest, oldestMs)
  const left = await cut(document, kept, { count, kind: 'all' }, parts)
  if (left === null) return null
  if (thinned(left.manifest.versions, nowMs).length === left.manifest.versions.length) return left
  return histories.change(document, kept.incarnation, ({ manifest }) => {
    return { manifest: { ...manifest, versions: thinned(manifest.versions, nowMs) } }
  })
}
