/**
 * What happens at the bounds, and what is left to do after quiet.
 */
import { describe, expect, test } from 'vitest'
import { bytesOf, largeSegments, overwrite } from '../../persistence/conformance-tools.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import { createSimulatedDisk } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

describe('bounds', () => {
  test('set-aside bytes are bounded, the newest entry is always kept', async () => {
    const place = simulatedPlace({}, { setAsideMax: 3, setAsideBytesMax: 1000 })
    const store = await place.open()
    const sizes = [10, 20, 30, 40, 960, 990, 5000]
    const kept: number[][] = []
    for (const size of sizes) {
      await store.setAside('a', { author: '', timeMs: 0, reason: '', bytes: new Uint8Array(size) })
      kept.push((await store.listSetAside('a')).map(entry => entry.bytes.length))
    }

    expect(kept).toEqual([[10], [10, 20], [10, 20, 30], [20, 30, 40], [40, 960], [990], [5000]])
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
