/**
 * What happens at the bounds, and what is left to do after quiet.
 */
import { describe, expect, test } from 'vitest'
import { bytesOf, largeSegments, overwrite } from '../../persistence/conformance-tools.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import { createSimulatedDisk } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { levelPlace, memoryPlace, simulatedPlace } from './places.ts'

describe('bounds', () => {
  test('set-aside bytes are bounded, the newest entry is always kept', async () => {
    const place = simulatedPlace({}, { setAsideMax: 3, setAsideBytesMax: 1000 })
    const store = await place.open()
    const sizes = [10, 20, 30, 40, 960, 990, 5000]
    const kept: number[][] = []
    for (const size of sizes) {
      await store.setAside('a', { author: null, timeMs: 0, reason: '', bytes: new Uint8Array(size) })
      kept.push((await store.listSetAside('a')).map(entry => entry.bytes.length))
    }

    expect(kept).toEqual([[10], [10, 20], [10, 20, 30], [20, 30, 40], [40, 960], [990], [5000]])
    await store.close()
  })

  const places = [
    ['memory', memoryPlace],
    ['LevelDB', levelPlace],
    ['a simulated disk', simulatedPlace]
  ] as const

  test.each(places)('in %s, entries of many parts make room as small ones do', async (_, place) => {
    const store = await place().open()
    const MiB = 1024 * 1024
    const add = (reason: string, size: number) =>
      store.setAside('a', { author: null, timeMs: 0, reason, bytes: new Uint8Array(size) })
    const listed = async () => (await store.listSetAside('a')).map(entry => entry.reason)

    await add('first', 3 * MiB + 1)
    await add('second', 30 * MiB)
    const before = await listed()
    await add('third', 32 * MiB)
    const [second] = await store.listSetAside('a')
    const after = await listed()
    await store.dropSetAside('a', second?.number ?? 0)

    expect(before).toEqual(['first', 'second'])
    expect(after).toEqual(['second', 'third'])
    expect(await listed()).toEqual(['third'])
    await store.close()
  })

  test('appends are written between the parts of what is set aside, however much that is', async () => {
    const order: string[] = []
    const place = simulatedPlace({
      onWrite: ({ operations }) => {
        const bytes = operations.reduce((sum, each) => sum + (each.type === 'put' ? each.value.length : 0), 0)
        order.push(bytes > 100_000 ? 'part' : 'other')
        expect(bytes).toBeLessThan(300 * 1024)
        return 'written'
      }
    })
    const store = await place.open()
    const entry = { author: null, timeMs: 0, reason: '', bytes: new Uint8Array(5 * 1024 * 1024) }
    const setAside = Promise.all(['a', 'b', 'c'].map(document => store.setAside(document, entry)))
    let isSet = false
    void setAside.then(() => {
      isSet = true
    })

    let partsBefore = 0
    let mostBetween = 0
    while (!isSet) {
      await append(store, 'd', 'x')
      const parts = order.filter(each => each === 'part').length
      mostBetween = Math.max(mostBetween, parts - partsBefore)
      partsBefore = parts
    }

    expect(partsBefore).toBe(60)
    expect(mostBetween).toBeLessThanOrEqual(2)
    await store.close()
  })

  test('more writes than may wait are refused at once', async () => {
    const store = await simulatedPlace().open()

    const results = await Promise.allSettled(
      Array.from({ length: 10_050 }, (_, index) => append(store, 'a', `${index}`))
    )

    const rejected = results.filter(result => result.status === 'rejected')
    expect(rejected.length).toBe(50)
    expect(rejected[0]).toMatchObject({ reason: { code: 'STORE_FAILED' } })
    expect((await store.load('a')).records.length).toBe(10_000)
    await store.close()
  })
})

describe('after quiet', () => {
  test('freed ranges are compacted once, never beside close, and no timer is left', async () => {
    const disk = createSimulatedDisk()
    const compacted: string[] = []
    const process = disk.startProcess()
    const backend = {
      open: async () => {
        const database = await process.open()
        return {
          ...database,
          compactRange: async () => {
            compacted.push('begin')
            await new Promise(resolve => setImmediate(resolve))
            compacted.push('end')
          },
          close: async () => {
            compacted.push('close')
            await database.close()
          }
        }
      }
    }
    const timers = new Set<() => void>()
    const store = await openOrderedStore(backend, {
      schedule: (_delayMs, work) => {
        timers.add(work)
        return () => timers.delete(work)
      }
    })
    for (let round = 0; round < 3; round++) await rewrite(store, largeSegments(`${round}`))
    expect(timers.size).toBe(1)

    const [fire] = timers
    timers.clear()
    fire?.()
    await Promise.resolve()
    await store.close()

    expect(compacted).toEqual(['begin', 'end', 'close'])
    expect(timers.size).toBe(0)
  })
})

async function rewrite(store: Store, segments: readonly Uint8Array[]): Promise<void> {
  await append(store, 'a', 'x')
  await overwrite(store, { document: 'a', from: await store.load('a'), segments })
}

function append(store: Store, document: string, ...labels: string[]) {
  return store.append(labels.map(label => ({ document, record: bytesOf(label) })))
}
