/**
 * Seals what checkpoints have replaced: a page of records at a time becomes a segment, and in the same step its records are
 * released. Whatever is interrupted or overtaken changes nothing, and is begun again from what is there.
 */
import type { HistoryStore } from '../../persistence/history.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { entryOf, isKeyframeDue, mergedWith, segmentOf } from './growth.ts'
import type { Change, Kept, KeptHistories } from './kept.ts'
import type { Manifest, SegmentEntry } from './manifest.ts'
import { nextPage, type Page, waitingRecords } from './pages.ts'
import { endOf, pastAfter } from './past.ts'
import type { Segment } from './segment.ts'
import type { KeyframeWork, SealedWork, SealingWork } from './work.ts'

export type SealingParts = {
  readonly store: HistoryStore
  readonly kept: KeptHistories
  readonly work: SealingWork
  readonly limits: Limits
  /** A segment is in the store. */
  readonly onSealed: (bytes: number) => void
}

/** `upTo`: a compaction has judged all records up to here. `documentBytes`: of the checkpoint; null: not known. */
export type Goal = {
  readonly incarnation: string
  readonly upTo: number
  readonly documentBytes: number | null
}

/** What the history holds at its end as `encodeKnown` writes it, where this call has sealed something; else null. */
export type Reached = { readonly kept: Kept; readonly known: Uint8Array | null }

/** What is to be listed: the new segment, with which so many of the last ones were merged. */
type Grown = { readonly segment: Segment; readonly merged: number }

export class Sealing {
  readonly #parts: SealingParts

  constructor(parts: SealingParts) {
    this.#parts = parts
  }

  /**
   * Resolves when all up to the goal is sealed, to null when the life or its history is over. Rejects with what the store or
   * the worker rejects with; ERR_DOCUMENT_DAMAGED for what can never be sealed; ERR_OVERLOADED when others seal it too.
   */
  async seal(document: string, goal: Goal): Promise<Reached | null> {
    const { kept: histories, limits } = this.#parts
    let kept = await histories.read(document)
    // Of which manifest, as others may go on from there.
    let known: { readonly of: number | undefined; readonly bytes: Uint8Array } | null = null
    for (let misses = 0; misses < limits.historyTriesMax; ) {
      if (kept === null || kept.incarnation !== goal.incarnation) return null
      if (kept.manifest.sealedTo >= goal.upTo) {
        return { kept, known: known?.of === kept.manifest.known?.blob ? (known?.bytes ?? null) : null }
      }
      const from: Kept = kept
      const sealed = await histories.unlessOvertaken(document, from, () =>
        this.#sealPage(document, from, goal)
      )
      if (sealed === null) misses++
      if (sealed?.known != null) known = { of: sealed.kept.manifest.known?.blob, bytes: sealed.known }
      const next = sealed?.kept ?? (await histories.read(document))
      kept = next
      if (next === null || next.manifest.sealedTo >= goal.upTo) continue
      kept = await histories.unlessOvertaken(document, next, () => this.#keyframeIfDue(document, next))
      if (kept !== null) continue
      misses++
      kept = await histories.read(document)
    }
    throw new Fault('ERR_OVERLOADED', 'others seal the history of the document too')
  }

  /** A keyframe at the end of what is sealed, of these updates (V1), or (null) from the segments. Null: it was overtaken. */
  async addKeyframe(
    document: string,
    kept: Kept,
    updates: readonly Uint8Array[] | null
  ): Promise<Kept | null> {
    const { kept: histories } = this.#parts
    const { manifest } = kept
    const made = await this.#keyframe(document, kept, updates)
    const { entry, blob } = histories.newBlob(made.keyframe)
    const { timeMs } = endOf(manifest)
    const keyframe = { ...entry, sequence: manifest.sealedTo, timeMs }
    return histories.change(document, kept.incarnation, ({ manifest: now }) => {
      if (!isSameEnd(now, manifest)) return null
      return { manifest: { ...now, keyframes: [...now.keyframes, keyframe] }, blobs: [blob] }
    })
  }

  async #keyframe(
    document: string,
    kept: Kept,
    updates: readonly Uint8Array[] | null
  ): Promise<KeyframeWork> {
    const { work, kept: histories } = this.#parts
    if (updates !== null) return work.keyframe({ document, updates })
    const count = kept.manifest.segments.length
    return work.keyframeAfter(await pastAfter(document, { kept, count }, histories))
  }

  /** A log that is long since nothing could be sealed has keyframes too. */
  async #keyframeIfDue(document: string, kept: Kept): Promise<Kept | null> {
    if (!isKeyframeDue(kept.manifest, this.#parts.limits)) return kept
    return (await this.addKeyframe(document, kept, null)) ?? (await this.#parts.kept.read(document))
  }

  /** Null: it was overtaken, or the life is over. */
  async #sealPage(
    document: string,
    kept: Kept,
    goal: Goal
  ): Promise<{ kept: Kept; known: Uint8Array | null } | null> {
    const page = await nextPage(document, { kept, upTo: goal.upTo }, this.#parts)
    if (page === null) return null
    if (page.records.length === 0) {
      const moved = await this.#change(document, kept, now => ({
        manifest: { ...now, sealedTo: page.sealedTo },
        releasedTo: page.sealedTo
      }))
      return moved === null ? null : { kept: moved, known: null }
    }
    const sealed = await this.#sealed(document, kept, page)
    if (sealed === null) return null
    const grown = sealed.segment === null ? null : await this.#merged(document, kept, sealed.segment)
    const change = this.#changeOf({ page, sealed, grown, goal })
    const changed = await this.#change(document, kept, change)
    if (changed === null) return null
    if (grown !== null) this.#parts.onSealed(grown.segment.body.length + grown.segment.timeline.length)
    return { kept: changed, known: sealed.known }
  }

  /** Unless the history has another end by then. */
  #change(document: string, kept: Kept, change: (now: Manifest) => Change): Promise<Kept | null> {
    return this.#parts.kept.change(document, kept.incarnation, ({ manifest: now }) =>
      isSameEnd(now, kept.manifest) ? change(now) : null
    )
  }

  async #sealed(
    document: string,
    kept: Kept,
    page: Page
  ): Promise<(SealedWork & { readonly records: Page['records'] }) | null> {
    const { work, kept: histories, limits } = this.#parts
    const { manifest, incarnation } = kept
    const waiting = await waitingRecords(document, kept, this.#parts)
    if (waiting === null) return null
    const [known = null] = await histories.blobs(
      document,
      incarnation,
      manifest.known === null ? [] : [manifest.known]
    )
    const read = [...waiting, ...page.records]
    const records = read.map(({ sequence, record }) => ({ sequence, record }))
    const exact = [...manifest.versions, ...manifest.restores].flatMap(({ sequence }) => sequence ?? [])
    const { refused } = manifest
    const sealed = await work.seal({ document, known, records, refused, exact, after: endOf(manifest) })
    if (sealed.waiting.length <= limits.historyWaitingMax) return { ...sealed, records: read }
    throw new Fault('ERR_DOCUMENT_DAMAGED', `${sealed.waiting.length} updates wait for what is unknown`)
  }

  async #merged(document: string, kept: Kept, segment: Segment): Promise<Grown> {
    const { work, limits, kept: histories } = this.#parts
    const { manifest, incarnation } = kept
    const count = mergedWith(manifest, segment, limits)
    if (count === 0) return { segment, merged: 0 }
    const small: Segment[] = []
    for (const entry of manifest.segments.slice(-count)) {
      if (entry.body === null) return { segment, merged: 0 }
      const [timeline, body] = await histories.blobs(document, incarnation, [entry.timeline, entry.body])
      if (timeline === undefined || body === undefined) return { segment, merged: 0 }
      small.push(segmentOf(entry, { timeline, body }))
    }
    const merged = await work.merge({ document, segments: [...small, segment] })
    return merged === null ? { segment, merged: 0 } : { segment: merged, merged: count }
  }

  #changeOf({
    page,
    sealed: { known, waiting, records },
    grown,
    goal
  }: {
    readonly page: Page
    readonly sealed: SealedWork & { readonly records: Page['records'] }
    readonly grown: Grown | null
    readonly goal: Goal
  }): (now: Manifest) => Change {
    const { kept: histories } = this.#parts
    const through = page.records.findLast(({ sequence }) => sequence === page.sealedTo)?.identity ?? null
    const pins = [...new Set(waiting.map(({ sequence }) => sequence))].sort((one, other) => one - other)
    const freedBytes = records.reduce(
      (sum, { sequence, record }) => (pins.includes(sequence) ? sum : sum + record.length),
      0
    )
    return now => {
      const { blob, entry } = histories.newBlob(known)
      const { segments, blobs } = this.#listed(now.segments, grown)
      const refused = now.refused.filter(
        ({ sequence }) => sequence > page.sealedTo || pins.includes(sequence)
      )
      const documentBytes = goal.documentBytes ?? now.documentBytes
      const { sealedTo } = page
      const manifest = { ...now, segments, sealedTo, known: entry, waiting, refused, documentBytes }
      return { manifest, blobs: [blob, ...blobs], releasedTo: sealedTo, pins, through, freedBytes }
    }
  }

  #listed(segments: readonly SegmentEntry[], grown: Grown | null) {
    if (grown === null) return { segments, blobs: [] }
    const [timeline, body] = [grown.segment.timeline, grown.segment.body].map(bytes =>
      this.#parts.kept.newBlob(bytes)
    )
    if (timeline === undefined || body === undefined) return { segments, blobs: [] }
    const entry = entryOf(grown.segment, { timeline: timeline.entry, body: body.entry })
    const before = segments.slice(0, segments.length - grown.merged)
    return { segments: [...before, entry], blobs: [timeline.blob, body.blob] }
  }
}

/** Whether nobody has sealed, merged, cut or pruned anything meanwhile, or made a keyframe. */
function isSameEnd(now: Manifest, before: Manifest): boolean {
  const isSameKnown =
    now.known?.blob === before.known?.blob && now.keyframes.length === before.keyframes.length
  return now.sealedTo === before.sealedTo && isSameKnown && areSame(now.segments, before.segments)
}

/** Whether they are the same segments, as far as the store keeps anything of them. */
export function areSame(one: readonly SegmentEntry[], other: readonly SegmentEntry[]): boolean {
  return one.length === other.length && one.every((each, index) => isSame(each, other[index]))
}

function isSame({ timeline, body }: SegmentEntry, other: SegmentEntry | undefined): boolean {
  return timeline.blob === other?.timeline.blob && body?.blob === other.body?.blob
}
