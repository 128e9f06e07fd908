/**
 * Conformance: what a store keeps of a document's past: manifest and blobs as compare-and-set, and the records that
 * checkpoints have replaced, until they are released.
 */
import assert from 'node:assert/strict'
import type { ConformanceCase } from './conformance-case.ts'
import {
  aHistoryCase,
  blobLabels,
  lifeOf,
  mergeAll,
  needed,
  plenty,
  shownHistory,
  write,
  written
} from './conformance-history-tools.ts'
import { appendLabels, assertSeen, bytesOf, overwrite } from './conformance-tools.ts'

export const historyCases: readonly ConformanceCase[] = [
  aHistoryCase('a document has none until one is begun', async (store, history) => {
    await appendLabels(store, 'a', 'one', 'two')

    assert.equal(await history.read('a'), null)
    assert.equal(await history.read('nobody'), null)
    assert.deepEqual(await history.list(), [])
    assert.deepEqual(await blobLabels(store, 'a', [1]), [null])
    assert.deepEqual(await needed(store, 'a'), ['one', 'two'])
    assert.equal(await history.drop('a', await lifeOf(store, 'a')), false)
  }),

  aHistoryCase('where there is none, what a checkpoint has replaced is gone', async store => {
    await appendLabels(store, 'a', 'one', 'two')
    await mergeAll(store, 'a')
    await appendLabels(store, 'a', 'three')

    assert.deepEqual(await needed(store, 'a'), ['three'])
  }),

  aHistoryCase('what was written is read back, blobs in the order asked for', async (store, history) => {
    await appendLabels(store, 'a', 'one', 'two')
    const blobs = [
      { number: 7, bytes: bytesOf('seven') },
      { number: 2 ** 48 - 1, bytes: bytesOf('largest') },
      { number: 1, bytes: new Uint8Array(0) }
    ]

    const generation = await written(store, { document: 'a', manifest: bytesOf('first'), blobs })

    const incarnation = await lifeOf(store, 'a')
    const stored = { incarnation, generation, manifest: bytesOf('first'), releasedTo: 0, pins: [] }
    assert.deepEqual(await history.read('a'), stored)
    assert.deepEqual(await blobLabels(store, 'a', [2 ** 48 - 1, 3, 7]), ['largest', null, 'seven'])
    assert.deepEqual(await history.blobs('a', incarnation, [1, 1]), [new Uint8Array(0), new Uint8Array(0)])
    assert.deepEqual(await history.blobs('a', incarnation, []), [])
    assert.deepEqual(await history.blobs('a', 'another', [7]), [null])
    assert.deepEqual(await history.blobs('nobody', incarnation, [7]), [null])
    await assertSeen(store, 'a', { checkpoint: null, records: ['one', 'two'] })
  }),

  aHistoryCase('the caller may reuse its buffers once the write has resolved', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const manifest = bytesOf('manifest')
    const bytes = bytesOf('blob')
    await written(store, { document: 'a', manifest, blobs: [{ number: 1, bytes }] })
    manifest.fill(0)
    bytes.fill(0)

    assert.equal(shownHistory(await history.read('a')), 'manifest, released to 0, pins ')
    assert.deepEqual(await blobLabels(store, 'a', [1]), ['blob'])
  }),

  aHistoryCase('it is begun once, and written on upon what was read', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const blobs = [{ number: 1, bytes: bytesOf('one') }]
    const first = await written(store, { document: 'a', manifest: bytesOf('first'), blobs })

    const late = { document: 'a', manifest: bytesOf('late'), blobs: [{ number: 2, bytes: bytesOf('late') }] }
    for (const base of [null, first - 1, first + 1]) {
      assert.deepEqual(await write(store, { ...late, base, drops: [1] }), { outcome: 'superseded' })
    }
    assert.equal(shownHistory(await history.read('a')), 'first, released to 0, pins ')
    assert.deepEqual(await blobLabels(store, 'a', [1, 2]), ['one', null])

    const second = await written(store, { ...late, base: first, drops: [1, 99] })
    assert.ok(second > first)
    assert.equal(shownHistory(await history.read('a')), 'late, released to 0, pins ')
    assert.deepEqual(await blobLabels(store, 'a', [1, 2]), [null, 'late'])
  }),

  aHistoryCase('where there is no document, or another life, there is none', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const incarnation = await lifeOf(store, 'a')
    await store.delete('a')
    const nothing = { manifest: bytesOf('m'), blobs: [], drops: [], releasedTo: 0, pins: [] }
    const request = { ...nothing, document: 'a', incarnation, base: null }

    assert.deepEqual(await history.write(request), { outcome: 'superseded' })
    await appendLabels(store, 'a', 'another life')
    assert.deepEqual(await history.write(request), { outcome: 'superseded' })
    assert.equal(await history.read('a'), null)
    assert.deepEqual(await history.list(), [])
  }),

  aHistoryCase('written only upon the checkpoint that it names', async store => {
    await appendLabels(store, 'a', 'one')
    assert.equal((await write(store, { document: 'a', checkpoint: 1 })).outcome, 'superseded')
    await written(store, { document: 'a', checkpoint: 0 })
    const generation = await mergeAll(store, 'a')

    for (const checkpoint of [0, generation - 1, generation + 1]) {
      assert.equal((await write(store, { document: 'a', checkpoint })).outcome, 'superseded')
    }
    await written(store, { document: 'a', checkpoint: generation })
    await written(store, { document: 'a' })
  }),

  aHistoryCase('written only while the record at its end is the one it has read', async (store, history) => {
    const answers = await store.append(['one', 'two'].map(each => ({ document: 'a', record: bytesOf(each) })))
    const [first, last] = answers
    assert.ok(first?.outcome === 'written' && last?.outcome === 'written')
    const releasedTo = last.sequence
    const { node, batch } = last.identity

    for (const through of [
      { node: `${node}1`, batch },
      { node, batch: batch + 1 }
    ]) {
      const result = await write(store, { document: 'a', releasedTo, through })
      assert.equal(result.outcome, 'superseded')
    }
    assert.equal(await history.read('a'), null)
    await written(store, { document: 'a', releasedTo, through: last.identity })
  }),

  aHistoryCase(
    'of several who write at once one does, and nothing is left of the others',
    async (store, history) => {
      await appendLabels(store, 'a', 'one')
      let base: number | null = null
      for (const round of [1, 2, 3]) {
        const numbers = [1, 2, 3, 4].map(each => round * 10 + each)
        const blobOf = (number: number) => ({ number, bytes: bytesOf(`${number}`, round * 700_000) })

        const all = numbers.map(number => write(store, { document: 'a', base, blobs: [blobOf(number)] }))
        const outcomes = (await Promise.all(all)).map(each => each.outcome)

        assert.equal(outcomes.filter(each => each === 'written').length, 1)
        const winner = numbers[outcomes.indexOf('written')]
        const expected = numbers.map(number => (number === winner ? `${number}` : null))
        assert.deepEqual(await blobLabels(store, 'a', numbers), expected)
        base = (await history.read('a'))?.generation ?? null
      }
    }
  ),

  aHistoryCase('what a checkpoint replaces is hidden, and kept until it is released', async store => {
    const [, , third = 0] = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
    await written(store, { document: 'a' })
    const from = await store.load('a')
    const replaces = from.records.slice(0, 3).map(each => each.sequence)
    await overwrite(store, { document: 'a', from, segments: [bytesOf('m')], replaces })
    await appendLabels(store, 'a', 'five')

    await assertSeen(store, 'a', { checkpoint: ['m'], records: ['four', 'five'] })
    assert.deepEqual(await needed(store, 'a'), ['(one)', '(two)', '(three)', 'four', 'five'])
    const life = await lifeOf(store, 'a')
    const after = await store.recordsAfter('a', life, third, plenty)
    assert.equal(after.outcome === 'records' && after.records.length, 2)
    assert.notEqual((await store.recordsAfter('a', life, third - 3, plenty)).outcome, 'gone')

    await mergeAll(store, 'a', 'again')
    await assertSeen(store, 'a', { checkpoint: ['again'], records: [] })
    assert.deepEqual(await needed(store, 'a'), ['(one)', '(two)', '(three)', '(four)', '(five)'])
    assert.deepEqual(await needed(store, 'a', { ...plenty, records: 2 }, third), ['(four)', '(five)'])
  }),

  aHistoryCase('what is released after a checkpoint has replaced it is gone', async store => {
    const [, second = 0] = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
    await written(store, { document: 'a' })
    await mergeAll(store, 'a')

    await written(store, { document: 'a', releasedTo: second })
    assert.deepEqual(await needed(store, 'a'), ['(three)', '(four)'])
    await written(store, { document: 'a', releasedTo: second })
    await written(store, { document: 'a', releasedTo: second + 2 })
    assert.deepEqual(await needed(store, 'a'), [])
    await assertSeen(store, 'a', { checkpoint: ['merged'], records: [] })
    await appendLabels(store, 'a', 'five')
    await assertSeen(store, 'a', { checkpoint: ['merged'], records: ['five'] })
    assert.deepEqual(await needed(store, 'a'), ['five'])
  }),

  aHistoryCase(
    'what is released before a checkpoint stays in the log, and goes with the checkpoint',
    async store => {
      const [, second = 0] = await appendLabels(store, 'a', 'one', 'two', 'three')
      await written(store, { document: 'a', releasedTo: second })

      assert.deepEqual(await needed(store, 'a'), ['three'])
      await assertSeen(store, 'a', { checkpoint: null, records: ['one', 'two', 'three'] })
      await mergeAll(store, 'a')
      assert.deepEqual(await needed(store, 'a'), ['(three)'])
      await assertSeen(store, 'a', { checkpoint: ['merged'], records: [] })
      await written(store, { document: 'a', releasedTo: second + 1 })
      assert.deepEqual(await needed(store, 'a'), [])
    }
  ),

  aHistoryCase('a pinned record stays until it is pinned no more', async (store, history) => {
    const numbers = await appendLabels(store, 'a', '1', '2', '3', '4', '5')
    const [, second = 0, , fourth = 0, fifth = 0] = numbers
    await written(store, { document: 'a', releasedTo: fourth, pins: [second, fourth] })
    assert.deepEqual(await needed(store, 'a'), ['2', '4', '5'])
    await mergeAll(store, 'a')
    assert.deepEqual(await needed(store, 'a'), ['(2)', '(4)', '(5)'])
    assert.deepEqual(await needed(store, 'a', { ...plenty, records: 1 }, second), ['(4)', '(5)'])

    await written(store, { document: 'a', releasedTo: fifth, pins: [fourth, fifth] })
    const shown = shownHistory(await history.read('a'))
    assert.equal(shown, `manifest, released to ${fifth}, pins ${fourth} ${fifth}`)
    assert.deepEqual(await needed(store, 'a'), ['(4)', '(5)'])
    await appendLabels(store, 'a', '6')
    await mergeAll(store, 'a')
    assert.deepEqual(await needed(store, 'a'), ['(4)', '(5)', '(6)'])
    await written(store, { document: 'a', releasedTo: fifth + 1, pins: [fourth] })
    assert.deepEqual(await needed(store, 'a'), ['(4)'])
    await written(store, { document: 'a', pins: [] })
    assert.deepEqual(await needed(store, 'a'), [])
    await assertSeen(store, 'a', { checkpoint: ['merged'], records: [] })
  }),

  aHistoryCase('what is needed comes in pages, each with one record at least', async (store, history) => {
    const [first = 0] = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
    await written(store, { document: 'a' })
    await mergeAll(store, 'a')
    const life = await lifeOf(store, 'a')
    const page = async (sequence: number, records: number, bytes: number) => {
      const found = await history.unreleased('a', life, sequence, { records, bytes })
      assert.ok(found.outcome === 'records')
      assert.equal(found.head, first + 3)
      return found.records.map(each => each.sequence - first)
    }

    assert.deepEqual(await page(0, 2, 1000), [0, 1])
    assert.deepEqual(await page(first, 9, 1), [1])
    assert.deepEqual(await page(first, 9, 5), [1, 2])
    assert.deepEqual(await page(first + 3, 9, 1000), [])
    assert.deepEqual(await page(first + 1000, 9, 1000), [])
    assert.deepEqual(await needed(store, 'a', { records: 1, bytes: 1 }), [
      '(one)',
      '(two)',
      '(three)',
      '(four)'
    ])
  }),

  aHistoryCase('a record keeps its identity while it is hidden', async (store, history) => {
    const [answer] = await store.append([{ document: 'a', record: bytesOf('one') }])
    assert.ok(answer?.outcome === 'written')
    await written(store, { document: 'a' })
    await mergeAll(store, 'a')

    const page = await history.unreleased('a', answer.incarnation, 0, plenty)

    const { sequence, identity } = answer
    const record = { sequence, identity, record: bytesOf('one'), isReplaced: true }
    assert.ok(page.outcome === 'records')
    assert.deepEqual(page.records, [record])
  }),

  aHistoryCase('a document that begins with a checkpoint can have one', async store => {
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: [bytesOf('born')] })
    const { checkpoint, head } = await store.load('a')
    const request = { document: 'a', checkpoint: checkpoint?.generation ?? 0, releasedTo: head }
    await written(store, request)
    await appendLabels(store, 'a', 'one')
    await mergeAll(store, 'a')

    assert.deepEqual(await needed(store, 'a'), ['(one)'])
  }),

  aHistoryCase('begun late, it has what is still in the log, and nothing from before', async store => {
    await appendLabels(store, 'a', 'one', 'two')
    const checkpoint = await mergeAll(store, 'a')
    const { head } = await store.load('a')
    await appendLabels(store, 'a', 'three', 'four')

    await written(store, { document: 'a', checkpoint, releasedTo: head })
    await mergeAll(store, 'a', 'again')

    assert.deepEqual(await needed(store, 'a'), ['(three)', '(four)'])
  })
]
