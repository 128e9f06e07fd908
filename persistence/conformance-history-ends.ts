/**
 * Conformance of histories, continued: how they end, how many there are, what is refused, and large ones.
 */
import assert from 'node:assert/strict'
import { bounds } from './bounds.ts'
import type { ConformanceCase } from './conformance-case.ts'
import {
  aHistoryCase,
  aHistoryCaseWith,
  blobLabels,
  historyOf,
  lifeOf,
  mergeAll,
  needed,
  plenty,
  shownHistory,
  type Writing,
  write,
  written
} from './conformance-history-tools.ts'
import { appendLabels, assertRejects, assertSeen, bytesOf, labelOf, overwrite } from './conformance-tools.ts'
import { copyStore, type Store } from './store.ts'

const mebibyte = 1024 * 1024

export const historyEndCases: readonly ConformanceCase[] = [
  aHistoryCase('a dropped one is gone, with all that only it has kept', async (store, history) => {
    await appendLabels(store, 'a', 'one', 'two')
    const late = await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('one') }] })
    await mergeAll(store, 'a')
    await appendLabels(store, 'a', 'three')
    const life = await lifeOf(store, 'a')

    assert.equal(await history.drop('a', 'another'), false)
    assert.equal(await history.drop('nobody', life), false)
    assert.equal(await history.drop('a', life), true)
    assert.equal(await history.drop('a', life), false)

    assert.equal(await history.read('a'), null)
    assert.deepEqual(await history.list(), [])
    assert.deepEqual(await blobLabels(store, 'a', [1]), [null])
    assert.deepEqual(await needed(store, 'a'), ['three'])
    await assertSeen(store, 'a', { checkpoint: ['merged'], records: ['three'] })
    assert.equal((await write(store, { document: 'a', base: late })).outcome, 'superseded')
  }),

  aHistoryCase('after one that was dropped another begins, which no late writer meets', async store => {
    const [, , third = 0] = await appendLabels(store, 'a', 'one', 'two', 'three')
    const blobs = [{ number: 1, bytes: bytesOf('first') }]
    const bases = [await written(store, { document: 'a', releasedTo: third - 1, blobs })]
    for (let count = 0; count < 5; count++) bases.push(await written(store, { document: 'a' }))
    await historyOf(store).drop('a', await lifeOf(store, 'a'))

    // Its numbers are its own, those of records as well.
    await written(store, { document: 'a', blobs: [{ number: 2, bytes: bytesOf('second') }] })
    for (const base of bases) {
      assert.equal((await write(store, { document: 'a', base })).outcome, 'superseded')
    }
    await mergeAll(store, 'a')
    assert.deepEqual(await blobLabels(store, 'a', [1, 2]), [null, 'second'])
    assert.deepEqual(await needed(store, 'a'), ['(one)', '(two)', '(three)'])
  }),

  aHistoryCase('it ends with the life of its document; the next one has none', async (store, history) => {
    await appendLabels(store, 'a', 'one', 'two')
    const base = await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('one') }] })
    await mergeAll(store, 'a')
    const life = await lifeOf(store, 'a')

    assert.equal(await store.delete('a'), true)
    for (const next of ['none', 'a life']) {
      if (next === 'a life') await appendLabels(store, 'a', 'new')
      assert.equal(await history.read('a'), null)
      assert.deepEqual(await history.list(), [])
      assert.deepEqual(await history.blobs('a', life, [1]), [null])
      assert.equal((await history.unreleased('a', life, 0, plenty)).outcome, 'gone')
      assert.equal(await history.drop('a', life), false)
    }
    assert.equal((await write(store, { document: 'a', incarnation: life, base })).outcome, 'superseded')
    assert.deepEqual(await blobLabels(store, 'a', [1]), [null])
    assert.deepEqual(await needed(store, 'a'), ['new'])
    await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('of the next') }] })
    await mergeAll(store, 'a')
    assert.deepEqual(await needed(store, 'a'), ['(new)'])
    assert.deepEqual(await blobLabels(store, 'a', [1]), ['of the next'])
  }),

  aHistoryCase(
    'documents that have one are listed in the order of UTF-8, page by page',
    async (store, history) => {
      const names = ['a', 'a\u0000', 'ab', 'b', 'ü', '文書', '\uffff', '😀']
      for (const name of [...names].reverse()) {
        await appendLabels(store, name, 'one')
        await written(store, { document: name })
      }
      await appendLabels(store, 'aa', 'without')

      assert.deepEqual(await history.list(), names)
      assert.deepEqual(await history.list({ limit: 3 }), names.slice(0, 3))
      assert.deepEqual(await history.list({ after: 'aa', limit: 2 }), ['ab', 'b'])
      assert.deepEqual(await history.list({ after: '文書' }), ['\uffff', '😀'])
      assert.deepEqual(await history.list({ after: '😀' }), [])
      await assertRejects(history.list({ limit: 0 }), 'STORE_ARGUMENT')
      await assertRejects(history.list({ limit: bounds.listLimitMax + 1 }), 'STORE_ARGUMENT')
    }
  ),

  aHistoryCase('histories of several documents know nothing of each other', async store => {
    for (const name of ['a', 'b']) {
      await appendLabels(store, name, `${name}1`, `${name}2`)
      await written(store, { document: name, blobs: [{ number: 5, bytes: bytesOf(`blob of ${name}`) }] })
      await mergeAll(store, name)
    }

    await store.delete('a')

    assert.deepEqual(await blobLabels(store, 'b', [5]), ['blob of b'])
    assert.deepEqual(await needed(store, 'b'), ['(b1)', '(b2)'])
  }),

  aHistoryCase('what breaks the contract is refused, and changes nothing', async (store, history) => {
    const [first = 0, second = 0] = await appendLabels(store, 'a', 'one', 'two')
    const blob = { number: 1, bytes: bytesOf('one') }
    await written(store, { document: 'a', blobs: [blob], releasedTo: first })
    const before = shownHistory(await history.read('a'))

    const tooMany = Array.from({ length: bounds.historyNumbersMax + 1 }, (_, index) => index + 1)
    const numbers = [0, -1, 0.5, 2 ** 48, Number.NaN]
    const refused: Partial<Writing>[] = [
      { incarnation: '' },
      { base: -1 },
      { checkpoint: 0.5 },
      ...numbers.map(number => ({ blobs: [{ number, bytes: bytesOf('x') }] })),
      ...numbers.map(number => ({ drops: [number] })),
      { blobs: [blob] },
      {
        blobs: [
          { ...blob, number: 2 },
          { ...blob, number: 2 }
        ]
      },
      { blobs: [{ ...blob, number: 2 }], drops: [2] },
      { drops: [3, 3] },
      { drops: tooMany },
      { releasedTo: first - 1 },
      { releasedTo: second + 1 },
      { releasedTo: Number.NaN },
      { releasedTo: second, pins: [second, first] },
      { releasedTo: second, pins: [first, first] },
      { releasedTo: first, pins: [second] },
      { releasedTo: second, pins: [0] }
    ]
    for (const each of refused) {
      await assertRejects(write(store, { document: 'a', ...each }), 'STORE_ARGUMENT')
    }
    assert.equal(shownHistory(await history.read('a')), before)
    assert.deepEqual(await blobLabels(store, 'a', [1, 2]), ['one', null])
  }),

  aHistoryCase('questions that break the contract are refused', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const life = await lifeOf(store, 'a')
    const tooMany = Array.from({ length: bounds.historyNumbersMax + 1 }, (_, index) => index + 1)

    await assertRejects(history.read(''), 'STORE_ARGUMENT')
    await assertRejects(history.drop('\ud800', life), 'STORE_ARGUMENT')
    for (const numbers of [[0], [2 ** 48], tooMany]) {
      await assertRejects(history.blobs('a', life, numbers), 'STORE_ARGUMENT')
    }
    await assertRejects(history.unreleased('a', life, -1, plenty), 'STORE_ARGUMENT')
    await assertRejects(history.unreleased('a', life, 0, { records: 0, bytes: 1 }), 'STORE_ARGUMENT')
  }),

  aHistoryCase('a closed store refuses every call', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const incarnation = await lifeOf(store, 'a')
    const nothing = { manifest: bytesOf('m'), blobs: [], drops: [], releasedTo: 0, pins: [] }
    await store.close()

    await assertRejects(history.read('a'), 'STORE_CLOSED')
    await assertRejects(history.write({ ...nothing, document: 'a', incarnation, base: null }), 'STORE_CLOSED')
    await assertRejects(history.blobs('a', incarnation, [1]), 'STORE_CLOSED')
    await assertRejects(history.unreleased('a', incarnation, 0, plenty), 'STORE_CLOSED')
    await assertRejects(history.drop('a', incarnation), 'STORE_CLOSED')
    await assertRejects(history.list(), 'STORE_CLOSED')
  }),

  aHistoryCase('large blobs are written whole, beside appends', async (store, history) => {
    await appendLabels(store, 'a', 'first')
    const sizes = [3 * mebibyte + 1, 5, mebibyte, 2 * mebibyte]
    const blobs = sizes.map((size, index) => ({ number: index + 1, bytes: countedBytes(size) }))
    const appended = Array.from({ length: 20 }, (_, index) => `beside ${index}`)

    const writing = written(store, { document: 'a', blobs, manifest: bytesOf('m', 2 * mebibyte) })
    for (const label of appended) await appendLabels(store, 'a', label)
    await writing

    const found = await history.blobs('a', await lifeOf(store, 'a'), [4, 3, 2, 1])
    const [fourth, third, second, first] = found.map(each => Buffer.from(each ?? []))
    for (const [index, each] of [first, second, third, fourth].entries()) {
      assert.ok(each?.equals(countedBytes(sizes[index] ?? 0)), `blob ${index + 1} is not what was written`)
    }
    assert.equal((await history.read('a'))?.manifest.length, 2 * mebibyte)
    await assertSeen(store, 'a', { checkpoint: null, records: ['first', ...appended] })
    await written(store, { document: 'a', drops: [1, 2, 3] })
    const left = await history.blobs('a', await lifeOf(store, 'a'), [1, 2, 3, 4])
    assert.deepEqual(
      left.map(each => each?.length ?? null),
      [null, null, null, 2 * mebibyte]
    )
  }),

  aHistoryCase(
    'of two large ones that are begun at once one is, and the other leaves nothing',
    async store => {
      await appendLabels(store, 'a', 'one')
      const large = (number: number) => ({ number, bytes: bytesOf(`${number}`, 3 * mebibyte) })

      const both = [1, 2].map(number => write(store, { document: 'a', base: null, blobs: [large(number)] }))
      const outcomes = (await Promise.all(both)).map(each => each.outcome)

      assert.deepEqual([...outcomes].sort(), ['superseded', 'written'])
      const expected = outcomes[0] === 'written' ? ['1', null] : [null, '2']
      assert.deepEqual(await blobLabels(store, 'a', [1, 2]), expected)
      assert.deepEqual(await needed(store, 'a'), ['one'])
    }
  ),

  aHistoryCase('a document that is deleted while a large one is written has none', async (store, history) => {
    await appendLabels(store, 'a', 'one')
    const life = await lifeOf(store, 'a')
    const blobs = [{ number: 1, bytes: bytesOf('large', 5 * mebibyte) }]

    const request = { document: 'a', incarnation: life, base: null, blobs }
    const [result] = await Promise.all([write(store, request), store.delete('a')])

    assert.ok(['written', 'superseded'].includes(result.outcome))
    assert.equal(await history.read('a'), null)
    assert.deepEqual(await history.list(), [])
    assert.deepEqual(await history.blobs('a', life, [1]), [null])
  }),

  aHistoryCase('5,000 records are hidden by one checkpoint, and released by one write', async store => {
    const labels = Array.from({ length: 5000 }, (_, index) => `r${index}`)
    const numbers = await appendLabels(store, 'a', ...labels)
    const pins = [numbers[17] ?? 0, numbers[4711] ?? 0]
    await written(store, { document: 'a' })
    await mergeAll(store, 'a')
    assert.deepEqual(
      await needed(store, 'a'),
      labels.map(label => `(${label})`)
    )
    await assertSeen(store, 'a', { checkpoint: ['merged'], records: [] })

    await written(store, { document: 'a', releasedTo: numbers.at(-1) ?? 0, pins })

    assert.deepEqual(await needed(store, 'a'), ['(r17)', '(r4711)'])
  }),

  aHistoryCase('beside checkpoints and writes of a history nothing is lost', async store => {
    await appendLabels(store, 'a', 'first')
    await written(store, { document: 'a' })
    const appended = ['first']
    let isWriting = true
    const writing = compactAndSeal(store, 6).finally(() => {
      isWriting = false
    })
    while (isWriting) {
      const label = `during ${appended.length}`
      await appendLabels(store, 'a', label)
      appended.push(label)
    }
    const released = await writing

    const left = (await needed(store, 'a')).map(label => label.replace(/[()]/g, ''))
    assert.deepEqual([...released, ...left], appended)
  }),

  aHistoryCaseWith(['persistence'], 'everything is there after close and open', async (store, _, place) => {
    await prepare(store)
    await store.close()

    const again = await place.open()
    await assertPrepared(again)
    await again.close()
  }),

  aHistoryCaseWith(['crash'], 'what a write has resolved is there after a crash', async (store, _, place) => {
    await prepare(store)
    await place.crash?.()

    const again = await place.open()
    await assertPrepared(again)
    await again.close()
  }),

  aHistoryCaseWith(['copy'], 'a copy has it, whole', async (store, _, place) => {
    await prepare(store)
    const directory = (await place.copyDirectory?.()) ?? ''
    await copyStore(store, directory)
    await historyOf(store).drop('a', await lifeOf(store, 'a'))

    const copy = await place.openCopy?.(directory)

    assert.ok(copy !== undefined)
    await assertPrepared(copy)
    await copy.close()
  }),

  aHistoryCaseWith(
    ['writers'],
    'two stores write it in turn, and one of two at once',
    async (store, _, place) => {
      const other = await place.open()
      try {
        await appendLabels(store, 'a', 'one', 'two')
        await written(store, { document: 'a', blobs: [{ number: 1, bytes: bytesOf('one') }] })
        await mergeAll(other, 'a')
        assert.deepEqual(await needed(other, 'a'), ['(one)', '(two)'])
        for (const round of [1, 2, 3, 4]) {
          const both = [store, other].map((each, index) =>
            write(each, {
              document: 'a',
              blobs: [{ number: round * 10 + index, bytes: bytesOf(`${round * 10 + index}`) }]
            })
          )
          const outcomes = (await Promise.all(both)).map(each => each.outcome)
          assert.ok(outcomes.includes('written'))
          const expected = outcomes.map((each, index) =>
            each === 'written' ? `${round * 10 + index}` : null
          )
          assert.deepEqual(await blobLabels(other, 'a', [round * 10, round * 10 + 1]), expected)
        }
        assert.equal(await historyOf(other).drop('a', await lifeOf(store, 'a')), true)
        assert.equal(await historyOf(store).read('a'), null)
      } finally {
        await other.close()
      }
    }
  )
]

/** Rounds of what a server does: a checkpoint, then all of what is needed is sealed and released. Answers with what was. */
async function compactAndSeal(store: Store, rounds: number): Promise<string[]> {
  const released: string[] = []
  const history = historyOf(store)
  const life = await lifeOf(store, 'a')
  for (let round = 0; round < rounds; round++) {
    const from = await store.load('a')
    const segments = Array.from({ length: 3 }, (_, index) => bytesOf(`${round}.${index}`, 600_000))
    await overwrite(store, { document: 'a', from, segments })
    const page = await history.unreleased('a', life, 0, plenty)
    assert.ok(page.outcome === 'records')
    const releasedTo = page.records.at(-1)?.sequence ?? page.head
    const blobs = [{ number: round + 1, bytes: bytesOf(`${round}`, round % 2 === 0 ? 0 : 2 * mebibyte) }]
    await written(store, { document: 'a', releasedTo, blobs })
    released.push(...page.records.map(each => labelOf(each.record)))
  }
  return released
}

/** A document with a history that has some of everything. */
async function prepare(store: Store): Promise<void> {
  const [first = 0, , third = 0] = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
  await written(store, { document: 'a', blobs: [{ number: 9, bytes: bytesOf('goes') }] })
  await mergeAll(store, 'a')
  await appendLabels(store, 'a', 'five')
  const blobs = [
    { number: 1, bytes: bytesOf('small') },
    { number: 2, bytes: bytesOf('large', 3 * mebibyte) }
  ]
  const manifest = bytesOf('kept')
  await written(store, { document: 'a', manifest, blobs, drops: [9], releasedTo: third, pins: [first] })
}

async function assertPrepared(store: Store): Promise<void> {
  const { records, checkpoint, head } = await store.load('a')
  assert.deepEqual([checkpoint?.segments.map(labelOf), records.length], [['merged'], 1])
  const stored = await historyOf(store).read('a')
  assert.equal(shownHistory(stored), `kept, released to ${head - 2}, pins ${head - 4}`)
  assert.deepEqual(await blobLabels(store, 'a', [1, 2, 9]), ['small', 'large', null])
  assert.deepEqual(await needed(store, 'a'), ['(one)', '(four)', 'five'])
  await written(store, { document: 'a', releasedTo: head })
  await mergeAll(store, 'a', 'again')
  assert.deepEqual(await needed(store, 'a'), [])
}

/** Bytes of which no two thousand next to each other are the same. */
function countedBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 997) bytes[at] = at / 997
  return bytes
}
