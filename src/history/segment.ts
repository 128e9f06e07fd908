/**
 * A part of a document's history, sealed: a timeline that says who changed what when, and a body with what was inserted.
 * Both compressed and apart, so that a question about authors reads no body, and a body may go before its timeline does.
 * Runs in a worker.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import * as Y from 'yjs'
import { Fault } from '../base/errors.ts'
import { ClockRuns } from '../document/clocks.ts'
import { decodeRecord, type LoggedUpdate } from '../document/record.ts'
import { mergeUpdates } from '../document/splice.ts'
import { type Effect, Integration, type Known } from './integration.ts'
import { joinStrings } from './join-strings.ts'
import {
  type Change,
  ChangeCursor,
  decodeTimeline,
  encodeTimeline,
  packedChanges,
  type Timeline,
  unpackTimeline
} from './timeline.ts'

/** A record of the log. */
export type StoredRecord = { readonly sequence: number; readonly record: Uint8Array }

/** One update of a record, by its place there. */
export type UpdatePlace = { readonly sequence: number; readonly index: number }

export type SealJob = {
  /** What the history holds before these records. */
  readonly known: Known
  /** In the order of the log. What waited when the records before were sealed comes first. */
  readonly records: readonly StoredRecord[]
  /** What a compaction has refused is no part of the document. */
  readonly isRefused: (place: UpdatePlace) => boolean
  /** Records at whose end a moment is to be found exactly; others are found to the second. */
  readonly exact: ReadonlySet<number>
  /** Where the history ends before these records: neither numbers nor times go back behind it. Absent: it begins. */
  readonly after?: Pick<Change, 'sequence' | 'timeMs'>
}

/**
 * Of at least one change. `firstMs`, `lastMs`: since the epoch. `changes`: how many the timeline has. `joinedBytes`: of the
 * body before it was compressed.
 */
export type Segment = {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstMs: number
  readonly lastMs: number
  readonly changes: number
  readonly joinedBytes: number
  /** As `encodeTimeline` makes it, compressed. */
  readonly timeline: Uint8Array
  /** An update (V2) of what was inserted, compressed. */
  readonly body: Uint8Array
}

/**
 * Of a `Segment`, or open: `encoded` is as `encodeTimeline` makes it, `structs` an update (V1) of what was inserted. `body`:
 * null when it is not there.
 */
export type PartTimeline = Pick<Segment, 'timeline'> | { readonly encoded: Uint8Array }
export type PartBody = { readonly body: Uint8Array | null } | { readonly structs: Uint8Array }

type OpenPart = { readonly opened: Timeline; readonly structs: Uint8Array }

/** A part of the history, sealed or open, or open in part. */
export type Part = Pick<Segment, 'firstSequence' | 'lastSequence' | 'firstMs'> & PartTimeline & PartBody

/** As `Sealed`, open. */
export type Gathered = {
  readonly part: (Pick<Segment, 'firstSequence' | 'lastSequence' | 'firstMs'> & OpenPart) | null
  readonly known: Known
  readonly waiting: readonly UpdatePlace[]
}

/** `segment`: null when nothing was new. `waiting`: updates to be sealed with a later segment, as something is unknown. */
export type Sealed = {
  readonly segment: Segment | null
  readonly known: Known
  readonly waiting: readonly UpdatePlace[]
}

const emptyUpdate = new Uint8Array([0, 0])
const noTime = { sequence: 0, timeMs: 0 }
const quality = 5

/** Throws ERR_BAD_MESSAGE or ERR_UPDATE_MALFORMED for what is no record. */
export function seal(job: SealJob): Sealed {
  const { part, known, waiting } = gather(job)
  return { segment: part === null ? null : segmentOf(part.opened, part.structs), known, waiting }
}

/** The same for a reader, who would open again at once what was sealed. Throws as `seal`. */
export function gather({ known, records, isRefused, exact, after = noTime }: SealJob): Gathered {
  const before = new Map(known.vector)
  const integration = new Integration<UpdatePlace>(known)
  const changes = new Changes(exact, after)
  const structs: Uint8Array[] = []
  for (const { sequence, record } of records) {
    for (const [index, logged] of decodeRecord(record).entries()) {
      const place = { sequence, index }
      if (isRefused(place)) continue
      for (const effect of integration.add(logged, place)) {
        changes.add(effect, { sequence, timeMs: logged.timeMs })
        if (effect.structs !== null) structs.push(effect.structs)
      }
    }
  }
  const { waiting } = integration
  const [first] = changes.all
  if (first === undefined) return { part: null, known: integration.known, waiting }
  const part = {
    firstSequence: first.sequence,
    lastSequence: changes.all.at(-1)?.sequence ?? first.sequence,
    firstMs: first.timeMs,
    opened: { before, changes: changes.all },
    structs: mergeUpdates([emptyUpdate, ...structs])
  }
  return { part, known: integration.known, waiting }
}

/** Segments that follow one another, as one. */
export function mergeSegments(segments: readonly Segment[]): Segment | null {
  const timelines = segments.map(openTimeline)
  const before = timelines[0]?.before ?? new Map()
  const all = new Map(before)
  // A client that comes later has what it had before the later segment.
  for (const timeline of timelines)
    for (const [client, clock] of timeline.before) if (!all.has(client)) all.set(client, clock)
  const bodies = segments.map(openBody)
  const changes = timelines.flatMap(timeline => timeline.changes)
  return segmentOf({ before: all, changes }, mergeUpdates([emptyUpdate, ...bodies]))
}

export function openTimeline(part: PartTimeline): Timeline {
  return 'encoded' in part ? decodeTimeline(part.encoded) : unpackTimeline(part.timeline)
}

/** The same change by change, from the first one. */
export function changesOf(part: PartTimeline): ChangeCursor {
  return 'encoded' in part ? new ChangeCursor(part.encoded) : packedChanges(part.timeline)
}

type SealedPart = Pick<Segment, 'firstSequence' | 'lastSequence' | 'firstMs' | 'timeline'> & {
  readonly body: Uint8Array | null
}

/** A part that is asked several questions: neither its timeline nor its body is decompressed twice. */
export class OpenedPart {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstMs: number
  readonly encoded: Uint8Array
  readonly #body: Uint8Array | null
  #structs: Uint8Array | null = null

  constructor(part: SealedPart) {
    this.firstSequence = part.firstSequence
    this.lastSequence = part.lastSequence
    this.firstMs = part.firstMs
    this.encoded = brotliDecompressSync(part.timeline)
    this.#body = part.body
  }

  /** As `openBody`, when it is wanted. */
  get structs(): Uint8Array {
    this.#structs ??= openBody({ body: this.#body })
    return this.#structs
  }
}

/** What was inserted, as an update (V1) without deletions. Throws ERR_NO_MOMENT where there is no body any more. */
export function openBody(part: PartBody): Uint8Array {
  if ('structs' in part) return part.structs
  if (part.body === null) throw new Fault('ERR_NO_MOMENT', 'what was written then was pruned')
  return openUpdate(part.body)
}

/** An update (V1) as a history keeps it: of the second format, compressed. What is deleted comes with it. */
export function packUpdate(update: Uint8Array): Uint8Array {
  return compress(Y.convertUpdateFormatV1ToV2(update))
}

/** What `packUpdate` was given. */
export function openUpdate(packed: Uint8Array): Uint8Array {
  return Y.convertUpdateFormatV2ToV1(brotliDecompressSync(packed))
}

function segmentOf(timeline: Timeline, structs: Uint8Array): Segment | null {
  const [first] = timeline.changes
  const last = timeline.changes.at(-1)
  if (first === undefined || last === undefined) return null
  const joined = Y.convertUpdateFormatV1ToV2(joinStrings(structs))
  return {
    firstSequence: first.sequence,
    lastSequence: last.sequence,
    firstMs: first.timeMs,
    lastMs: last.timeMs,
    changes: timeline.changes.length,
    joinedBytes: joined.length,
    timeline: compress(encodeTimeline(timeline)),
    body: compress(joined)
  }
}

function compress(bytes: Uint8Array): Uint8Array {
  const compressed = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } })
  // Small ones are parts of a buffer that Node shares, which can neither be kept nor leave the thread.
  return Uint8Array.from(compressed)
}

const secondMs = 1_000

type At = Pick<LoggedUpdate, 'timeMs'> & { readonly sequence: number }

/** Gathers what one author did within a second; time never goes back, whatever the clocks of nodes said. */
class Changes {
  readonly all: Change[] = []
  readonly #exact: ReadonlySet<number>
  readonly #after: At

  constructor(exact: ReadonlySet<number>, after: At) {
    this.#exact = exact
    this.#after = after
  }

  add({ author, inserted, deleted }: Effect, { sequence, timeMs: at }: At): void {
    const last = this.all.at(-1)
    const before = last ?? this.#after
    const timeMs = Math.max(at, before.timeMs)
    const change = { sequence: Math.max(sequence, before.sequence), timeMs, author, inserted, deleted }
    if (last === undefined || !this.#mayJoin(last, change)) this.all.push(change)
    else this.all[this.all.length - 1] = joined(last, change)
  }

  #mayJoin(last: Change, next: Change): boolean {
    if (last.sequence !== next.sequence && this.#exact.has(last.sequence)) return false
    const isOneSecond = Math.floor(last.timeMs / secondMs) === Math.floor(next.timeMs / secondMs)
    return isOneSecond && isSameAuthor(last.author, next.author)
  }
}

function isSameAuthor(one: Change['author'], other: Change['author']): boolean {
  if (one === null || other === null) return one === other
  return one.user === other.user && one.connection === other.connection && one.origin === other.origin
}

function joined(last: Change, { sequence, timeMs, inserted, deleted }: Change): Change {
  return {
    ...{ sequence, timeMs, author: last.author },
    inserted: [...ClockRuns.from([...last.inserted, ...inserted]).ranges()],
    deleted: [...ClockRuns.from([...last.deleted, ...deleted]).ranges()]
  }
}
