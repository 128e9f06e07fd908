/** What of a history goes, and what can be read afterwards: by age, by size, by hand, and when it is switched off. */
import { expect, test } from 'vitest'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { systemTime } from '../../src/base/time.ts'
import { bytesOf } from '../../src/history/kept.ts'
import type { Manifest, Version } from '../../src/history/manifest.ts'
import type { HistoryPolicy } from '../../src/history/policy.ts'
import { thinned } from '../../src/history/retention.ts'
import { openBody } from '../../src/history/segment.ts'
import { randomOf } from '../support/random.ts'
import { createKeeping, type Keeping, type KeepingOptions } from './keeping.ts'
import { startMs } from './logs.ts'
import { textAt, writerOf } from './typing.ts'

const dayMs = 86_400_000

/** A clock that stands where it is put. */
function clockAt(ms: number) {
  let nowMs = ms
  const time = { ...systemTime, wallMs: () => nowMs }
  return { time, set: (next: number) => (nowMs = next) }
}

function keepingOf(store: Store, options: Omit<KeepingOptions, 'store' | 'random'> = {}): Keeping {
  const { limits, ...rest } = options
  // Nothing is merged, so that every compaction leaves a segment.
  const small = { historyMergedBytesMax: 0, historySweepPauseMs: 0, ...limits }
  return createKeeping({ store, random: randomOf(7), ...rest, limits: small })
}

/** A segment for each word. */
async function typed(store: Store, keeping: Keeping, words: readonly string[], beginsMs = startMs) {
  const writer = writerOf(store, { beginsMs })
  const numbers: number[] = []
  for (const word of words) {
    numbers.push(await writer.type(word))
    await keeping.compact('x')
  }
  return numbers as [number, ...number[]]
}

function change(keeping: Keeping, incarnation: string, edit: (manifest: Manifest) => Manifest) {
  return keeping.histories.kept.change('x', incarnation, ({ manifest }) => ({ manifest: edit(manifest) }))
}

test('what is older than its days goes, and what is left can be read as before', async () => {
  const store = createMemoryStore()
  const clock = clockAt(startMs)
  const policyOf = () => ({ days: 2, bytes: null, gc: 'collect' as const })
  const keeping = keepingOf(store, { time: clock.time, policyOf })
  const [first, second, third] = await typed(store, keeping, ['one ', 'two ', 'three ', 'four '])

  clock.set(startMs + 2 * dayMs + 3_000)
  await keeping.sweep.run()

  const { manifest } = await keeping.kept('x')
  expect(manifest.segments.length).toBe(2)
  expect(manifest.beginsAt).toEqual({ sequence: second, timeMs: startMs + 2_000 })
  expect(await textAt(keeping, first)).toBeNull()
  expect(await textAt(keeping, second as number)).toBe('one two ')
  expect(await textAt(keeping, third as number)).toBe('one two three ')
  expect((await keeping.metrics.expose()).text).toContain('chorus_history_cuts_total{reason="too-old"} 1')
  const before = (await keeping.kept('x')).generation
  await keeping.sweep.run()
  expect((await keeping.kept('x')).generation).toBe(before)
})

test('a history of which nothing is young enough goes whole, and begins again with the next compaction', async () => {
  const store = createMemoryStore()
  const clock = clockAt(startMs)
  const keeping = keepingOf(store, { time: clock.time })
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  clock.set(startMs + 31 * dayMs)
  await keeping.sweep.run()
  expect(await store.history?.read('x')).toBeNull()

  const second = await writer.type('two ')
  await keeping.compact('x')
  expect(await textAt(keeping, second)).toBe('one two ')
})

test('a sweep seals what a server that died has left unsealed', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store, { time: clockAt(startMs).time })
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  const second = await writer.type('two ')
  await keeping.compact('x', { sealed: false })
  await writer.type('three ')

  await keeping.sweep.run()

  expect((await keeping.kept('x')).manifest).toMatchObject({ sealedTo: second, holes: [] })
  expect(await textAt(keeping, second)).toBe('one two ')
  const { text } = await keeping.metrics.expose()
  expect(text).toContain('chorus_histories 1')
  expect(text).toContain(`chorus_history_bytes ${bytesOf((await keeping.kept('x')).manifest)}`)
})

test('a history that grows too large loses its oldest part when it is sealed', async () => {
  const store = createMemoryStore()
  const policyOf = () => ({ days: 30, bytes: 2_000, gc: 'collect' as const })
  const keeping = keepingOf(store, { policyOf })
  const words = Array.from({ length: 40 }, (_, index) => `${index} `)
  const numbers = await typed(store, keeping, words)

  const { manifest } = await keeping.kept('x')
  expect(bytesOf(manifest)).toBeLessThanOrEqual(2_000)
  expect(manifest.segments.length).toBeGreaterThan(2)
  expect(await textAt(keeping, numbers[2] as number)).toBeNull()
  expect(await textAt(keeping, numbers[38] as number)).toBe(words.slice(0, 39).join(''))
  expect((await keeping.metrics.expose()).text).toMatch(/history_cuts_total\{reason="too-large"\} [1-9]/)
})

test('by default it may have four times the document, and 4 MiB', async () => {
  const store = createMemoryStore()
  const limits = { historyBytesMin: 300, historyDocumentRatio: 4 }
  const keeping = keepingOf(store, { limits })
  await typed(
    store,
    keeping,
    Array.from({ length: 60 }, (_, index) => `${index} `)
  )
  const { manifest } = await keeping.kept('x')
  expect(bytesOf(manifest)).toBeLessThanOrEqual(4 * manifest.documentBytes)
})

test('more segments, or holes, than the limits go too', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store, { limits: { historySegmentsMax: 5 } })
  const numbers = await typed(store, keeping, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  expect((await keeping.kept('x')).manifest.segments.length).toBe(5)
  expect(await textAt(keeping, numbers[1] as number)).toBe('ab')
  expect(await textAt(keeping, numbers[0])).toBeNull()

  const others = createMemoryStore()
  const withHoles = keepingOf(others, { limits: { historyUnsealedMax: 0, historyHolesMax: 2 } })
  const [begun, ...later] = await typed(others, withHoles, ['a', 'b', 'c', 'd', 'e'])
  const { manifest } = await withHoles.kept('x')
  expect(manifest.holes.length).toBe(2)
  expect(await textAt(withHoles, begun)).toBeNull()
  expect(await textAt(withHoles, later[3] as number)).toBe('abcde')
})

test('a prune takes the contents before a time, and leaves who did what when', async () => {
  const store = createMemoryStore()
  const keeping = keepingOf(store)
  const writer = writerOf(store)
  await writer.type('one ')
  await keeping.compact('x')
  const { doc } = writer
  const pasted = await writer.type('PASSWORD')
  await keeping.compact('x')
  const removed = await writer.remove('PASSWORD'.length)
  await keeping.compact('x')
  const last = await writer.type('two ')
  await keeping.compact('x')
  expect(await textAt(keeping, pasted)).toBe('one PASSWORD')

  // Until the word was deleted: what lies in one segment goes together.
  const pruned = await keeping.histories.prune('x', startMs + 4_001)

  expect(pruned?.beginsAt).toEqual({ sequence: removed, timeMs: startMs + 4_000 })
  expect(pruned?.bytes).toBeTypeOf('number')
  const { manifest, incarnation } = await keeping.kept('x')
  expect(manifest.segments.map(({ body }) => body === null)).toEqual([true, true, true, false])
  expect(await textAt(keeping, pasted)).toBeNull()
  expect(await textAt(keeping, removed)).toBe('one ')
  expect(await textAt(keeping, last)).toBe('one two ')
  expect(doc.getText('t').toString()).toBe('one two ')
  const [body] = manifest.segments.flatMap(each => each.body ?? [])
  const bytes = await keeping.histories.kept.blobs('x', incarnation, [
    ...manifest.keyframes,
    ...(body === undefined ? [] : [body])
  ])
  const contents = bytes.map(each => Buffer.from(openBody({ body: each })).toString())
  expect(contents.join()).toContain('one ')
  expect(contents.join()).not.toContain('PASSWORD')
  expect(await keeping.histories.prune('nothing', startMs)).toBeNull()
})

test('timelines of what was pruned go with age, and the rest stays readable', async () => {
  const store = createMemoryStore()
  const clock = clockAt(startMs)
  const policyOf = () => ({ days: 2, bytes: null, gc: 'collect' as const })
  const keeping = keepingOf(store, { time: clock.time, policyOf })
  const numbers = await typed(store, keeping, ['a', 'b', 'c', 'd', 'e'])
  await keeping.histories.prune('x', startMs + 5_000)
  expect((await keeping.kept('x')).manifest.segments.length).toBe(5)

  for (const left of [4, 3, 2, 1]) {
    clock.set(startMs + 2 * dayMs + (5 - left) * 2_000 - 1)
    await keeping.sweep.run()
    expect((await keeping.kept('x')).manifest.segments.length).toBe(left)
    expect(await textAt(keeping, numbers[4] as number)).toBe('abcde')
  }
})

test('versions that the server made grow fewer with age, and named ones stay until their moment goes', async () => {
  const nowMs = startMs + 100 * dayMs
  const version = (kind: Version['kind'], ageMs: number): Version => {
    const timeMs = nowMs - ageMs
    return { id: `${kind} ${ageMs}`, name: '', kind, sequence: 1, timeMs, madeMs: timeMs, author: null }
  }
  const hourMs = dayMs / 24
  const made = (from: number, to: number, step: number) =>
    Array.from({ length: (to - from) / step }, (_, index) => version('before-restore', from + index * step))
  const young = made(0, dayMs, hourMs / 2)
  const week = made(2 * dayMs, 3 * dayMs, hourMs / 4)
  const old = made(20 * dayMs, 22 * dayMs, hourMs)
  const named = [version('named', 20 * dayMs), version('named', 20 * dayMs + 1)]

  const left = thinned([...young, ...week, ...old, ...named], nowMs)

  expect(left.filter(each => young.includes(each)).length).toBe(48)
  // Whole hours and days of the clock: one more where a stretch begins within one.
  expect([24, 25]).toContain(left.filter(each => week.includes(each)).length)
  expect([2, 3]).toContain(left.filter(each => old.includes(each)).length)
  expect(left.filter(each => named.includes(each))).toEqual(named)

  const store = createMemoryStore()
  const clock = clockAt(startMs)
  const keeping = keepingOf(store, { time: clock.time })
  const numbers = await typed(store, keeping, ['a', 'b', 'c'])
  const { incarnation } = await keeping.kept('x')
  const at = (sequence: number | undefined, id: string): Version => {
    return { ...version('named', 0), id, sequence: sequence ?? 0, timeMs: startMs, madeMs: startMs }
  }
  await change(keeping, incarnation, manifest => {
    return { ...manifest, versions: [at(numbers[0], 'gone'), at(numbers[2], 'stays')] }
  })
  clock.set(startMs + 30 * dayMs + 3_000)
  await keeping.sweep.run()
  expect((await keeping.kept('x')).manifest.versions.map(({ id }) => id)).toEqual(['stays'])
})

test('switched off, it stays for its days, takes in nothing more, and then goes', async () => {
  const store = createMemoryStore()
  const clock = clockAt(startMs)
  let policy: HistoryPolicy | null = { days: 30, bytes: null, gc: 'collect' }
  const keeping = keepingOf(store, { time: clock.time, policyOf: () => policy })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await keeping.compact('x')

  policy = null
  await writer.type('two ')
  await keeping.compact('x')
  await keeping.sweep.run()
  expect((await keeping.kept('x')).manifest.offSinceMs).toBe(startMs)
  const { incarnation } = await keeping.kept('x')
  const left = await store.history?.unreleased('x', incarnation, 0, { records: 10, bytes: 1_000 })
  expect(left).toMatchObject({ outcome: 'records', records: [] })
  expect(await textAt(keeping, first)).toBe('one ')

  policy = { days: 30, bytes: null, gc: 'collect' }
  const third = await writer.type('three ')
  await keeping.compact('x')
  const { manifest } = await keeping.kept('x')
  expect(manifest).toMatchObject({ offSinceMs: null, holes: [{ reason: 'it was switched off' }] })
  expect(await textAt(keeping, third)).toBe('one two three ')

  policy = null
  await keeping.sweep.run()
  clock.set(startMs + 31 * dayMs)
  await keeping.sweep.run()
  expect(await store.history?.read('x')).toBeNull()
})
