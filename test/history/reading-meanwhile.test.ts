/** Questions about a history that is sealed at the same time, and about moments that it does not know. Needs dist (globalSetup). */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { Fault } from '../../src/base/errors.ts'
import { withLimits } from '../../src/base/limits.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime } from '../../src/base/time.ts'
import { HistoryReads } from '../../src/documents/history-reads.ts'
import { HistoryViews } from '../../src/documents/history-views.ts'
import type { NamedMoment } from '../../src/history/moments.ts'
import { HistoryWorkers } from '../../src/history/workers.ts'
import { randomOf } from '../support/random.ts'
import { beforeBlobs } from './before-blobs.ts'
import { createKeeping, inThread, type Keeping } from './keeping.ts'
import { writerOf } from './typing.ts'

const limits = withLimits({})

/** Whoever asks; `store` is how they see it. */
function readerOf(store: Store, { histories }: Keeping) {
  const workers = new HistoryWorkers(limits)
  onTestFinished(() => workers.close())
  const metrics = createMetrics()
  const slices = new Slices(systemTime, limits)
  const shared = { kept: histories.kept, work: inThread, policyOf: () => null }
  const views = new HistoryViews({ ...shared, store, slices, limits })
  const reads = new HistoryReads({ views, workers, metrics })
  const asking = { document: 'x' }
  return {
    metrics,
    textAt: async (moment: NamedMoment) => {
      const doc = new Y.Doc()
      Y.applyUpdate(doc, await reads.at(asking, moment))
      return doc.getText('t').toString()
    },
    blame: async (from: NamedMoment) =>
      new TextDecoder().decode(await reads.blame(asking, { from, roots: null, answerBytesMax: 1_000_000 }))
  }
}

async function counted({ expose }: ReturnType<typeof createMetrics>, series: string): Promise<number> {
  const line = (await expose()).text.split('\n').find(each => each.startsWith(`${series} `))
  return Number(line?.split(' ').at(-1) ?? 0)
}

test('whoever reads while a sealer drops the blobs reads again, and is told what was so', async () => {
  const store = createMemoryStore()
  const keeping = createKeeping({ store, random: randomOf(3) })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await keeping.compact('x')
  let reads = 0
  const reader = readerOf(
    beforeBlobs(store, async () => {
      if (reads++ > 0) return
      const before = (await keeping.kept('x')).manifest.segments
      await writer.type('two ')
      await keeping.compact('x')
      const after = (await keeping.kept('x')).manifest.segments.map(({ body }) => body?.blob)
      expect(after).not.toContain(before[0]?.body?.blob)
    }),
    keeping
  )

  expect(await reader.textAt({ sequence: first })).toBe('one ')

  expect(reads).toBeGreaterThan(1)
  expect(await counted(reader.metrics, 'chorus_history_reads_total{kind="at",outcome="done"}')).toBe(1)
  expect(await counted(reader.metrics, 'chorus_history_read_seconds_count{kind="at"}')).toBe(1)
})

test('a history that is sealed at every look is given up after some, and says so', async () => {
  const store = createMemoryStore()
  const keeping = createKeeping({ store, random: randomOf(3) })
  const writer = writerOf(store)
  const first = await writer.type('one ')
  await keeping.compact('x')
  const reader = readerOf(
    beforeBlobs(store, async () => {
      await writer.type('more ')
      await keeping.compact('x')
    }),
    keeping
  )

  await expect(reader.textAt({ sequence: first })).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })

  expect(await counted(reader.metrics, 'chorus_history_reads_total{kind="at",outcome="failed"}')).toBe(1)
})

test('a moment within a hole, and one before the beginning, are refused with from when on it is known', async () => {
  const store = createMemoryStore()
  let fails = false
  let isOn = false
  const keeping = createKeeping({
    store,
    random: randomOf(7),
    policyOf: () => (isOn ? { days: 30, bytes: null, gc: 'collect' } : null),
    work: {
      seal: job => {
        return fails ? Promise.reject(new Fault('ERR_INTERNAL', 'the worker died')) : inThread.seal(job)
      }
    }
  })
  const writer = writerOf(store)
  const early = await writer.type('early ')
  await writer.type('earlier ')
  await keeping.compact('x')
  isOn = true
  const first = await writer.type('one ')
  await keeping.compact('x')
  fails = true
  const lost = await writer.type('two ')
  await writer.type('three ')
  for (let tries = 0; (await keeping.kept('x')).manifest.holes.length === 0; tries++) {
    if (tries > 20) throw new Error('there is no hole')
    await keeping.compact('x')
    await writer.type('. ')
  }
  fails = false
  const last = await writer.type('end')
  await keeping.compact('x')
  const reader = readerOf(store, keeping)
  const { manifest } = await keeping.kept('x')
  const [hole] = manifest.holes

  const within = reader.textAt({ sequence: lost })
  await expect(within).rejects.toMatchObject({
    code: 'ERR_NO_MOMENT',
    publicReason: `a part of the history of this document is missing; it goes on at ${new Date(hole?.timeMs ?? 0).toISOString()}, record ${hole?.toSequence}`
  })
  const before = reader.blame({ sequence: early })
  const { timeMs, sequence } = manifest.beginsAt
  await expect(before).rejects.toMatchObject({
    code: 'ERR_NO_MOMENT',
    publicReason: `the history of this document begins at ${new Date(timeMs).toISOString()}, record ${sequence}`
  })
  expect(await reader.textAt({ sequence: first })).toBe('early earlier one ')
  expect(await reader.textAt({ sequence: hole?.toSequence ?? 0 })).toContain('two three ')
  expect(await reader.textAt({ sequence: last })).toMatch(/two three .*end$/)
  expect(await counted(reader.metrics, 'chorus_history_reads_total{kind="blame",outcome="refused"}')).toBe(1)
})
