import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/document/byte-writer.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { encodeDeleteSet } from '../../src/document/delete-set.ts'
import { Document, type DocumentLimits, setsOf } from '../../src/document/document.ts'
import { KnownClocks } from '../../src/document/known-clocks.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import { decodeStateVector, encodeStateVector } from '../../src/document/state-vector.ts'
import { finish } from '../../src/document/steps.ts'
import type { ScannedUpdate } from '../../src/document/tail.ts'
import { VectorBytes } from '../../src/document/vector-bytes.ts'
import { randomOf } from '../support/random.ts'

const clientsMax = 1_000_000

test('what is known is the same with each step of uniting layers', () => {
  const known = new KnownClocks()
  const expected = new ClockRuns()
  for (let layer = 0; layer < 3; layer++) {
    const ranges = Array.from({ length: 1_000 }, (_, i) => ({ client: i, clock: 2 * layer, length: 3 }))
    expected.addAll(ranges)
    if (layer === 0) known.add(ranges)
    else known.addLayer(ClockRuns.from(ranges), { clients: 0, runs: 0 })
  }

  let steps = 0
  for (const _ of known.unite()) {
    steps++
    for (const range of expected.ranges()) expect(known.covers(range)).toBe(true)
    expect(known.covers({ client: 1, clock: 0, length: 8 })).toBe(false)
    expect(known.durableBeyond(new ClockRuns()).equals(expected)).toBe(true)
  }

  expect(steps).toBeGreaterThan(10)
  expect(known.hasLayers).toBe(false)
  expect(known.durable.equals(expected)).toBe(true)
})

test('an update judged in slices is judged as at once, held or durable', () => {
  const document = new Document('room')
  const update = clientsUpdate(10_000, 0)
  const scanned = prepared(update)

  expect(finish(document.judgeInSlices(scanned.scan, setsIn(scanned)))).toEqual({ type: 'new', gap: null })
  document.hold(scanned)
  expect(document.judge(scanned.scan)).toEqual({ type: 'known' })
  document.settle(1, 1)
  expect(finish(document.judgeInSlices(scanned.scan, setsIn(scanned)))).toEqual({ type: 'known' })
  finish(document.unite())

  expect(document.judge(scanned.scan)).toEqual({ type: 'known' })
  expect(decodeStateVector(document.stateVector(), { clientsMax }).size).toBe(10_000)
  const hanging = prepared(clientsUpdate(5_000, 3, 20_000))
  expect(finish(document.judgeInSlices(hanging.scan, setsIn(hanging)))).toEqual(document.judge(hanging.scan))
})

test('a document takes structs of so many clients, and more of those it has', () => {
  const document = documentOf(clientsUpdate(100, 0))
  const exceeds = (update: Uint8Array) => wouldExceed(document, update, { stateVectorEntriesMax: 100 })

  expect(exceeds(clientsUpdate(100, 1))).toBe(null)
  expect(exceeds(clientsUpdate(101, 1))).toBe('clients')
})

test('a document takes so many ranges of deletions, and more that touch those it has', () => {
  const document = documentOf(deletionsUpdate(100, 0))
  const exceeds = (update: Uint8Array) => wouldExceed(document, update, { updateRangesMax: 100 })

  expect(exceeds(deletionsUpdate(100, 1))).toBe(null)
  expect(exceeds(deletionsUpdate(101, 0))).toBe('deletions')
  expect(exceeds(clientsUpdate(200, 0))).toBe(null)
})

test('what is known already does not count again while it waits to be united', () => {
  const document = documentOf(clientsUpdate(5_000, 0))
  const again = counted(document, clientsUpdate(5_001, 0))
  document.hold(again)
  const limits = { stateVectorEntriesMax: 5_010 }

  expect(wouldExceed(document, clientsUpdate(9, 0, 7_000), limits)).toBe(null)
  expect(wouldExceed(document, clientsUpdate(10, 0, 7_000), limits)).toBe('clients')
  document.settle(1, 2)
  for (const _ of document.unite())
    expect(wouldExceed(document, clientsUpdate(9, 0, 7_000), limits)).toBe(null)
  expect(wouldExceed(document, clientsUpdate(9, 0, 7_000), limits)).toBe(null)
  expect(wouldExceed(document, clientsUpdate(10, 0, 7_000), limits)).toBe('clients')
})

test('hundreds of thousands of runs of one client are united a little at a time', () => {
  const runs = ClockRuns.from(rangesOf(7, 200_000, 0))
  const other = ClockRuns.from(rangesOf(7, 200_000, 2))
  const expected = runs.clone()
  expected.addRuns(other)

  let steps = 0
  let mostAtOnce = 0
  const work = runs.absorb(other)
  for (let isDone = false; !isDone; steps++) {
    const before = runs.runCount
    isDone = work.next().done === true
    mostAtOnce = Math.max(mostAtOnce, runs.runCount - before)
    // Another update is taken in between.
    runs.add(7, 16 * 200_000 + 1, 1)
  }
  expected.add(7, 16 * 200_000 + 1, 1)

  expect(runs.equals(expected)).toBe(true)
  expect(runs.runCount).toBe([...expected.ranges()].length)
  expect(steps).toBeGreaterThan(40)
  expect(mostAtOnce).toBeLessThanOrEqual(200_000 / 40)
})

test('a long state vector that is kept while clocks grow says what a new one would', () => {
  const random = randomOf(1)
  const known = new ClockRuns()
  for (let client = 1; client <= 5_000; client++) known.add(client, 0, 1)
  const kept = new VectorBytes(known)
  kept.bytes()

  for (let round = 0; round < 500; round++) {
    const client = 1 + Math.floor(random() * 6_000)
    const range = { client, clock: known.prefixEnd(client), length: 1 }
    known.addAll([range])
    kept.changed([range])
    if (round % 50 > 0) continue
    const read = decodeStateVector(kept.bytes(), { clientsMax })
    expect(read).toEqual(decodeStateVector(encodeStateVector(known), { clientsMax }))
  }
})

function documentOf(update: Uint8Array): Document {
  const document = new Document('room')
  document.appendDurable({ update, scan: scanUpdate(update) }, 1)
  return document
}

function wouldExceed(document: Document, update: Uint8Array, limits: Partial<DocumentLimits>) {
  const most = { stateVectorEntriesMax: clientsMax, updateRangesMax: clientsMax }
  return document.wouldExceed(scanUpdate(update), { ...most, ...limits })
}

/** As an update that is judged in slices. */
function counted(document: Document, update: Uint8Array): ScannedUpdate {
  const scanned = prepared(update)
  return { ...scanned, sets: { ...setsIn(scanned), adds: finish(document.addsInSlices(scanned.scan)) } }
}

function rangesOf(client: number, count: number, offset: number) {
  return Array.from({ length: count }, (_, i) => ({ client, clock: 16 * i + offset, length: 1 }))
}

/** So many deletions of one client's clocks. */
function deletionsUpdate(count: number, offset: number): Uint8Array {
  return encodeDeleteSet(rangesOf(7, count, offset))
}

function prepared(update: Uint8Array): ScannedUpdate {
  const scan = scanUpdate(update)
  return { update, scan, sets: finish(setsOf(scan)) }
}

function setsIn({ sets }: ScannedUpdate): NonNullable<ScannedUpdate['sets']> {
  if (sets === undefined) throw new Error('not prepared')
  return sets
}

/** One deleted struct of each of so many clients, from `first` on. */
function clientsUpdate(count: number, clock: number, first = 1): Uint8Array {
  const writer = new ByteWriter(count * 8)
  writer.writeVarUint(count)
  for (let i = 0; i < count; i++) for (const each of [1, first + i, clock, 0, 1]) writer.writeVarUint(each)
  writer.writeVarUint(0)
  return writer.toUint8Array()
}
