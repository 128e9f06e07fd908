/**
 * A sealed history against a plain replay of its log by Yjs: the document at every record, with updates that come too
 * early, twice, or after what they repeat was collected.
 */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord, encodeRecord, type LoggedUpdate } from '../../src/document/record.ts'
import { Integration } from '../../src/history/integration.ts'
import { keyframeAfter } from '../../src/history/keyframe.ts'
import { decodeKnown, encodeKnown } from '../../src/history/known.ts'
import { documentAt, stateAt } from '../../src/history/moment.ts'
import {
  mergeSegments,
  openTimeline,
  openUpdate,
  type Sealed,
  type Segment,
  type StoredRecord,
  seal
} from '../../src/history/segment.ts'
import { createRandom, type Random, seed } from '../document/random-docs.ts'
import { logOf, recordsOf, startMs } from './logs.ts'
import { seen, withoutPairs } from './seen.ts'

const nothingKnown = { vector: new Map(), deletes: new ClockRuns() }

/** Sealed in several goes; what waits comes again with the next. */
function sealAll(
  random: Random,
  records: readonly StoredRecord[]
): { segments: Segment[]; sealed: Sealed | null } {
  const exact = new Set(records.map(({ sequence }) => sequence))
  const segments: Segment[] = []
  let known = nothingKnown as Sealed['known']
  let sealed: Sealed | null = null
  let waiting = new Set<number>()
  for (let at = 0; at < records.length; ) {
    const end = at + 1 + random.below(40)
    const again = records.slice(0, at).filter(({ sequence }) => waiting.has(sequence))
    sealed = seal({ known, records: [...again, ...records.slice(at, end)], isRefused: () => false, exact })
    if (sealed.segment !== null) segments.push(sealed.segment)
    known = sealed.known
    waiting = new Set(sealed.waiting.map(({ sequence }) => sequence))
    at = end
  }
  return { segments, sealed }
}

function docOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  expect(doc.store.pendingStructs).toBeNull()
  expect(doc.store.pendingDs).toBeNull()
  return doc
}

describe(`a sealed history (seed ${seed})`, () => {
  test('holds the document at every record, as a replay of the log has it', () => {
    for (let run = 0; run < 40; run++) {
      const random = createRandom(seed + run)
      const log = logOf(random, { steps: 120 })
      const records = recordsOf(random, log)
      const { segments } = sealAll(random, records)
      const updates: Uint8Array[] = []
      for (const { sequence, record } of records) {
        for (const { update } of decode(record)) updates.push(update)
        // At once: one after the other, Yjs sometimes leaves what it could take by now for a later update.
        const replay = new Y.Doc()
        Y.applyUpdate(replay, Y.mergeUpdates(updates))
        const at = documentAt({ keyframe: null, segments }, { sequence })
        expect(withoutPairs(seen(docOf(at))), `seed ${seed + run}, record ${sequence}`).toEqual(
          withoutPairs(seen(replay))
        )
      }
    }
  })

  test('begins with a whole state where the document is older than its history', () => {
    const random = createRandom(seed)
    const records = recordsOf(random, logOf(random, { steps: 150 }))
    const older = new Y.Doc()
    const middle = Math.floor(records.length / 2)
    for (const { record } of records.slice(0, middle))
      for (const { update } of decode(record)) Y.applyUpdate(older, update)
    const waits = older.store.pendingStructs !== null || older.store.pendingDs !== null
    older.store.pendingStructs = null
    older.store.pendingDs = null
    const keyframe = Y.encodeStateAsUpdate(older)
    const known = new Integration<null>()
    known.add({ author: null, update: keyframe }, null)
    const rest = waits ? records : records.slice(middle)
    const { segment } = seal({ known: known.known, records: rest, isRefused: () => false, exact: new Set() })
    const past = { keyframe, segments: segment === null ? [] : [segment] }
    const whole = new Y.Doc()
    for (const { record } of records) for (const { update } of decode(record)) Y.applyUpdate(whole, update)
    const last = documentAt(past, { sequence: records.length })
    expect(seen(docOf(last))).toEqual(seen(whole))
    expect(seen(docOf(documentAt(past, { sequence: 0 })))).toEqual(seen(older))
  })

  test('is the same when segments that follow one another are merged', () => {
    const random = createRandom(seed + 7)
    const records = recordsOf(random, logOf(random, { steps: 150 }))
    const { segments } = sealAll(random, records)
    const merged = mergeSegments(segments)
    const bytes = (all: readonly Segment[]) =>
      all.reduce((sum, { timeline, body }) => sum + timeline.length + body.length, 0)
    expect(bytes(merged === null ? [] : [merged])).toBeLessThan(bytes(segments))
    for (const { sequence } of records) {
      const [one, other] = [segments, merged === null ? [] : [merged]].map(all =>
        documentAt({ keyframe: null, segments: all }, { sequence })
      )
      expect(seen(docOf(one as Uint8Array))).toEqual(seen(docOf(other as Uint8Array)))
    }
  })

  test('says who inserted and who deleted what, each clock once', () => {
    const random = createRandom(seed + 9)
    const log = logOf(random, { steps: 150 })
    const { segments } = sealAll(random, recordsOf(random, log))
    const changes = segments.flatMap(segment => openTimeline(segment).changes)
    const inserted = new ClockRuns()
    for (const { client, clock, length } of changes.flatMap(change => change.inserted)) {
      expect(inserted.touches({ client, clock, length })).toBe(false)
      inserted.add(client, clock, length)
    }
    expect(inserted.hasGaps).toBe(false)
    const { vector, deletes } = stateAt({ keyframe: null, segments }, { sequence: Number.MAX_SAFE_INTEGER })
    expect(inserted.stateVector()).toEqual(vector)
    expect(ClockRuns.from(changes.flatMap(change => change.deleted)).equals(deletes)).toBe(true)
    const authors = new Set(changes.map(({ author }) => author?.user))
    expect(authors).toEqual(new Set(['user 0', 'user 1', 'user 2']))
    expect(changes.map(({ timeMs }) => timeMs)).toEqual(
      changes.map(({ timeMs }) => timeMs).sort((a, b) => a - b)
    )
  })

  test('what hangs on something unknown is not sealed, and is with what it waited for', () => {
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (const letter of 'abc') doc.getText('text').insert(doc.getText('text').length, letter)
    const [first, second, third] = updates.map((update, index) => ({
      sequence: index + 1,
      record: encodeRecord([{ update, author: null, timeMs: startMs + index * 2_000 }])
    })) as [StoredRecord, StoredRecord, StoredRecord]
    const job = { isRefused: () => false, exact: new Set<number>() }
    const one = seal({ ...job, known: nothingKnown, records: [first, third] })
    expect(one.waiting).toEqual([{ sequence: 3, index: 0 }])
    const two = seal({ ...job, known: one.known, records: [third, second] })
    expect(two.waiting).toEqual([])
    const segments = [one.segment, two.segment] as Segment[]
    const text = docOf(documentAt({ keyframe: null, segments }, { sequence: 3 }))
      .getText('text')
      .toString()
    expect(text).toBe('abc')
  })

  test('goes on behind what was sealed before, whatever the clocks of nodes say', () => {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'x')
    const record = encodeRecord([{ update: Y.encodeStateAsUpdate(doc), author: null, timeMs: startMs }])
    const { segment } = seal({
      known: nothingKnown,
      records: [{ sequence: 8, record }],
      isRefused: () => false,
      exact: new Set(),
      after: { sequence: 9, timeMs: startMs + 5_000 }
    })
    expect(segment).toMatchObject({ firstSequence: 9, lastSequence: 9, firstMs: startMs + 5_000, changes: 1 })
  })

  test('a whole state at its end, without what was deleted, begins what comes after', () => {
    const random = createRandom(seed + 11)
    const records = recordsOf(random, logOf(random, { steps: 150 }))
    const { segments } = sealAll(random, records)
    const half = Math.floor(segments.length / 2)
    const keyframe = openUpdate(keyframeAfter({ keyframe: null, segments: segments.slice(0, half) }).keyframe)
    for (const { sequence } of records) {
      if (sequence <= (segments[half - 1]?.lastSequence ?? 0)) continue
      const from = documentAt({ keyframe, segments: segments.slice(half) }, { sequence })
      const whole = documentAt({ keyframe: null, segments }, { sequence })
      expect(seen(docOf(from)), `seed ${seed + 11}, record ${sequence}`).toEqual(seen(docOf(whole)))
    }
  })

  test('what it holds goes into bytes and comes back', () => {
    const random = createRandom(seed + 12)
    const { sealed } = sealAll(random, recordsOf(random, logOf(random, { steps: 150 })))
    const known = (sealed as Sealed).known
    const { vector, deletes } = decodeKnown(encodeKnown(known))
    expect(vector).toEqual(new Map([...known.vector].filter(([, end]) => end > 0)))
    expect(deletes.equals(known.deletes)).toBe(true)
    expect(() => decodeKnown(encodeKnown(known).subarray(1))).toThrow()
  })

  test('what was refused never enters it', () => {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'x')
    const records = [
      { sequence: 1, record: encodeRecord([{ update: Y.encodeStateAsUpdate(doc), author: null, timeMs: 1 }]) }
    ]
    const { segment } = seal({
      known: nothingKnown,
      records,
      isRefused: ({ sequence }) => sequence === 1,
      exact: new Set()
    })
    expect(segment).toBeNull()
  })
})

function decode(record: Uint8Array): LoggedUpdate[] {
  return decodeRecord(record)
}
