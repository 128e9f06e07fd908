/**
 * Named faults on the simulated disk: failed writes, a full disk, damaged values, quiet and close.
 */
import { describe, expect, test } from 'vitest'
import { bytesOf, largeSegments, overwrite, seen } from '../../persistence/conformance-tools.ts'
import { headKey, recordKey } from '../../persistence/format.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import type { StoreReport } from '../../persistence/reports.ts'
import { createSimulatedDisk, type SimulatedOutcome } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

describe('a failed write', () => {
  test.each(['failed', 'failed-but-written'] as const)(
    '%s, then continued writes, then a crash: nothing resolved is lost',
    async outcome => {
      const plan = planned()
      const place = simulatedPlace(plan.options)
      let store = await place.open()
      await append(store, 'a', 'one')
      plan.next(outcome)
      await expect(append(store, 'a', 'lost or not')).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await append(store, 'a', 'two')
      await append(store, 'a', 'three')
      await place.crash()

      store = await place.open()
      const records = outcome === 'failed' ? ['one', 'two', 'three'] : ['one', 'lost or not', 'two', 'three']
      expect(seen(await store.load('a')).records).toEqual(records)
      await store.close()
    }
  )

  test('the database is closed and opened again before the next write, and reported', async () => {
    const plan = planned()
    const reports: StoreReport[] = []
    let openings = 0
    const place = simulatedPlace(
      { ...plan.options, onOpen: () => void openings++ },
      { onReport: report => reports.push(report) }
    )
    const store = await place.open()
    plan.next('failed')
    await expect(append(store, 'a', 'x')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(openings).toBe(1)

    await append(store, 'a', 'y')

    expect(openings).toBe(2)
    expect(reports.map(report => report.kind)).toEqual(['reopened'])
    await store.close()
  })

  test('appends queued behind a failed one resolve only after the reopening', async () => {
    const plan = planned()
    const order: string[] = []
    const place = simulatedPlace({ ...plan.options, onOpen: () => void order.push('open') })
    const store = await place.open()
    await append(store, 'a', 'first')
    plan.next('failed')

    const results = await Promise.allSettled(
      ['x', 'y', 'z'].map(label => append(store, 'a', label).then(() => order.push(label)))
    )

    expect(results.map(result => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(order).toEqual(['open', 'open', 'y', 'z'])
    expect(seen(await store.load('a')).records).toEqual(['first', 'y', 'z'])
    await store.close()
  })

  test('a reopening that fails is the error of that call, and tried again at the next', async () => {
    const plan = planned()
    let failures = 0
    const place = simulatedPlace({
      ...plan.options,
      onOpen: () => {
        if (failures-- > 0) throw new Error('no such device')
      }
    })
    const store = await place.open()
    await append(store, 'a', 'one')
    plan.next('failed')
    await expect(append(store, 'a', 'x')).rejects.toThrow()
    failures = 2

    await expect(store.load('a')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(append(store, 'a', 'y')).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await append(store, 'a', 'two')

    expect(seen(await store.load('a')).records).toEqual(['one', 'two'])
    await store.close()
  })

  test('reads that begin while it is reopened wait for it', async () => {
    const plan = planned()
    const place = simulatedPlace({
      ...plan.options,
      pause: () => new Promise(resolve => setImmediate(resolve))
    })
    const store = await place.open()
    await append(store, 'a', 'one')
    plan.next('failed')
    await expect(append(store, 'a', 'x')).rejects.toThrow()

    const loads = await Promise.all([store.load('a'), store.load('a'), append(store, 'a', 'y'), store.list()])

    expect(seen(loads[0]).records).toEqual(['one'])
    expect(loads[3]).toEqual(['a'])
    await store.close()
  })

  test('a read under way when a write fails is finished before the database is closed', async () => {
    const plan = planned()
    const place = simulatedPlace({
      ...plan.options,
      pause: () => new Promise(resolve => setImmediate(resolve))
    })
    const store = await place.open()
    const labels = Array.from({ length: 5000 }, (_, index) => `${index}`)
    await append(store, 'a', ...labels)
    plan.next('failed')

    const [loaded] = await Promise.all([
      store.load('a'),
      expect(append(store, 'a', 'x')).rejects.toThrow(),
      append(store, 'b', 'y')
    ])

    expect(seen(loaded).records).toEqual(labels)
    await store.close()
  })

  test('a large checkpoint under way while another write fails is undone and rejected', async () => {
    const plan = planned()
    const place = simulatedPlace(plan.options)
    const store = await place.open()
    await append(store, 'a', 'one')
    const from = await store.load('a')
    plan.at(place.disk.steps() + 3, 'failed')

    const writing = overwrite(store, { document: 'a', from, segments: largeSegments('m') })

    await expect(writing).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(seen(await store.load('a'))).toEqual({ checkpoint: null, records: ['one'] })
    expect(keysOf(place.disk, 's')).toEqual([])
    expect(keysOf(place.disk, 'x')).toEqual([])
    await overwrite(store, { document: 'a', from, segments: largeSegments('m') })
    expect(seen(await store.load('a')).records).toEqual([])
    await store.close()
  })

  test('a failed removal leaves the checkpoint written, hides what it replaced, and is finished later', async () => {
    const plan = planned()
    const reports: StoreReport[] = []
    const place = simulatedPlace(plan.options, { onReport: report => reports.push(report) })
    const store = await place.open()
    await append(store, 'a', 'one')
    const from = await store.load('a')
    plan.when(operations => operations.some(({ type, key }) => type === 'del' && key[0] === 0x72), 'failed')

    const result = await overwrite(store, { document: 'a', from, segments: largeSegments('m') })

    expect(result.outcome).toBe('written')
    expect(seen(await store.load('a')).records).toEqual([])
    expect(reports.map(report => report.kind)).toContain('removal-failed')
    expect(keysOf(place.disk, 'r')).toEqual([])
    await store.close()
  })
})

describe('a full disk', () => {
  test('appends are refused with STORE_FULL until there is space, then go on', async () => {
    const place = simulatedPlace()
    let store = await place.open()
    await append(store, 'a', 'one')
    place.disk.setCapacity(place.disk.bytes())

    await expect(append(store, 'a', 'x')).rejects.toMatchObject({ code: 'STORE_FULL' })
    await expect(store.probe()).rejects.toMatchObject({ code: 'STORE_FULL' })
    place.disk.setCapacity(1e9)
    await append(store, 'a', 'two')
    await place.crash()

    store = await place.open()
    expect(seen(await store.load('a')).records).toEqual(['one', 'two'])
    await store.close()
  })
})

describe('damage', () => {
  test('a damaged record is set aside and reported once; its number is not used again', async () => {
    const reports: StoreReport[] = []
    const place = simulatedPlace({}, { onReport: report => reports.push(report), now: () => 77 })
    let store = await place.open()
    const sequences = await append(store, 'a', 'one', 'two', 'three')
    flip(place.disk, recordKey(1, sequences[0] ?? 0))
    flip(place.disk, recordKey(1, sequences[2] ?? 0))

    const loaded = await store.load('a')

    expect(seen(loaded).records).toEqual(['two'])
    expect(loaded.damaged.map(damage => damage.sequence)).toEqual([sequences[0], sequences[2]])
    expect((await store.load('a')).damaged).toEqual([])
    const aside = await store.listSetAside('a')
    expect(aside).toHaveLength(2)
    expect(aside[0]).toMatchObject({ author: '', timeMs: 77 })
    expect(aside[0]?.reason).toContain('checksum')
    expect(aside[0]?.bytes.length).toBe(5 + bytesOf('one').length)
    expect(reports.map(report => report.kind)).toEqual(['record-set-aside', 'record-set-aside'])
    await place.crash()
    store = await place.open()
    const [next] = await append(store, 'a', 'four')
    expect(next).toBeGreaterThan(sequences[2] ?? 0)
    await store.close()
  })

  test('two loads at once set a damaged record aside once', async () => {
    const place = simulatedPlace()
    const store = await place.open()
    const [sequence] = await append(store, 'a', 'one')
    flip(place.disk, recordKey(1, sequence ?? 0))

    await Promise.all([store.load('a'), store.load('a'), store.load('a')])

    expect(await store.listSetAside('a')).toHaveLength(1)
    await store.close()
  })

  test('a value under the key of another record is damage', async () => {
    const place = simulatedPlace()
    const store = await place.open()
    await append(store, 'a', 'one', 'two')
    const [first] = place.disk.entries().filter(([key]) => key[0] === 0x72)
    place.disk.overwrite(recordKey(1, 2), first?.[1] ?? Buffer.alloc(0))

    const loaded = await store.load('a')

    expect(seen(loaded).records).toEqual(['one'])
    expect(loaded.damaged).toHaveLength(1)
    await store.close()
  })

  test.each([0x68, 0x73])('a damaged head or segment (key %i) is STORE_DAMAGED, bytes left', async letter => {
    const place = simulatedPlace()
    const store = await place.open()
    await append(store, 'a', 'one')
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: [bytesOf('m')] })
    await append(store, 'b', 'other')
    await store.close()
    const entry = place.disk
      .entries()
      .findLast(([key]) => key[0] === letter && !key.equals(headKey(Buffer.from('b'))))
    flip(place.disk, entry?.[0] ?? Buffer.alloc(0))
    const before = place.disk.entries().length

    const again = await place.open()

    await expect(again.load('a')).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    if (letter === 0x68) {
      await expect(append(again, 'a', 'x')).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    }
    expect(place.disk.entries().length).toBe(before)
    expect(seen(await again.load('b')).records).toEqual(['other'])
    await again.close()
  })

  test('a missing segment is STORE_DAMAGED', async () => {
    const place = simulatedPlace()
    const store = await place.open()
    await append(store, 'a', 'one')
    const from = await store.load('a')
    const segments = [bytesOf('m0'), bytesOf('m1')]
    await overwrite(store, { document: 'a', from, segments })
    const before = place.disk.entries().filter(([key]) => key[0] === 0x73)
    place.disk.remove(before.at(-1)?.[0] ?? Buffer.alloc(0))

    await expect(store.load('a')).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    await expect(store.segments('a', 1)).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    await store.close()
  })
})

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

/** Outcomes arranged by the test: of the next batch, of a step, or of the first batch that matches. */
function planned() {
  type Operations = readonly { readonly type: string; readonly key: Buffer }[]
  const at = new Map<number, SimulatedOutcome>()
  let next: SimulatedOutcome | null = null
  let match: { matches: (operations: Operations) => boolean; outcome: SimulatedOutcome } | null = null
  return {
    at: (step: number, outcome: SimulatedOutcome) => void at.set(step, outcome),
    next: (outcome: SimulatedOutcome) => {
      next = outcome
    },
    when: (matches: (operations: Operations) => boolean, outcome: SimulatedOutcome) => {
      match = { matches, outcome }
    },
    options: {
      onWrite: ({ step, operations }: { step: number; operations: Operations }): SimulatedOutcome => {
        if (match?.matches(operations) === true) {
          const { outcome } = match
          match = null
          return outcome
        }
        const outcome = at.get(step) ?? next ?? 'written'
        next = null
        return outcome
      }
    }
  }
}

type Disk = ReturnType<typeof createSimulatedDisk>

function keysOf(disk: Disk, letter: string): string[] {
  return disk.entries().flatMap(([key]) => (key[0] === letter.charCodeAt(0) ? [key.toString('hex')] : []))
}

function flip(disk: Disk, key: Buffer): void {
  const value = disk.entries().find(([one]) => one.equals(key))?.[1]
  if (value === undefined) throw new Error(`no such key ${key.toString('hex')}`)
  const changed = Buffer.from(value)
  changed[6] = (changed[6] ?? 0) ^ 0x40
  disk.overwrite(key, changed)
}
