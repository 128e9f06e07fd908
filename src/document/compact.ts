/**
 * Compaction of one document as a function of bytes: what is stored goes through a Y.Doc, which collects garbage, and
 * comes back as a checkpoint. Runs in the worker; the only place beside it that imports yjs. Nothing is ever dropped:
 * an entry is in the checkpoint, or it is reported.
 */
import * as Y from 'yjs'
import { defaultLimits } from '../base/limits.ts'
import type { CheckpointLayout, CheckpointMeta, SegmentEnds } from './checkpoint.ts'
import { ClockRuns } from './clocks.ts'
import { heldBackFrames } from './held-back.ts'
import { decodeRecord } from './record.ts'
import { scanUpdate, type UpdateScan } from './scan.ts'
import { cutSegments } from './segments.ts'
import { mergeUpdates } from './splice.ts'

export type CompactionJob = CompactionOptions & {
  /** The updates of the checkpoint so far, in any layout. */
  readonly segments: readonly Uint8Array[]
  /** The accepted updates since, in log order. */
  readonly entries: readonly Uint8Array[]
}

/** The same with the records of the log as they are stored; the indexes of the result count their updates. */
export type RecordsJob = CompactionOptions & {
  readonly segments: readonly Uint8Array[]
  readonly records: readonly Uint8Array[]
}

export type CompactionOptions = {
  /** Whether the content of what was deleted goes (`collect`, the default) or stays (`keep`). */
  readonly gc?: 'collect' | 'keep'
  readonly sizes?: Partial<LayoutSizes>
}

/** In bytes; the defaults stand in limits.ts. */
export type LayoutSizes = {
  /** A document up to this size is one update. */
  readonly wholeBytesMax: number
  /** A document up to this size is held back; a larger one is cut in causal order. */
  readonly heldBackBytesMax: number
  readonly heldBackFrameBytes: number
  readonly segmentBytes: number
}

export type CompactionResult = {
  readonly meta: CheckpointMeta
  readonly segments: readonly Uint8Array[]
  /** Indexes of the entries that the checkpoint contains whole. */
  readonly merged: readonly number[]
  /** Indexes of the entries with a struct or a deletion that could not be integrated yet: to be carried over. */
  readonly pending: readonly number[]
  /** The entries that make Yjs throw; the checkpoint is built without them. */
  readonly refused: readonly RefusedEntry[]
}

export type RecordsResult = Omit<CompactionResult, 'merged'>

export type RefusedEntry = { readonly index: number; readonly reason: string }

/** Beyond this many entries that cannot be integrated the document wants an operator, not another try. */
const refusedMax = 16

/**
 * Throws when the segments cannot be loaded, when more than a few entries cannot be integrated, or when the result
 * does not hold what it must: then nothing may be replaced. ERR_UPDATE_MALFORMED if anything does not scan.
 */
export function compactDocument(job: CompactionJob): CompactionResult {
  const { doc, refused } = loadWithoutRefused(job)
  const whole = encodeIntegrated(doc)
  const known = knownOf([scanUpdate(whole)])
  doc.destroy()
  const built = buildCheckpoint(whole, { ...defaultSizes, ...job.sizes })
  verify(built, known, job.segments)
  const skipped = new Set(refused.map(({ index }) => index))
  const merged: number[] = []
  const pending: number[] = []
  for (const [index, entry] of job.entries.entries()) {
    if (!skipped.has(index)) (holds(known, scanUpdate(entry)) ? merged : pending).push(index)
  }
  return { meta: { ...built.meta, ...known }, segments: built.segments, merged, pending, refused }
}

/** As `compactDocument`; also ERR_BAD_MESSAGE for a record that is none. */
export function compactRecords({ records, ...job }: RecordsJob): RecordsResult {
  const entries = records.flatMap(record => decodeRecord(record).map(({ update }) => update))
  const { merged: _, ...result } = compactDocument({ ...job, entries })
  return result
}

/** How long Yjs takes to load the update into a document, in milliseconds of the given clock. Throws what Yjs throws. */
export function timeLoad(update: Uint8Array, nowMs: () => number): number {
  const doc = new Y.Doc()
  const startMs = nowMs()
  Y.applyUpdate(doc, update)
  const tookMs = nowMs() - startMs
  doc.destroy()
  return tookMs
}

const defaultSizes: LayoutSizes = {
  wholeBytesMax: defaultLimits.wholeFrameBytesMax,
  heldBackBytesMax: defaultLimits.heldBackBytesMax,
  heldBackFrameBytes: defaultLimits.heldBackFrameBytes,
  segmentBytes: defaultLimits.segmentBytes
}

type Known = { readonly structs: ClockRuns; readonly deletes: ClockRuns }

function knownOf(scans: readonly UpdateScan[]): Known {
  const structs = new ClockRuns()
  const deletes = new ClockRuns()
  for (const scan of scans) {
    structs.addAll(scan.structs)
    deletes.addAll(scan.deletes)
  }
  return { structs, deletes }
}

function holds(known: Known, scan: UpdateScan): boolean {
  return known.structs.coversAll(scan.structs) && known.deletes.coversAll(scan.deletes)
}

/** One at a time, each entry that makes the load throw is found and left out. */
function loadWithoutRefused(job: CompactionJob): { doc: Y.Doc; refused: RefusedEntry[] } {
  const refused: RefusedEntry[] = []
  let indexes = [...job.entries.keys()]
  for (;;) {
    const outcome = tryLoad(job, indexes)
    if (outcome.type === 'loaded') return { doc: outcome.doc, refused }
    if (refused.length === refusedMax) throw outcome.error
    const culprit = findCulprit(job, indexes)
    refused.push(culprit)
    indexes = indexes.filter(index => index !== culprit.index)
  }
}

type Load = { type: 'loaded'; doc: Y.Doc } | { type: 'failed'; error: unknown }

/**
 * Merged first: one transaction, and four times faster than update by update. Whatever Yjs throws, the document it
 * was loading into is lost, and another one is begun.
 */
function tryLoad(job: CompactionJob, indexes: readonly number[]): Load {
  try {
    const doc = new Y.Doc({ gc: job.gc !== 'keep' })
    const entries = indexes.map(index => job.entries[index] ?? emptyUpdate)
    Y.applyUpdate(doc, mergeUpdates([...job.segments, ...entries, emptyUpdate]))
    // What throws only when it is written must be found here too.
    Y.encodeStateAsUpdate(doc)
    if (depthOf(doc) > typeDepthMax) throw new Error(`types nested deeper than ${typeDepthMax}`)
    return { type: 'loaded', doc }
  } catch (error) {
    return { type: 'failed', error }
  }
}

/**
 * How deep types may nest. Yjs reads (toJSON), deletes and collects them by recursion: in Node toJSON overflows the
 * stack between 1,000 and 2,000, a deletion from some 10,000 on, in every client that receives it and here. Nesting grows
 * by one update after the other, so only the whole document tells, and whoever nests deeper is found before a
 * collaborator's deletion would be.
 */
export const typeDepthMax = 500

/** How many types lie within one another at most; a root type is none. */
function depthOf(doc: Y.Doc): number {
  const depths = new Map<unknown, number>()
  let deepest = 0
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (struct instanceof Y.Item && struct.content instanceof Y.ContentType) {
        deepest = Math.max(deepest, depthOfType(struct, depths))
      }
    }
  }
  return deepest
}

/** Remembers the depth of every type it passes, so that each is passed once. */
function depthOfType(item: Y.Item, depths: Map<unknown, number>): number {
  const within: Y.Item[] = []
  let current: Y.Item | null = item
  while (current !== null && !depths.has(current)) {
    within.push(current)
    current = current.parent instanceof Y.AbstractType ? current.parent._item : null
  }
  let depth = depths.get(current) ?? 0
  for (const each of within.reverse()) depths.set(each, ++depth)
  return depth
}

const emptyUpdate = new Uint8Array([0, 0])

/** The last entry of the shortest run of entries that fails to load; log (entries) loads. */
function findCulprit(job: CompactionJob, indexes: readonly number[]): RefusedEntry {
  const bare = tryLoad(job, [])
  if (bare.type === 'failed') throw bare.error
  let loads = 0
  let fails = indexes.length
  let error: unknown
  while (fails - loads > 1 || error === undefined) {
    const middle = fails - loads > 1 ? (loads + fails) >>> 1 : fails
    const outcome = tryLoad(job, indexes.slice(0, middle))
    if (outcome.type === 'loaded') {
      if (middle === fails) throw new Error('the load failed once and not again')
      loads = middle
    } else {
      fails = middle
      error = outcome.error
    }
  }
  return { index: indexes[fails - 1] ?? 0, reason: error instanceof Error ? error.message : String(error) }
}

/** The document without what is pending in it, which its entries carry over. */
function encodeIntegrated(doc: Y.Doc): Uint8Array {
  doc.store.pendingStructs = null
  doc.store.pendingDs = null
  return Y.encodeStateAsUpdate(doc)
}

type Built = {
  readonly meta: { layout: CheckpointLayout; bytes: number; segmentEnds: readonly SegmentEnds[] }
  readonly segments: readonly Uint8Array[]
  readonly scans: readonly UpdateScan[]
}

function buildCheckpoint(whole: Uint8Array, sizes: LayoutSizes): Built {
  const layout = layoutOf(whole.length, sizes)
  const segments = layOut(whole, layout, sizes)
  const scans = segments.map(segment => scanUpdate(segment))
  const bytes = segments.reduce((sum, segment) => sum + segment.length, 0)
  return {
    meta: { layout, bytes, segmentEnds: layout === 'causal' ? scans.map(endsOf) : [] },
    segments,
    scans
  }
}

function layoutOf(bytes: number, sizes: LayoutSizes): CheckpointLayout {
  if (bytes <= sizes.wholeBytesMax) return 'whole'
  return bytes <= sizes.heldBackBytesMax ? 'held-back' : 'causal'
}

function layOut(whole: Uint8Array, layout: CheckpointLayout, sizes: LayoutSizes): readonly Uint8Array[] {
  switch (layout) {
    case 'whole':
      return [whole]
    case 'held-back':
      return heldBackFrames(whole, sizes.heldBackFrameBytes)
    case 'causal':
      return cutSegments(whole, { segmentBytes: sizes.segmentBytes }).map(segment => segment.update)
    default:
      return layout satisfies never
  }
}

function endsOf(scan: UpdateScan): SegmentEnds {
  return new Map(scan.structs.map(range => [range.client, range.clock + range.length]))
}

/** The segments must hold exactly what was encoded, without gaps, and everything that the old ones held. */
function verify(built: Built, known: Known, oldSegments: readonly Uint8Array[]): void {
  const written = knownOf(built.scans)
  if (known.structs.hasGaps) throw new Error('the compacted document has gaps')
  if (!written.structs.equals(known.structs) || !written.deletes.equals(known.deletes)) {
    throw new Error('the segments do not add up to the compacted document')
  }
  for (const segment of oldSegments) {
    if (!holds(known, scanUpdate(segment)))
      throw new Error('the compacted document lacks a part of the old one')
  }
}
