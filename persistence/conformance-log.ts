/**
 * Conformance: append, load, delete, names and listing.
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
  overwrite
} from './conformance-tools.ts'

const oddNames = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  ' ',
  'a',
  'a/b',
  'a//b',
  'a\u0000',
  'a\u0000b',
  '\u0000',
  'ü',
  'é',
  'e\u0301',
  '文書',
  '😀',
  '\uffff',
  '../../etc/passwd',
  'x'.repeat(1000),
  '文'.repeat(1000)
]

export const logCases: readonly ConformanceCase[] = [
  aCase('a document nothing was written to is empty and not listed', async store => {
    const loaded = await store.load('missing')

    assert.deepEqual(loaded, {
      incarnation: null,
      head: 0,
      checkpoint: null,
      records: [],
      damaged: [],
      tombstone: null,
      floor: loaded.floor
    })
    assert.deepEqual(await store.list(), [])
    assert.equal(await store.delete('missing'), false)
    assert.equal(await store.segments('missing', 1), null)
  }),

  aCase('records come back in order with increasing sequence numbers', async store => {
    const first = await appendLabels(store, 'a', 'one', 'two')
    const second = await appendLabels(store, 'a', 'three')

    const loaded = await assertSeen(store, 'a', { checkpoint: null, records: ['one', 'two', 'three'] })
    assert.deepEqual(
      loaded.records.map(record => record.sequence),
      [...first, ...second]
    )
    assertIncreasing([...first, ...second])
    assert.equal(typeof loaded.incarnation, 'string')
  }),

  aCase('one append serves several documents, and entries of one keep their order', async store => {
    const entries = ['a:1', 'b:1', 'a:2', 'c:1', 'a:3', 'b:2'].map(label => ({
      document: label.slice(0, 1),
      record: bytesOf(label)
    }))

    const sequences = await store.append(entries)

    assert.equal(sequences.length, 6)
    await assertSeen(store, 'a', { checkpoint: null, records: ['a:1', 'a:2', 'a:3'] })
    await assertSeen(store, 'b', { checkpoint: null, records: ['b:1', 'b:2'] })
    await assertSeen(store, 'c', { checkpoint: null, records: ['c:1'] })
  }),

  aCase('appends issued together resolve in order and none is lost', async store => {
    const labels = Array.from({ length: 100 }, (_, index) => `r${index}`)

    const sequences = await Promise.all(labels.map(label => appendLabels(store, 'a', label)))

    assertIncreasing(sequences.flat())
    await assertSeen(store, 'a', { checkpoint: null, records: labels })
  }),

  aCase('an empty append, an empty record and a record of 3 MiB are fine', async store => {
    const large = new Uint8Array(3 * 1024 * 1024).map((_, index) => index * 7)

    assert.deepEqual(await store.append([]), [])
    await store.append([
      { document: 'a', record: new Uint8Array(0) },
      { document: 'a', record: large }
    ])

    const { records } = await store.load('a')
    assert.equal(records[0]?.record.length, 0)
    assert.equal(Buffer.compare(records[1]?.record ?? new Uint8Array(0), large), 0)
  }),

  aCase('the caller may reuse its buffer once the append has resolved', async store => {
    const record = bytesOf('before')
    await store.append([{ document: 'a', record }])
    record.fill(0)

    await assertSeen(store, 'a', { checkpoint: null, records: ['before'] })
  }),

  aCase('names are arbitrary well-formed strings, each its own document', async store => {
    for (const name of oddNames) await appendLabels(store, name, `in ${oddNames.indexOf(name)}`)
    await Promise.all(oddNames.map(name => store.setAside(name, aside(`${oddNames.indexOf(name)}`))))

    for (const [index, name] of oddNames.entries()) {
      await assertSeen(store, name, { checkpoint: null, records: [`in ${index}`] })
      assert.deepEqual(
        (await store.listSetAside(name)).map(entry => entry.reason),
        [`${index}`]
      )
    }
    const utf8Order = [...oddNames].sort((left, right) =>
      Buffer.compare(Buffer.from(left), Buffer.from(right))
    )
    assert.deepEqual(await store.list(), utf8Order)
  }),

  aCase('an empty, ill-formed or endless name is refused with STORE_ARGUMENT', async store => {
    for (const name of ['', '\ud800', 'a\udc00b', 'x'.repeat(5000)]) {
      await assertRejects(store.append([{ document: name, record: bytesOf('x') }]), 'STORE_ARGUMENT')
      await assertRejects(store.load(name), 'STORE_ARGUMENT')
      await assertRejects(store.delete(name), 'STORE_ARGUMENT')
      await assertRejects(store.readMetadata(name), 'STORE_ARGUMENT')
    }
  }),

  aCase('list takes prefix, after and limit, in the order of UTF-8 bytes', async store => {
    const names = ['a', 'a/1', 'a/2', 'a/3', 'a0', 'b', 'ÿ', '\uffff', '😀']
    for (const name of names) await appendLabels(store, name, 'x')

    assert.deepEqual(await store.list(), names)
    assert.deepEqual(await store.list({ prefix: 'a/' }), ['a/1', 'a/2', 'a/3'])
    assert.deepEqual(await store.list({ prefix: 'a/', after: 'a/1', limit: 1 }), ['a/2'])
    assert.deepEqual(await store.list({ prefix: 'a/', after: 'a' }), ['a/1', 'a/2', 'a/3'])
    assert.deepEqual(await store.list({ prefix: 'a/', after: 'b' }), [])
    assert.deepEqual(await store.list({ after: 'b', limit: 2 }), ['ÿ', '\uffff'])
    assert.deepEqual(await store.list({ prefix: 'zz' }), [])
    await assertRejects(store.list({ limit: 0 }), 'STORE_ARGUMENT')
    await assertRejects(store.list({ limit: 1e9 }), 'STORE_ARGUMENT')
  }),

  aCase('delete removes checkpoint and log; writing again begins another incarnation', async store => {
    await appendLabels(store, 'a', 'one', 'two')
    const before = await store.load('a')
    await overwrite(store, { document: 'a', from: before, segments: [bytesOf('merged')] })
    const highest = (await appendLabels(store, 'a', 'three'))[0] ?? 0

    assert.equal(await store.delete('a'), true)
    assert.equal(await store.delete('a'), false)
    assert.deepEqual(await store.list(), [])
    await assertSeen(store, 'a', { checkpoint: null, records: [] })

    const [again] = await appendLabels(store, 'a', 'new')
    const after = await assertSeen(store, 'a', { checkpoint: null, records: ['new'] })
    assert.notEqual(after.incarnation, before.incarnation)
    assert.ok((again ?? 0) > highest, 'a sequence number was used twice')
  }),

  aCaseWith(
    ['persistence'],
    'everything is there after close and open, numbers go on',
    async (store, place) => {
      await appendLabels(store, 'a', 'one', 'two')
      const first = await store.load('a')
      const highest = Math.max(...first.records.map(record => record.sequence))
      await overwrite(store, { document: 'a', from: first, segments: [bytesOf('merged')] })
      await store.close()

      const again = await place.open()
      try {
        const loaded = await assertSeen(again, 'a', { checkpoint: ['merged'], records: [] })
        assert.equal(loaded.incarnation, first.incarnation)
        const [next] = await appendLabels(again, 'a', 'three')
        assert.ok((next ?? 0) > highest, 'a sequence number was used twice although its record is gone')
      } finally {
        await again.close()
      }
    }
  ),

  aCaseWith(['crash'], 'what an append resolved is there after a crash', async (store, place) => {
    await appendLabels(store, 'a', 'one')
    await appendLabels(store, 'b', 'two')
    await appendLabels(store, 'a', 'three')
    await place.crash?.()

    const again = await place.open()
    try {
      await assertSeen(again, 'a', { checkpoint: null, records: ['one', 'three'] })
      await assertSeen(again, 'b', { checkpoint: null, records: ['two'] })
    } finally {
      await again.close()
    }
  }),

  aCase('close is idempotent and waits for what is under way; later calls are refused', async store => {
    const pending = Promise.all([appendLabels(store, 'a', 'one'), appendLabels(store, 'a', 'two')])
    const closing = Promise.all([store.close(), store.close()])

    assert.equal((await pending).length, 2)
    await closing
    await store.close()
    await assertRejects(appendLabels(store, 'a', 'late'), 'STORE_CLOSED')
    await assertRejects(store.load('a'), 'STORE_CLOSED')
    await assertRejects(store.probe(), 'STORE_CLOSED')
  })
]

function aside(reason: string) {
  return { author: null, timeMs: 1, reason, bytes: bytesOf(reason) }
}

function assertIncreasing(sequences: readonly number[]): void {
  for (const [index, sequence] of sequences.entries()) {
    assert.ok(Number.isSafeInteger(sequence))
    if (index > 0) assert.ok(sequence > (sequences[index - 1] ?? 0), `${sequences.join(' ')} must increase`)
  }
}
