/**
 * Conformance: set-aside, metadata, probe and copy.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
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
import { copyStore } from './store.ts'

export const sideCases: readonly ConformanceCase[] = [
  aCase('what is set aside comes back oldest first and outlives the document', async store => {
    const author = { user: 'ünn', connection: 'run-1', origin: 'client' } as const
    const entry = { author, timeMs: 1234567890123, reason: 'bad\u0000 ü', bytes: bytesOf('update') }
    await appendLabels(store, 'a', 'one')
    await store.setAside('a', entry)
    const unknown = { author: null, timeMs: 0, reason: '', bytes: new Uint8Array(0) }
    await store.setAside('a', unknown)
    const agent = { user: 'agent', connection: null, origin: 'server' } as const
    await store.setAside('a', { ...unknown, author: agent })
    await store.setAside('a', { ...unknown, author: { user: null, connection: null, origin: 'load' } })
    await store.delete('a')

    const listed = await store.listSetAside('a')

    assert.deepEqual(
      listed.slice(1).map(each => each.author),
      [null, agent, { user: null, connection: null, origin: 'load' }]
    )
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

  aCase('large entries are set aside whole, beside appends', async store => {
    const MiB = 1024 * 1024
    const large = (label: string, size: number) => ({ ...aside(label), bytes: countedBytes(size) })

    await Promise.all([
      ...Array.from({ length: 20 }, (_, number) => appendLabels(store, 'a', `record ${number}`)),
      store.setAside('a', large('large', 3 * MiB + 1)),
      store.setAside('b', large('other', 257 * 1024))
    ])
    const [entry] = await store.listSetAside('a')

    assert.equal(entry?.reason, 'large')
    assert.ok(Buffer.from(entry?.bytes ?? []).equals(countedBytes(3 * MiB + 1)))
    assert.equal((await store.listSetAside('b'))[0]?.bytes.length, 257 * 1024)
    assert.equal((await store.load('a')).records.length, 20)
    assert.equal(await store.dropSetAside('a', entry?.number ?? 0), true)
    assert.deepEqual(await store.listSetAside('a'), [])
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

  aCase('a tombstone outlives its document, and is replaced, kept and removed by deletions', async store => {
    const of = async (document: string) => {
      const { tombstone } = await store.load(document)
      return tombstone === null ? null : `${tombstone.timeMs} ${labelOf(tombstone.bytes)}`
    }
    await appendLabels(store, 'a', 'one')
    assert.equal(await store.delete('a', { tombstone: { timeMs: 2.5, bytes: bytesOf('first') } }), true)
    assert.equal((await store.load('a')).incarnation, null)
    assert.equal(await of('a'), '2.5 first')
    await appendLabels(store, 'a', 'two')
    assert.equal(await of('a'), '2.5 first')
    assert.equal(await store.delete('a'), true)
    assert.equal(await of('a'), '2.5 first')
    assert.equal(await store.delete('a', { tombstone: { timeMs: 3, bytes: bytesOf('second') } }), false)
    assert.equal(await of('a'), '3 second')
    assert.equal(await store.delete('ab', { tombstone: { timeMs: 1, bytes: bytesOf('other') } }), false)
    assert.deepEqual(await store.tombstones(), [
      { document: 'ab', timeMs: 1 },
      { document: 'a', timeMs: 3 }
    ])
    assert.equal(await store.delete('a', { tombstone: null }), false)
    assert.equal(await of('a'), null)
    await store.dropTombstones(['ab', 'nobody'])
    assert.deepEqual(await store.tombstones(), [])
    assert.deepEqual(await store.list(), [])
  }),

  aCase('a deletion of one life leaves another one, and its tombstone, as they are', async store => {
    const tombstone = { timeMs: 1, bytes: bytesOf('first') }
    const late = { timeMs: 2, bytes: bytesOf('late') }
    const of = async () => (await store.load('a')).tombstone?.timeMs ?? null
    await appendLabels(store, 'a', 'one')
    const { incarnation: first } = await store.load('a')
    assert.equal(await store.delete('a', { incarnation: null, tombstone }), false)
    await assertSeen(store, 'a', { checkpoint: null, records: ['one'] })
    assert.equal(await of(), null)
    assert.equal(await store.delete('a', { incarnation: first, tombstone }), true)
    assert.equal(await store.delete('a', { incarnation: first, tombstone: late }), false)
    assert.equal(await of(), 1)
    await appendLabels(store, 'a', 'two')

    for (const incarnation of [first, null]) {
      for (const each of [late, null]) {
        assert.equal(await store.delete('a', { incarnation, tombstone: each }), false)
        await assertSeen(store, 'a', { checkpoint: null, records: ['two'] })
        assert.equal(await of(), 1)
      }
    }
    const { incarnation: second } = await store.load('a')
    assert.equal(await store.delete('a', { incarnation: second }), true)
    assert.equal(await store.delete('a', { incarnation: null, tombstone: late }), false)
    assert.equal(await of(), 2)
    await assertRejects(store.delete('a', { incarnation: '' }), 'STORE_ARGUMENT')
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

  aCase('metadata is swapped only for what is there, and of many who swap at once one does', async store => {
    assert.equal(await store.swapMetadata('k', bytesOf('none'), bytesOf('x')), false)
    const firsts = ['a', 'b', 'c', 'd'].map(label => store.swapMetadata('k', null, bytesOf(label)))
    assert.equal((await Promise.all(firsts)).filter(Boolean).length, 1)
    const first = await store.readMetadata('k')
    assert.equal(await store.swapMetadata('k', null, bytesOf('late')), false)
    assert.equal(await store.swapMetadata('k', bytesOf('other'), null), false)
    assert.deepEqual(await store.readMetadata('k'), first)

    const seconds = ['e', 'f', 'g'].map(label => store.swapMetadata('k', first, bytesOf(label)))
    assert.equal((await Promise.all(seconds)).filter(Boolean).length, 1)
    assert.equal(await store.swapMetadata('k', await store.readMetadata('k'), null), true)
    assert.equal(await store.readMetadata('k'), null)
    assert.equal(await store.swapMetadata('k', null, null), true)
    await assertRejects(store.swapMetadata('', null, null), 'STORE_ARGUMENT')
  }),

  aCase('the digest of metadata is the SHA-256 of its value', async store => {
    assert.equal(await store.metadataDigest('k'), null)
    await store.writeMetadata('k', bytesOf('one'))
    const digest = createHash('sha256').update(bytesOf('one')).digest()
    assert.deepEqual(await store.metadataDigest('k'), new Uint8Array(digest))
  }),

  aCase('probe resolves on a store that can be written, and leaves no document', async store => {
    await store.probe()
    await store.probe()

    assert.deepEqual(await store.list(), [])
  }),

  aCaseWith(
    ['persistence'],
    'set-aside, tombstones and metadata survive close and open',
    async (store, place) => {
      await appendLabels(store, 'a', 'one')
      await store.delete('a', { tombstone: { timeMs: 1, bytes: bytesOf('kept') } })
      await store.setAside('a', aside('kept'))
      await store.setAside('a', { ...aside('large'), bytes: countedBytes(1_000_000) })
      await store.writeMetadata('k', bytesOf('kept'))
      await store.close()

      const again = await place.open()
      assert.equal(labelOf((await again.load('a')).tombstone?.bytes ?? new Uint8Array(0)), 'kept')
      const [kept, large] = await again.listSetAside('a')
      assert.deepEqual([kept?.reason, large?.reason], ['kept', 'large'])
      assert.ok(Buffer.from(large?.bytes ?? []).equals(countedBytes(1_000_000)))
      assert.equal(labelOf((await again.readMetadata('k')) ?? new Uint8Array(0)), 'kept')
      await again.close()
    }
  ),

  aCaseWith(['copy'], 'a copy is a store of its own with everything of one moment', async (store, place) => {
    await appendLabels(store, 'a', 'one', 'two')
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: largeSegments('m') })
    await appendLabels(store, 'a', 'three')
    await store.setAside('a', aside('kept'))
    await store.writeMetadata('k', bytesOf('kept'))
    const directory = (await place.copyDirectory?.()) ?? ''
    const progress: number[] = []

    const copying = copyStore(store, directory, ({ bytes }) => progress.push(bytes))
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
    await assertRejects(copyStore(store, directory), 'STORE_FOREIGN')
  }),

  aCaseWith(['copy'], 'a copy beside writes holds a prefix of each document', async (store, place) => {
    const appended: Promise<number[]>[] = []
    for (let index = 0; index < 50; index++) appended.push(appendLabels(store, 'a', `r${index}`))
    const directory = (await place.copyDirectory?.()) ?? ''

    await Promise.all([copyStore(store, directory), ...appended])

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
  return { author: null, timeMs: 1, reason, bytes: bytesOf(reason) }
}

/** Bytes of which no two thousand next to each other are the same. */
function countedBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 997) bytes[at] = at / 997
  return bytes
}
