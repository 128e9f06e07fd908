/** Two that seal one history at once: whoever is overtaken finds blobs gone that it has just read of. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { systemTime } from '../../src/base/time.ts'
import { randomOf } from '../support/random.ts'
import { beforeBlobs } from './before-blobs.ts'
import { createKeeping } from './keeping.ts'
import { startMs } from './logs.ts'
import { textAt, writerOf } from './typing.ts'

const dayMs = 86_400_000

test('a blob that another sealer has dropped meanwhile is no damage: nothing is missing in the history', async () => {
  const store = createMemoryStore()
  const other = createKeeping({ store, random: randomOf(1) })
  let overtakes = 0
  const slow = createKeeping({
    random: randomOf(2),
    store: beforeBlobs(store, async () => {
      if (overtakes++ > 0) return
      await other.histories.catchUp('x', await other.kept('x'))
    })
  })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await other.compact('x')
  const second = await writer.type('two ')

  await slow.compact('x')

  const { manifest } = await slow.kept('x')
  expect(overtakes).toBeGreaterThan(0)
  expect(manifest).toMatchObject({ holes: [], sealedTo: second })
  expect(await textAt(slow, first)).toBe('one ')
  expect(await textAt(slow, second)).toBe('one two ')
})

test('who is overtaken amid several pages does not take its own last page for the end of the history', async () => {
  const store = createMemoryStore()
  const limits = { historySegmentUpdatesMax: 1, historyMergedBytesMax: 0 }
  const other = createKeeping({ store, random: randomOf(1), limits })
  let isOvertaken = false
  const slow = createKeeping({
    random: randomOf(2),
    limits,
    // What the first page has left is about to be read for the second.
    store: beforeBlobs(store, async () => {
      if (isOvertaken) return
      isOvertaken = true
      await other.histories.catchUp('x', await other.kept('x'))
    })
  })
  const writer = writerOf(store)
  for (const word of ['one ', 'two ', 'three ']) await writer.type(word)

  await slow.compact('x')

  const { manifest } = await slow.kept('x')
  expect(isOvertaken).toBe(true)
  expect(manifest).toMatchObject({ holes: [], sealedTo: 3 })
  expect(await textAt(slow, 2)).toBe('one two ')
})

test.each(['prune', 'cutToAge', 'cutToSize'] as const)(
  '%s looks again when a blob that it was about to read has been dropped meanwhile',
  async what => {
    const store = createMemoryStore()
    // Nothing is merged: each compaction leaves a segment.
    const limits = { historyMergedBytesMax: 0, historySweepPauseMs: 0 }
    const other = createKeeping({ store, random: randomOf(1), limits })
    let isOvertaken = false
    const slow = createKeeping({
      random: randomOf(2),
      limits,
      // More than one body alone is too much.
      policyOf: () => ({ days: 1, bytes: what === 'cutToSize' ? 1 : null, gc: 'collect' }),
      time: { ...systemTime, wallMs: () => startMs + dayMs + 4_000 },
      store: beforeBlobs(store, async (numbers: unknown) => {
        // Of the past, once; when it seals it reads one at a time.
        if (isOvertaken || !Array.isArray(numbers) || numbers.length === 1) return
        isOvertaken = true
        await other.histories.prune('x', startMs + 1_000)
      })
    })
    const writer = writerOf(store)
    for (const word of ['one ', 'two ', 'three ']) {
      await writer.type(word)
      await other.compact('x')
    }
    const last = await writer.type('four ')
    if (what !== 'cutToSize') await other.compact('x')

    if (what === 'prune') await slow.histories.prune('x', startMs + 5_000)
    else if (what === 'cutToAge') await slow.sweep.run()
    else await slow.compact('x')

    expect(isOvertaken).toBe(true)
    expect(slow.lines.filter(({ level }) => level === 'error')).toEqual([])
    const { manifest } = await slow.kept('x')
    expect(manifest.beginsAt.sequence).toBeGreaterThan(1)
    expect(await textAt(slow, last)).toBe('one two three four ')
  }
)
