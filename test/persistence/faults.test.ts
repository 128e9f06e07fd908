/**
 * Named faults on the simulated disk: failed writes, a full disk.
 */
import { describe, expect, test } from 'vitest'
import { bytesOf, largeSegments, overwrite, seen } from '../../persistence/conformance-tools.ts'
import type { StoreReport } from '../../persistence/reports.ts'
import type { SimulatedDisk, SimulatedOutcome } from '../../persistence/simulated.ts'
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

  test('a failed removal leaves the checkpoint written, hides what it replaced, and is repeated', async () => {
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

function keysOf(disk: SimulatedDisk, letter: string): string[] {
  return disk.entries().flatMap(([key]) => (key[0] === letter.charCodeAt(0) ? [key.toString('hex')] : []))
}
