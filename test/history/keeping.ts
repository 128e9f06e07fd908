/**
 * A document whose history is kept in a store: records are appended, compacted and sealed with the real functions, in this
 * thread; and read again by the arithmetic alone.
 */
import type { Store } from '../../persistence/store.ts'
import { type Limits, withLimits } from '../../src/base/limits.ts'
import type { Log } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime, type Time } from '../../src/base/time.ts'
import { decodeCheckpointMeta, encodeCheckpointMeta } from '../../src/document/checkpoint.ts'
import { compactRecords } from '../../src/document/compact.ts'
import type { Workers } from '../../src/document/workers.ts'
import { Histories } from '../../src/history/histories.ts'
import { entriesOf, type Kept } from '../../src/history/kept.ts'
import { keyframeAfter, keyframeOf } from '../../src/history/keyframe.ts'
import { decodeKnown, encodeKnown } from '../../src/history/known.ts'
import type { Manifest } from '../../src/history/manifest.ts'
import { documentAt } from '../../src/history/moment.ts'
import type { PolicyOf } from '../../src/history/policy.ts'
import { mergeSegments, openUpdate, type Segment, seal } from '../../src/history/segment.ts'
import { Sweep } from '../../src/history/sweep.ts'
import type { SealingWork } from '../../src/history/work.ts'
import { compactDocument } from '../../src/room/compaction.ts'

/** The jobs of the worker, in this thread. */
export const inThread: SealingWork = {
  seal: async ({ known, records, refused, exact, after }) => {
    const isRefused = (place: { sequence: number; index: number }) =>
      refused.some(({ sequence, index }) => sequence === place.sequence && index === place.index)
    const before = known === null ? decodeKnown(encodeKnown(nothing)) : decodeKnown(known)
    const sealed = seal({ known: before, records, isRefused, exact: new Set(exact), after })
    return { ...sealed, known: encodeKnown(sealed.known) }
  },
  merge: async ({ segments }) => mergeSegments(segments),
  keyframe: async ({ updates }) => keyframeOf(updates),
  keyframeAfter: async ({ keyframe, segments }) =>
    keyframeAfter({ keyframe: keyframe === null ? null : openUpdate(keyframe), segments })
}

const nothing = { vector: new Map<number, number>(), deletes: decodeKnown(keyframeOf([]).known).deletes }

/** Of the compaction, in this thread. */
const workers: Pick<Workers, 'compact'> = {
  compact: async ({ segments, records, gc = 'collect' }) => {
    const { meta, ...rest } = compactRecords({ segments, records, gc })
    const encodedMeta = encodeCheckpointMeta(meta)
    return { ...rest, encodedMeta, meta: decodeCheckpointMeta(encodedMeta) }
  }
}

export type LogLine = { readonly level: string; readonly fields: object; readonly message: string }

export type KeepingOptions = {
  readonly store: Store
  readonly random: () => number
  readonly limits?: Partial<Limits>
  readonly policyOf?: PolicyOf
  readonly work?: Partial<SealingWork>
  readonly time?: Time
}

/** All documents have a history, unless `policyOf` says otherwise. */
export function createKeeping({
  store,
  random,
  limits: given = {},
  policyOf = always,
  work,
  time = systemTime
}: KeepingOptions) {
  const { history } = store
  if (history === undefined) throw new Error('the store keeps no histories')
  const limits = withLimits(given)
  const slices = new Slices(systemTime, limits)
  const lines: LogLine[] = []
  const note = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message })
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const metrics = createMetrics()
  const shared = { random, policyOf, time, slices, limits, metrics, log }
  const histories = new Histories({ ...shared, store: history, work: { ...inThread, ...work } })
  const parts = { store, slices, lane: 'quick', isShared: false, histories } as const
  const sweep = new Sweep({ ...shared, store, history, histories, hasRules: true })
  return {
    histories,
    sweep,
    lines,
    metrics,
    /** Null: nothing was to be done, or it was superseded. `sealed`: whether the history is told. */
    async compact(document: string, { sealed = true } = {}) {
      // Nothing else of the workers is asked for.
      const compacted = await compactDocument(document, { ...parts, workers: workers as Workers })
      if (sealed && compacted?.toSeal != null) await histories.seal(document, compacted.toSeal)
      return compacted
    },
    async kept(document: string): Promise<Kept> {
      const kept = await histories.kept.read(document)
      if (kept === null) throw new Error('the document has no history')
      return kept
    },
    at: (document: string, sequence: number) => readAt(store, histories, document, sequence)
  }
}

export type Keeping = ReturnType<typeof createKeeping>

const always: PolicyOf = () => ({ days: 30, bytes: null, gc: 'collect' })

/** The document after a record, as an update; null where the history does not say. */
async function readAt(
  store: Store,
  { kept: histories }: Histories,
  document: string,
  sequence: number
): Promise<Uint8Array | null> {
  const kept = await histories.read(document)
  if (kept === null) throw new Error('the document has no history')
  const { manifest, incarnation } = kept
  if (sequence < manifest.beginsAt.sequence) return null
  if (manifest.holes.some(hole => sequence > hole.afterSequence && sequence < hole.toSequence)) return null
  const from = manifest.keyframes.findLast(each => each.sequence <= sequence) ?? null
  const listed = manifest.segments.filter(each => from === null || each.lastSequence > from.sequence)
  const segments: Segment[] = []
  for (const { timeline, body, ...rest } of listed) {
    if (body === null) throw new Error('a body is needed that was pruned')
    const [times, structs] = await histories.blobs(document, incarnation, [timeline, body])
    segments.push({ ...rest, timeline: times as Uint8Array, body: structs as Uint8Array })
  }
  const unsealed = await sealedOnTheFly(store, kept, document, histories)
  const [keyframe = null] = from === null ? [] : await histories.blobs(document, incarnation, [from])
  const past = { keyframe: keyframe === null ? null : openUpdate(keyframe) }
  return documentAt({ ...past, segments: [...segments, ...unsealed] }, { sequence })
}

async function sealedOnTheFly(
  store: Store,
  { manifest, incarnation }: Kept,
  document: string,
  histories: Histories['kept']
): Promise<Segment[]> {
  const limits = { records: 100_000, bytes: 2 ** 30 }
  const answer = await store.history?.unreleased(document, incarnation, 0, limits)
  if (answer?.outcome !== 'records') throw new Error('the life is over')
  const { known: entry, refused, segments, keyframes } = manifest
  const [known = null] = entry === null ? [] : await histories.blobs(document, incarnation, [entry])
  const end = Math.max(segments.at(-1)?.lastSequence ?? 0, keyframes.at(-1)?.sequence ?? 0)
  const { segment } = await inThread.seal({
    ...{ document, known, records: answer.records, refused },
    ...{ exact: answer.records.map(({ sequence }) => sequence), after: { sequence: end, timeMs: 0 } }
  })
  return segment === null ? [] : [segment]
}

/** Every blob that the manifest names is there. */
export async function checkBlobs(store: Store, document: string, manifest: Manifest, incarnation: string) {
  const numbers = entriesOf(manifest).map(({ blob }) => blob)
  const found = (await store.history?.blobs(document, incarnation, numbers)) ?? []
  const sizes = entriesOf(manifest).map(({ bytes }) => bytes)
  if (found.some((bytes, index) => bytes?.length !== sizes[index])) throw new Error('a blob is not as listed')
}
