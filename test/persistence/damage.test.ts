/**
 * Values that do not check out, on the simulated disk.
 */
import { describe, expect, test } from 'vitest'
import { appendLabels, bytesOf, overwrite, seen } from '../../persistence/conformance-tools.ts'
import { headKey, recordKey, segmentKey } from '../../persistence/format.ts'
import type { StoreReport } from '../../persistence/reports.ts'
import type { SimulatedDisk } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'
import { simulatedPlace } from './places.ts'

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
    expect(aside[0]).toMatchObject({ author: null, timeMs: 77 })
    expect(aside[0]?.reason).toContain('checksum')
    expect(aside[0]?.bytes.length).toBe(5 + bytesOf('one').length)
    expect(reports.map(report => report.kind)).toEqual(['record-set-aside', 'record-set-aside'])
    await place.crash()
    store = await place.open()
    const [next] = await append(store, 'a', 'four')
    expect(next).toBeGreaterThan(sequences[2] ?? 0)
    await store.close()
  })

  test('a large set-aside entry of which a part is damaged says so, with what can be read', async () => {
    const place = simulatedPlace()
    const store = await place.open()
    const bytes = bytesOf('large', 600 * 1024)
    await store.setAside('a', { author: null, timeMs: 5, reason: 'why', bytes })
    flip(place.disk, segmentKey(1, 1, 1))

    const [entry] = await store.listSetAside('a')

    expect(entry).toMatchObject({
      number: 1,
      timeMs: 5,
      reason: 'damaged set-aside entry: 2 of 3 parts can be read; why'
    })
    expect(entry?.bytes.length).toBe(344 * 1024)
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
    expect(place.disk.entries().length).toBe(before)
    expect(seen(await again.load('b')).records).toEqual(['other'])
    if (letter === 0x68) {
      const record = bytesOf('x')
      const [of, beside] = await again.append(['a', 'b'].map(document => ({ document, record })))
      expect(of).toMatchObject({ outcome: 'failed', cause: { code: 'STORE_DAMAGED' } })
      expect(beside).toMatchObject({ outcome: 'written' })
    }
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

function append(store: Store, document: string, ...labels: string[]) {
  return appendLabels(store, document, ...labels)
}

function flip(disk: SimulatedDisk, key: Buffer): void {
  const value = disk.entries().find(([one]) => one.equals(key))?.[1]
  if (value === undefined) throw new Error(`no such key ${key.toString('hex')}`)
  const changed = Buffer.from(value)
  changed[6] = (changed[6] ?? 0) ^ 0x40
  disk.overwrite(key, changed)
}
