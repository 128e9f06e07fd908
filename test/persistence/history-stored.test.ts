/** Histories as bytes: what is damaged, what other versions have stored, and what a document without one costs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  blobLabels,
  historyOf,
  lifeOf,
  mergeAll,
  needed,
  shownHistory,
  written
} from '../../persistence/conformance-history-tools.ts'
import { appendLabels, bytesOf, seen } from '../../persistence/conformance-tools.ts'
import { historyKey, recordKey, segmentKey } from '../../persistence/format.ts'
import { markKey } from '../../persistence/history-format.ts'
import { openLevelStore } from '../../persistence/index.ts'
import { createLevelBackend } from '../../persistence/level-backend.ts'
import type { Store } from '../../persistence/store.ts'
import { type SimulatedPlace, simulatedPlace, temporaryDirectory } from './places.ts'

/** Life 1, history 2. */
async function begun(): Promise<{ place: SimulatedPlace; store: Store }> {
  const place = simulatedPlace()
  const store = await place.open()
  await appendLabels(store, 'a', 'one', 'two', 'three')
  await written(store, { document: 'a', blobs: [{ number: 7, bytes: bytesOf('blob') }] })
  await mergeAll(store, 'a')
  await appendLabels(store, 'a', 'four')
  return { place, store }
}

const damaged = { code: 'STORE_DAMAGED' }

test('a damaged manifest or blob is told, and the document is served', async () => {
  const { place, store } = await begun()
  const life = await lifeOf(store, 'a')
  flip(place, segmentKey(2, 7, 0))
  await expect(historyOf(store).blobs('a', life, [7])).rejects.toMatchObject(damaged)
  flip(place, historyKey(Buffer.from('a')))

  await expect(historyOf(store).read('a')).rejects.toMatchObject(damaged)
  expect(seen(await store.load('a'))).toEqual({ checkpoint: ['merged'], records: ['four'] })
  expect(await needed(store, 'a')).toEqual(['(one)', '(two)', '(three)', 'four'])
  expect(await historyOf(store).drop('a', life)).toBe(true)
  expect(await historyOf(store).read('a')).toBeNull()
  await store.close()
})

test('a damaged mark makes the document STORE_DAMAGED; others are served, and it can be deleted', async () => {
  const { place, store } = await begun()
  await appendLabels(store, 'b', 'other')
  flip(place, markKey({ incarnation: 1, history: 2 }))
  await store.close()
  const again = await place.open()

  await expect(again.load('a')).rejects.toMatchObject(damaged)
  await expect(historyOf(again).read('a')).rejects.toMatchObject(damaged)
  expect(seen(await again.load('b')).records).toEqual(['other'])
  expect(await again.delete('a')).toBe(true)
  expect(place.disk.entries().filter(([key]) => key[0] === 0x73)).toEqual([])
  await again.close()
})

test('a hidden record that is damaged is reported and stays; the others are given', async () => {
  const { place, store } = await begun()
  flip(place, recordKey(1, 2))

  const page = await historyOf(store).unreleased('a', '1', 0, { records: 1, bytes: 1 })
  const next = await historyOf(store).unreleased('a', '1', 1, { records: 1, bytes: 1 })

  expect(page).toMatchObject({ records: [{ sequence: 1 }], damaged: [] })
  expect(next).toMatchObject({ records: [{ sequence: 3 }], damaged: [{ sequence: 2 }] })
  expect((await store.load('a')).damaged).toEqual([])
  expect(await store.listSetAside('a')).toEqual([])
  await store.close()
})

test('what has ended leaves no key behind', async () => {
  const { place, store } = await begun()
  await historyOf(store).drop('a', '1')
  const dropped = place.disk.entries().map(([key]) => String.fromCharCode(key[0] ?? 0))
  await store.delete('a')
  await store.close()

  // Counters, head, probe, the record in the log, meta and segment of the checkpoint.
  expect(dropped.join('')).toBe('chprss')
  expect(place.disk.entries()).toHaveLength(2)
})

test('[I12] a directory with a history of the first version opens with all of it', async () => {
  const directory = temporaryDirectory()
  await (await openLevelStore(directory)).close()
  const file = join(import.meta.dirname, 'stored', 'history-version-1.json')
  const entries = JSON.parse(readFileSync(file, 'utf8')) as [string, string][]
  const database = await createLevelBackend(join(directory, 'log')).open()
  const put = entries.map(([key, value]) => {
    return { type: 'put', key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') } as const
  })
  await database.batch(put, 'synced')
  await database.close()

  const store = await openLevelStore(directory)
  onTestFinished(() => store.close())
  expect(await historyOf(store).list()).toEqual(['a'])
  expect(shownHistory(await historyOf(store).read('a'))).toBe('kept, released to 3, pins 1')
  expect(await blobLabels(store, 'a', [1, 2, 9])).toEqual(['small', 'other', null])
  expect(seen(await store.load('a'))).toEqual({ checkpoint: ['merged'], records: ['five'] })
  expect(await needed(store, 'a')).toEqual(['(one)', '(four)', 'five'])
})

function flip({ disk }: SimulatedPlace, key: Buffer): void {
  const value = disk.entries().find(([one]) => one.equals(key))?.[1]
  if (value === undefined) throw new Error(`no such key ${key.toString('hex')}`)
  const changed = Buffer.from(value)
  changed[6] = (changed[6] ?? 0) ^ 0x40
  disk.overwrite(key, changed)
}
