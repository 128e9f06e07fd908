/**
 * What an append costs the database, and how durable each batch is.
 */
import { describe, expect, test } from 'vitest'
import { appendLabels, bytesOf, largeSegments, overwrite, seen } from '../../persistence/conformance-tools.ts'
import type { RangeQuery } from '../../persistence/ordered.ts'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import {
  createSimulatedDisk,
  type SimulatedOutcome,
  type SimulatedWrite
} from '../../persistence/simulated.ts'
import { simulatedPlace } from './places.ts'

describe('an append to a known document', () => {
  test('is one put per entry in one batch, and no read', async () => {
    const writes: SimulatedWrite[] = []
    const disk = createSimulatedDisk({ onWrite: write => noted(writes, write) })
    const process = disk.startProcess()
    let reads = 0
    const open = async () => {
      const database = await process.open()
      return {
        ...database,
        get: (key: Buffer) => {
          reads++
          return database.get(key)
        },
        range: (query: RangeQuery) => {
          reads++
          return database.range(query)
        }
      }
    }
    const store = await openOrderedStore({ open })
    const entry = (document: string) => ({ document, record: bytesOf('x') })
    await store.append([entry('a'), entry('b')])
    writes.length = 0
    reads = 0

    await store.append([entry('a'), entry('b'), entry('a')])

    expect(reads).toBe(0)
    expect(writes.map(write => write.operations.length)).toEqual([3])
    await store.close()
  })

  test('costs reads again once its head was pushed out of memory, and its number goes on', async () => {
    const place = simulatedPlace({}, { headsMax: 2 })
    const store = await place.open()
    const sequences: number[] = []
    for (const document of ['a', 'b', 'c', 'a', 'd', 'e', 'a']) {
      const [sequence] = await appendLabels(store, document, document)
      if (document === 'a') sequences.push(sequence ?? 0)
    }

    expect(sequences).toEqual([1, 2, 3])
    await store.close()
  })
})

describe('durability', () => {
  test('relaxed: only appends to existing documents are unsynced', async () => {
    const writes: SimulatedWrite[] = []
    const place = simulatedPlace({ onWrite: write => noted(writes, write) }, { durability: 'relaxed' })
    const store = await place.open()
    await store.append([{ document: 'a', record: bytesOf('birth') }])
    expect(writes.at(-1)?.durability).toBe('synced')
    await store.append([{ document: 'a', record: bytesOf('relaxed') }])
    expect(writes.at(-1)?.durability).toBe('unsynced')
    const before = writes.length
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: largeSegments('m') })
    await store.delete('a')
    await store.setAside('a', { author: null, timeMs: 0, reason: '', bytes: bytesOf('x') })

    expect(new Set(writes.slice(before).map(write => write.durability))).toEqual(new Set(['synced']))
    await store.close()
  })

  test('relaxed: a crash may take the newest records and nothing else', async () => {
    const place = simulatedPlace({ survivors: unsynced => unsynced - 1 }, { durability: 'relaxed' })
    let store = await place.open()
    for (const label of ['one', 'two', 'three'])
      await store.append([{ document: 'a', record: bytesOf(label) }])
    await place.crash()

    store = await place.open()
    expect(seen(await store.load('a')).records).toEqual(['one', 'two'])
    await store.close()
  })
})

function noted(writes: SimulatedWrite[], write: SimulatedWrite): SimulatedOutcome {
  writes.push(write)
  return 'written'
}
