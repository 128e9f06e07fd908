/**
 * What a history owes, as a server that starts now would find it: all that was written and no record twice, each change under
 * the name of whoever wrote it, and every moment as it was.
 */
import type { Author } from '../../persistence/author.ts'
import type { HistoryRecord, HistoryStore, StoredHistory } from '../../persistence/history.ts'
import type { LoadedDocument } from '../../persistence/store.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { entriesOf } from '../../src/history/kept.ts'
import { type BlobEntry, decodeManifest, type Manifest } from '../../src/history/manifest.ts'
import { documentAt } from '../../src/history/moment.ts'
import { openTimeline, openUpdate, type Segment } from '../../src/history/segment.ts'
import type { Change } from '../../src/history/timeline.ts'
import { inThread } from '../history/keeping.ts'
import type { Chance } from './chance.ts'
import { storedUpdate } from './ledger.ts'
import { type PastTruth, shownBy } from './past-truth.ts'
import { Violation } from './trace.ts'

type PastReader = Pick<HistoryStore, 'read' | 'blobs' | 'unreleased'>

export type PastParts = {
  readonly history: PastReader
  readonly room: string
  readonly loaded: LoadedDocument
  readonly truth: PastTruth
  /** Which moments are looked at. */
  readonly chance: Chance
  readonly where: string
}

/** So many moments of a document, each time. */
const momentsMax = 4

/** False: the document has no history yet. Throws a Violation. */
export async function checkPast(parts: PastParts): Promise<boolean> {
  const { history, room, loaded, where } = parts
  const stored = await history.read(room)
  if (stored === null) return false
  try {
    if (stored.incarnation !== loaded.incarnation) throw new Violation('is of another life')
    const past = await readPast(history, room, stored)
    checkRecords(past, loaded)
    const changes = walk(past, parts)
    checkHead(past, loaded)
    checkMoments(past, changes, parts)
    return true
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    const { keyframes, segments, ...rest } = decodeManifest(stored.manifest)
    const spans = segments.map(({ firstSequence, lastSequence }) => `${firstSequence}-${lastSequence}`)
    const frames = keyframes.map(({ sequence }) => sequence)
    const text = JSON.stringify({ spans, frames, rest, releasedTo: stored.releasedTo, pins: stored.pins })
    throw new Violation(`${where}, the history of ${room}: ${cause.message}\n${text}`, { cause })
  }
}

type OpenPast = {
  readonly stored: StoredHistory
  readonly manifest: Manifest
  readonly blobs: ReadonlyMap<number, Uint8Array>
  readonly unreleased: readonly HistoryRecord[]
  /** The sealed ones, and what is sealed on the fly. */
  readonly segments: readonly Segment[]
  /** What was before this is not looked at: the history begins here, or again after its last hole. */
  readonly start: number
}

async function readPast(history: PastReader, room: string, stored: StoredHistory): Promise<OpenPast> {
  const manifest = decodeManifest(stored.manifest)
  const entries = entriesOf(manifest)
  const found = await history.blobs(
    room,
    stored.incarnation,
    entries.map(({ blob }) => blob)
  )
  const blobs = new Map<number, Uint8Array>()
  for (const [index, { blob, bytes }] of entries.entries()) {
    const own = found[index]
    if (own?.length !== bytes) throw new Violation(`a blob has ${own?.length} bytes, not ${bytes}`)
    blobs.set(blob, own)
  }
  const unreleased = await allUnreleased(history, room, stored)
  const start = Math.max(manifest.beginsAt.sequence, manifest.holes.at(-1)?.toSequence ?? 0)
  const sealed: Segment[] = []
  for (const { timeline, body, ...rest } of manifest.segments) {
    if (body === null || rest.lastSequence <= start) continue
    sealed.push({ ...rest, timeline: bytesOf(blobs, timeline), body: bytesOf(blobs, body) })
  }
  const segments = [...sealed, ...(await sealedOnTheFly(manifest, blobs, unreleased))]
  return { stored, manifest, blobs, unreleased, segments, start }
}

function bytesOf(blobs: ReadonlyMap<number, Uint8Array>, { blob }: BlobEntry): Uint8Array {
  return blobs.get(blob) ?? new Uint8Array()
}

async function allUnreleased(
  history: PastReader,
  room: string,
  { incarnation }: StoredHistory
): Promise<HistoryRecord[]> {
  const all: HistoryRecord[] = []
  for (;;) {
    const after = all.at(-1)?.sequence ?? 0
    const page = await history.unreleased(room, incarnation, after, { records: 50, bytes: 20_000 })
    if (page.outcome === 'gone' || page.damaged.length > 0) throw new Violation('cannot be read')
    if (page.records.length === 0) return all
    all.push(...page.records)
  }
}

async function sealedOnTheFly(
  { known, refused, segments, keyframes }: Manifest,
  blobs: ReadonlyMap<number, Uint8Array>,
  unreleased: readonly HistoryRecord[]
): Promise<Segment[]> {
  const end = Math.max(segments.at(-1)?.lastSequence ?? 0, keyframes.at(-1)?.sequence ?? 0)
  const { segment } = await inThread.seal({
    ...{
      document: 'past',
      known: known === null ? null : bytesOf(blobs, known),
      records: unreleased,
      refused
    },
    ...{ exact: unreleased.map(({ sequence }) => sequence), after: { sequence: end, timeMs: 0 } }
  })
  return segment === null ? [] : [segment]
}

/** What is not sealed is all there. */
function checkRecords({ stored, manifest, unreleased }: OpenPast, { head }: LoadedDocument): void {
  const { releasedTo, pins } = stored
  if (releasedTo > manifest.sealedTo)
    throw new Violation(`released to ${releasedTo}, sealed to ${manifest.sealedTo}`)
  const there = new Set(unreleased.map(({ sequence }) => sequence))
  const needed = [...pins, ...Array.from({ length: head - releasedTo }, (_, i) => releasedTo + 1 + i)]
  const gone = needed.filter(sequence => !there.has(sequence))
  if (gone.length > 0) throw new Violation(`the records ${gone.join(' ')} are gone and were not sealed`)
}

/** Each clock of each client once, in order, by whoever wrote it. */
function walk(
  { manifest, blobs, segments, start, stored }: OpenPast,
  { truth, loaded }: PastParts
): Change[] {
  const first = manifest.keyframes.find(({ sequence }) => sequence >= start)
  const isFirstBefore =
    first !== undefined && first.sequence < (segments[0]?.firstSequence ?? Number.POSITIVE_INFINITY)
  const begin = isFirstBefore ? scanUpdate(openUpdate(bytesOf(blobs, first))).structs : []
  const ends = new Map(begin.map(({ client, clock, length }) => [client, clock + length]))
  const authors = new Authors(truth.records(stored.incarnation, loaded.head))
  const changes: Change[] = []
  for (const segment of segments) {
    for (const change of openTimeline(segment).changes) {
      const before = changes.at(-1)
      if (before !== undefined && (before.sequence > change.sequence || before.timeMs > change.timeMs))
        throw new Violation(`a change of record ${change.sequence} comes after one of ${before.sequence}`)
      for (const { client, clock, length } of change.inserted) {
        const end = ends.get(client) ?? 0
        if (clock !== end) throw new Violation(`${client} goes on at ${clock}, and not at ${end}`)
        ends.set(client, clock + length)
      }
      authors.check(change)
      changes.push(change)
    }
  }
  return changes
}

/** Who wrote what, by the records up to a change. */
class Authors {
  readonly #records: readonly { readonly sequence: number; readonly record: Uint8Array }[]
  readonly #structs = new Map<string, ClockRuns>()
  readonly #deletes = new Map<string, ClockRuns>()
  #next = 0

  constructor(records: readonly { readonly sequence: number; readonly record: Uint8Array }[]) {
    this.#records = records
  }

  check({ sequence, author, inserted, deleted }: Change): void {
    this.#readTo(sequence)
    const name = nameOf(author)
    const [structs, deletes] = [this.#structs.get(name), this.#deletes.get(name)]
    for (const { client, clock, length } of inserted) {
      if (structs?.covers(client, clock, length) === true) continue
      throw new Violation(`${name} is said to have written ${client}:${clock}+${length}`)
    }
    for (const { client, clock, length } of deleted) {
      if (deletes?.covers(client, clock, length) === true) continue
      throw new Violation(`${name} is said to have deleted ${client}:${clock}+${length}`)
    }
  }

  #readTo(sequence: number): void {
    for (;;) {
      const next = this.#records[this.#next]
      if (next === undefined || next.sequence > sequence) return
      this.#next++
      for (const { author, update } of decodeRecord(next.record)) {
        const { structs, deletes } = scanUpdate(update)
        addTo(this.#structs, nameOf(author), structs)
        addTo(this.#deletes, nameOf(author), deletes)
      }
    }
  }
}

function addTo(all: Map<string, ClockRuns>, name: string, ranges: Parameters<ClockRuns['addAll']>[0]): void {
  const runs = all.get(name) ?? new ClockRuns()
  all.set(name, runs)
  runs.addAll(ranges)
}

function nameOf(author: Author | null): string {
  return author === null ? 'nobody' : JSON.stringify([author.origin, author.user, author.connection])
}

function checkHead(past: OpenPast, loaded: LoadedDocument): void {
  const at = shownBy([updateAt(past, loaded.head)])
  const live = shownBy([storedUpdate(loaded)])
  if (at !== live) throw new Violation(`the present is not as it is:\n${at}\n${live}`)
}

/** Where a change ends is a moment that can be told apart: those of one second and author are one change. */
function checkMoments(
  past: OpenPast,
  changes: readonly Change[],
  { truth, chance, loaded }: PastParts
): void {
  const ends = changes.filter(({ sequence }, i) => sequence !== changes[i + 1]?.sequence)
  const moments = new Set(past.manifest.keyframes.map(({ sequence }) => sequence))
  for (let count = 0; count < momentsMax && ends.length > 0; count++) moments.add(chance.pick(ends).sequence)
  for (const sequence of moments) {
    if (sequence < past.start || sequence > loaded.head) continue
    const at = shownBy([updateAt(past, sequence)])
    const was = truth.at(past.stored.incarnation, sequence)
    if (at !== was) throw new Violation(`after record ${sequence} it was not as it is told:\n${at}\n${was}`)
  }
}

function updateAt({ manifest, blobs, segments, start }: OpenPast, sequence: number): Uint8Array {
  const near = manifest.keyframes.findLast(each => each.sequence <= sequence && each.sequence >= start)
  const keyframe = near === undefined ? null : openUpdate(bytesOf(blobs, near))
  const since = segments.filter(({ lastSequence }) => near === undefined || lastSequence > near.sequence)
  return documentAt({ keyframe, segments: since }, { sequence })
}
