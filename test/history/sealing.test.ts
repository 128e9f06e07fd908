/** What compactions leave of a document's past: begun, sealed, merged, with holes where something fails. */
import { expect, test } from 'vitest'
import type { HistoryRequest } from '../../persistence/history.ts'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { Fault } from '../../src/base/errors.ts'
import { encodeDeleteSet } from '../../src/document/delete-set.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { openTimeline } from '../../src/history/segment.ts'
import { randomOf } from '../support/random.ts'
import { checkBlobs, createKeeping, inThread, type Keeping, type KeepingOptions } from './keeping.ts'
import { startMs } from './logs.ts'
import { textAt, writerOf } from './typing.ts'
import { type Call, watched } from './watched.ts'

function keepingOf(store: Store, options: Omit<KeepingOptions, 'store' | 'random'> = {}): Keeping {
  return createKeeping({ store, random: randomOf(7), ...options })
}

test('a compaction begins a history, and everything before it can still be read', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  const first = await writer.type('one ')
  const second = await writer.type('two ')

  await keeping.compact('x')
  const third = await writer.type('three ')

  const { manifest, releasedTo } = await keeping.kept('x')
  expect(manifest).toMatchObject({ sealedTo: second, waiting: [], holes: [], keyframes: [] })
  expect(manifest.segments.length).toBe(1)
  expect(releasedTo).toBe(second)
  expect(await textAt(keeping, first)).toBe('one ')
  expect(await textAt(keeping, second)).toBe('one two ')
  expect(await textAt(keeping, third)).toBe('one two three ')
})

test('a document that is older than its history begins with its checkpoint', async () => {
  const store = createMemoryStore()
  let isOn = false
  const policyOf = () => (isOn ? { days: 30, bytes: null, gc: 'collect' as const } : null)
  const keeping = keepingOf(store, { policyOf })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  const second = await writer.type('two ')
  await keeping.compact('x')
  expect(await store.history?.read('x')).toBeNull()

  isOn = true
  const third = await writer.type('three ')
  await writer.type('four ')
  await keeping.compact('x')

  const { manifest } = await keeping.kept('x')
  expect(manifest.beginsAt).toMatchObject({ sequence: second, timeMs: startMs + 4_000 })
  expect(await textAt(keeping, first)).toBeNull()
  expect(await textAt(keeping, second)).toBe('one two ')
  expect(await textAt(keeping, third)).toBe('one two three ')
})

test('the store is told how many bytes of records are released, without those that wait', async () => {
  const store = createMemoryStore()
  const writes: HistoryRequest[] = []
  const onCall = ({ name, given }: Call) =>
    void (name === 'history.write' && writes.push(given[0] as HistoryRequest))
  const keeping = keepingOf(watched(store, onCall))
  const writer = writerOf(store)
  await writer.type('one ')
  const held = writer.hold('two ')
  await writer.type('three ')
  const bytes = (await store.load('x')).records.map(({ record }) => record.length)

  await keeping.compact('x')
  await writer.append(held)
  const late = (await store.load('x')).records.map(({ record }) => record.length)
  await keeping.compact('x')

  const sealed = writes.flatMap(({ freedBytes }) => freedBytes ?? [])
  expect(sealed).toEqual([bytes[0], late.reduce((sum, length) => sum + length, 0)])
})

test('what waits for something unknown is sealed when that has come, by whoever wrote it', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  await writer.type('one ')
  const late = writer.hold('two ')
  const waits = await writer.type('three ')
  await keeping.compact('x')
  const { manifest, pins } = await keeping.kept('x')
  expect(manifest.waiting).toEqual([{ sequence: waits, index: 0 }])
  expect(pins).toEqual([waits])
  expect(await textAt(keeping, waits)).toBe('one ')

  const came = await writer.append(late)
  await keeping.compact('x')

  const after = await keeping.kept('x')
  expect(after.manifest.waiting).toEqual([])
  expect(after.pins).toEqual([])
  expect(await textAt(keeping, came)).toBe('one two three ')
})

test('what a compaction refuses never enters it, not after a crash before it was sealed either', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  await writer.type('one ')
  // A struct that Yjs cannot read the content of: a type of an unknown kind.
  const bad = Uint8Array.of(1, 1, 5, 0, 7, 1, 1, 0x61, 99, 0)
  await writer.append(bad)
  const last = await writer.type('two ')

  // The server dies between the checkpoint and the seal.
  const compacted = await keeping.compact('x', { sealed: false })
  expect(compacted?.refused.length).toBe(1)
  expect((await keeping.kept('x')).manifest.refused.length).toBe(1)
  const more = await writer.type('three ')
  await keeping.compact('x')

  const { manifest } = await keeping.kept('x')
  expect(manifest).toMatchObject({ refused: [], holes: [], waiting: [] })
  expect(await textAt(keeping, last)).toBe('one two ')
  expect(await textAt(keeping, more)).toBe('one two three ')
})

test('where sealing fails for good, compaction goes on and the history begins again behind a hole', async () => {
  const store = createMemoryStore()
  let fails = false
  const seal: typeof inThread.seal = job => {
    return fails ? Promise.reject(new Fault('ERR_INTERNAL', 'the worker died')) : inThread.seal(job)
  }
  const keeping = keepingOf(store, { work: { seal } })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await keeping.compact('x')
  fails = true
  const lost = await writer.type('two ')
  const second = await writer.type('three ')
  const compacted = await keeping.compact('x')
  fails = false
  const third = await writer.type('four ')
  await keeping.compact('x')

  expect(compacted).not.toBeNull()
  const { manifest } = await keeping.kept('x')
  expect(manifest.holes).toMatchObject([
    { afterSequence: first, toSequence: second, reason: 'the worker died' }
  ])
  expect(await textAt(keeping, first)).toBe('one ')
  expect(await textAt(keeping, lost)).toBeNull()
  expect(await textAt(keeping, second)).toBe('one two three ')
  expect(await textAt(keeping, third)).toBe('one two three four ')
  expect(await keeping.metrics.expose().then(({ text }) => text)).toContain('chorus_history_holes_total 1')
})

test('where the store or the worker is away for a moment, the next compaction seals both', async () => {
  const store = createMemoryStore()
  let fails = false
  const seal: typeof inThread.seal = job => {
    return fails ? Promise.reject(new Fault('ERR_OVERLOADED', 'many jobs wait')) : inThread.seal(job)
  }
  const keeping = keepingOf(store, { work: { seal } })
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  fails = true
  const second = await writer.type('two ')
  await keeping.compact('x')
  const { text } = await keeping.metrics.expose()
  expect(text).toContain('chorus_history_unsealed_records 1')
  expect(text).toContain('chorus_history_failures_total 1')
  fails = false
  const third = await writer.type('three ')
  await keeping.compact('x')

  expect((await keeping.kept('x')).manifest).toMatchObject({ sealedTo: third, holes: [] })
  expect(await textAt(keeping, second)).toBe('one two ')
  expect((await keeping.metrics.expose()).text).toContain('chorus_history_unsealed_records 0')
})

test('too many records that could not be sealed become a hole', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store, { limits: { historyUnsealedMax: 3 } })
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  for (const word of ['a', 'b', 'c', 'd']) await writer.type(word)
  const end = await writer.type('e')
  await keeping.compact('x')

  const { manifest } = await keeping.kept('x')
  expect(manifest.holes).toMatchObject([{ toSequence: end, reason: '5 records were not sealed' }])
  expect(await textAt(keeping, end)).toBe('one abcde')
})

test('too many updates that wait become a hole, and they are sealed after it', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store, { limits: { historyWaitingMax: 2 } })
  const writer = writerOf(store)
  await writer.type('one ')
  const late = writer.hold('two ')
  for (const word of ['a', 'b', 'c']) await writer.type(word)
  await keeping.compact('x')
  expect((await keeping.kept('x')).manifest.holes.length).toBe(1)

  const came = await writer.append(late)
  await keeping.compact('x')

  expect((await keeping.kept('x')).manifest.waiting).toEqual([])
  expect(await textAt(keeping, came)).toBe('one two abc')
})

test('a history that holds something else than the document begins again', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  const { incarnation, manifest: before } = await keeping.kept('x')
  const forged = inThread.seal({
    ...{ document: 'x', known: null, refused: [], exact: [], after: { sequence: 0, timeMs: 0 } },
    records: [
      { sequence: 1, record: encodeRecord([{ update: writerOf(store).hold('z'), author: null, timeMs: 1 }]) }
    ]
  })
  const { entry, blob } = keeping.histories.kept.newBlob((await forged).known)
  const change = { manifest: { ...before, known: entry }, blobs: [blob] }
  await keeping.histories.kept.change('x', incarnation, () => change)

  const end = await writer.type('two ')
  await keeping.compact('x')

  const { manifest } = await keeping.kept('x')
  expect(manifest.holes).toMatchObject([{ reason: 'it held something else than the document' }])
  expect(await textAt(keeping, end)).toBe('one two ')
})

test('several who seal at once seal every record once', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store, { limits: { historySegmentUpdatesMax: 3 } })
  const writer = writerOf(store)
  for (let word = 0; word < 40; word++) await writer.type(`${word} `)
  const compacted = await keeping.compact('x', { sealed: false })
  const { toSeal } = compacted ?? {}
  if (toSeal == null) throw new Error('nothing to seal')
  await Promise.all([1, 2, 3, 4].map(() => keeping.histories.seal('x', toSeal)))

  const { manifest, incarnation } = await keeping.kept('x')
  expect(manifest).toMatchObject({ sealedTo: toSeal.sequence, holes: [] })
  let inserted = 0
  for (const { timeline } of manifest.segments) {
    const [bytes] = await keeping.histories.kept.blobs('x', incarnation, [timeline])
    const { changes } = openTimeline({ timeline: bytes as Uint8Array })
    for (const change of changes) for (const { length } of change.inserted) inserted += length
  }
  const text = await textAt(keeping, toSeal.sequence)
  expect(text?.length).toBe(inserted)
  await checkBlobs(store, 'x', manifest, incarnation)
})

test('small segments are merged, so that a hundred compactions leave few', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  const numbers: number[] = []
  for (let round = 0; round < 100; round++) {
    for (let word = 0; word < 3; word++) numbers.push(await writer.type(`${round}.${word} `))
    await keeping.compact('x')
  }
  const { manifest } = await keeping.kept('x')
  expect(manifest.segments.length).toBeLessThan(10)
  expect(manifest.segments.reduce((sum, { changes }) => sum + changes, 0)).toBe(300)
  expect((await textAt(keeping, numbers[149] as number))?.endsWith('49.2 ')).toBe(true)
})

test('a long log is read a page at a time', async () => {
  const asked: number[] = []
  const store = watched(createMemoryStore(), ({ name, answer }) => {
    if (name === 'history.unreleased') asked.push((answer as { records: unknown[] }).records.length)
  })
  const keeping = keepingOf(store, { limits: { historySegmentBytesMax: 500, historyMergedBytesMax: 0 } })
  const writer = writerOf(store)
  for (let word = 0; word < 100; word++) await writer.type(`${word} `)
  await keeping.compact('x')

  expect((await keeping.kept('x')).manifest.segments.length).toBeGreaterThan(5)
  expect(Math.max(...asked)).toBeLessThan(20)
})

test('a deletion of what waits, and a document deleted meanwhile, end quietly', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  await writer.type('one ')
  await writer.append(encodeDeleteSet([{ client: 3, clock: 0, length: 1 }]))
  const compacted = await keeping.compact('x', { sealed: false })
  await store.delete('x')
  if (compacted?.toSeal == null) throw new Error('nothing to seal')
  await keeping.histories.seal('x', compacted.toSeal)

  expect(await store.history?.read('x')).toBeNull()
  expect(keeping.lines).toEqual([])
})
