/**
 * Conformance: set-aside, metadata, probe and copy.
 */
import assert from 'node:assert/strict'
import type { ConformanceCase } from './conformance-case.ts'
import {
  aCase,
  aCaseWith,
  appendLabels,
  assertRejects,
  assertSeen,
  bytesOf,
  labelOf,
  largeSegments,
  overwrite
} from './conformance-tools.ts'

export const sideCases: readonly ConformanceCase[] = [
  aCase('what is set aside comes back oldest first and outlives the document', async store => {
    const entry = { author: 'ünn', timeMs: 1234567890123, reason: 'bad\u0000 ü', bytes: bytesOf('update') }
    await appendLabels(store, 'a', 'one')
    await store.setAside('a', entry)
    await store.setAside('a', { author: '', timeMs: 0, reason: '', bytes: new Uint8Array(0) })
    await store.delete('a')

    const listed = await store.listSetAside('a')

    assert.equal(listed.length, 2)
    assert.deepEqual(
      { ...listed[0], bytes: labelOf(listed[0]?.bytes ?? new Uint8Array(0)) },
      {
        ...entry,
        number: 1,
        bytes: 'update'
      }
    )
    assert.deepEqual(await store.listSetAside('b'), [])
    assert.deepEqual(await store.list(), [])
  }),

  aCase('of more than 100 set-aside entries the oldest make room', async store => {
    const numbers = Array.from({ length: 130 }, (_, index) => index)
    for (const number of numbers) await store.setAside('a', aside(`${number}`))

    const reasons = (await store.listSetAside('a')).map(entry => entry.reason)

    assert.deepEqual(reasons, numbers.slice(30).map(String))
  }),

  aCase('set-aside entries are found by document, and dropped one by one', async store => {
    for (const [document, reason] of [
      ['bb', 'one'],
      ['a', 'two'],
      ['a', 'three']
    ] as const) {
      await store.setAside(document, aside(reason))
    }

    const [first] = await store.listSetAside('a')
    assert.deepEqual(await store.setAsideDocuments(), ['a', 'bb'])
    assert.equal(await store.dropSetAside('a', first?.number ?? 0), true)
    assert.equal(await store.dropSetAside('a', first?.number ?? 0), false)
    assert.equal(await store.dropSetAside('nobody', 1), false)

    const left = await store.listSetAside('a')
    assert.deepEqual(
      left.map(entry => entry.reason),
      ['three']
    )
    await store.dropSetAside('bb', 1)
    assert.deepEqual(await store.setAsideDocuments(), ['a'])
  }),

  aCase('metadata is written, replaced and removed, apart from documents', async store => {
    assert.equal(await store.readMetadata('k'), null)
    await store.writeMetadata('k', bytesOf('one'))
    await store.writeMetadata('__proto__', bytesOf('proto'))
    await store.writeMetadata('k', bytesOf('two'))

    assert.equal(labelOf((await store.readMetadata('k')) ?? new Uint8Array(0)), 'two')
    assert.equal(labelOf((await store.readMetadata('__proto__')) ?? new Uint8Array(0)), 'proto')
    await store.writeMetadata('k', null)
    await store.writeMetadata('k', null)
    assert.equal(await store.readMetadata('k'), null)
    assert.deepEqual(await store.list(), [])
  }),

  aCase('probe resolves on a store that can be written, and leaves no document', async store => {
    await store.probe()
    await store.probe()

    assert.deepEqual(await store.list(), [])
  }),

  aCaseWith(['persistence'], 'set-aside and metadata survive close and open', async (store, place) => {
    await store.setAside('a', aside('kept'))
    await store.writeMetadata('k', bytesOf('kept'))
    await store.close()

    const again = await place.open()
    assert.equal((await again.listSetAside('a'))[0]?.reason, 'kept')
    assert.equal(labelOf((await again.readMetadata('k')) ?? new Uint8Array(0)), 'kept')
    await again.close()
  }),

  aCaseWith(['copy'], 'a copy is a store of its own with everything of one moment', async (store, place) => {
    await appendLabels(store, 'a', 'one', 'two')
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: largeSegments('m') })
    await appendLabels(store, 'a', 'three')
    await store.setAside('a', aside('kept'))
    await store.writeMetadata('k', bytesOf('kept'))
    const directory = (await place.copyDirectory?.()) ?? ''
    const progress: number[] = []

    const copying = store.copyTo(directory, ({ bytes }) => progress.push(bytes))
    const late = copying.then(() => appendLabels(store, 'a', 'late'))

    const { keys, bytes } = await copying
    await late
    assert.ok(keys > 8 && bytes > 6 * 300 * 1024)
    assert.equal(progress.at(-1), bytes)
    const copy = await place.openCopy?.(directory)
    assert.ok(copy !== undefined)
    await assertSeen(copy, 'a', { checkpoint: largeSegments('m').map(labelOf), records: ['three'] })
    assert.equal((await copy.listSetAside('a')).length, 1)
    assert.equal(labelOf((await copy.readMetadata('k')) ?? new Uint8Array(0)), 'kept')
    await appendLabels(copy, 'a', 'only here')
    await copy.close()
    await assertRejects(store.copyTo(directory), 'STORE_FOREIGN')
  }),

  aCaseWith(['copy'], 'a copy beside writes holds a prefix of each document', async (store, place) => {
    const appended: Promise<number[]>[] = []
    for (let index = 0; index < 50; index++) appended.push(appendLabels(store, 'a', `r${index}`))
    const directory = (await place.copyDirectory?.()) ?? ''

    await Promise.all([store.copyTo(directory), ...appended])

    const copy = await place.openCopy?.(directory)
    assert.ok(copy !== undefined)
    const { records } = await copy.load('a')
    assert.deepEqual(
      records.map(({ record }) => labelOf(record)),
      records.map((_, index) => `r${index}`)
    )
    await copy.close()
  })
]

function aside(reason: string) {
  return { author: 'ann', timeMs: 1, reason, bytes: bytesOf(reason) }
}
