/** Conformance: marks of changes that somebody is to be told of. */
import assert from 'node:assert/strict'
import type { ConformanceCase } from './conformance-case.ts'
import { aCaseWith, assertRejects, bytesOf, labelOf, overwrite, sequencesOf } from './conformance-tools.ts'
import type { ChangeMark, MarkStore } from './marks.ts'
import { type Store, StoreError } from './store.ts'

export const markCases: readonly ConformanceCase[] = [
  aCaseWith(['marks'], 'only a change that is to leave a mark leaves one', async store => {
    await store.append([{ document: 'a', record: bytesOf('one') }])
    await store.append([{ document: 'b', record: bytesOf('one'), leavesMark: true }])
    await store.delete('a')

    assert.equal(await marksOf(store).read('a'), null)
    assert.deepEqual(namesOf(await marksOf(store).list()), ['b'])
  }),

  aCaseWith(
    ['marks'],
    'a mark says where telling has come: before the first change that left it',
    async store => {
      const { incarnation, sequence } = await marked(store, 'a', 'one')
      await marked(store, 'a', 'two')
      await store.append([{ document: 'b', record: bytesOf('unmarked') }])
      const [before] = await store.heads([{ document: 'b' }])
      await marked(store, 'b', 'one', 'two')

      const first = await markOf(store, 'a')
      assert.deepEqual(
        { ...first, value: labelled(first) },
        { document: 'a', incarnation, after: 0, value: '' }
      )
      assert.ok(sequence > 0)
      assert.equal((await markOf(store, 'b')).after, before?.head)
    }
  ),

  aCaseWith(['marks'], 'a refused append leaves no mark', async store => {
    const answers = await store.append([
      { document: 'a', record: bytesOf('one'), incarnation: '999999', leavesMark: true },
      { document: 'b', record: bytesOf('one'), ifHead: 7, leavesMark: true }
    ])

    assert.deepEqual(
      answers.map(({ outcome }) => outcome),
      ['gone', 'conflict']
    )
    assert.deepEqual(await marksOf(store).list(), [])
  }),

  aCaseWith(
    ['marks'],
    'of a mark that was read, the next one takes the place, and of another one nothing does',
    async store => {
      const { incarnation, sequence } = await marked(store, 'a', 'one')
      const present = await markOf(store, 'a')
      const next = { incarnation, after: sequence, value: bytesOf('told') }
      const other = { ...present, value: bytesOf('other') }

      assert.deepEqual(await marksOf(store).write([{ present: other, next }]), [false])
      assert.deepEqual(await marksOf(store).write([{ present, next }]), [true])
      assert.deepEqual(await marksOf(store).write([{ present, next: { ...next, after: 0 } }]), [false])
      const now = await markOf(store, 'a')
      assert.deepEqual([now.after, labelled(now)], [sequence, 'told'])
      assert.deepEqual(await marksOf(store).write([{ present: { ...present, document: 'nobody' }, next }]), [
        false
      ])
    }
  ),

  aCaseWith(['marks'], 'a mark goes only if the head still is where telling has come', async store => {
    const { incarnation, sequence } = await marked(store, 'a', 'one')
    const untold = await markOf(store, 'a')
    assert.deepEqual(await remove(store, untold), [false], 'nothing was told')
    await marksOf(store).write([{ present: untold, next: { ...untold, after: sequence } }])
    const told = await markOf(store, 'a')
    // Without a mark of its own: there is one.
    await marked(store, 'a', 'two')
    assert.deepEqual(await remove(store, told), [false], 'the head has moved')
    const further = [{ present: told, next: null, told: { incarnation, after: sequence + 2 } }]
    assert.deepEqual(await marksOf(store).write(further), [false], 'it has not moved as far')
    await marksOf(store).write([{ present: told, next: { ...told, after: sequence + 1 } }])
    assert.deepEqual(await remove(store, await markOf(store, 'a')), [true])
    assert.equal(await marksOf(store).read('a'), null)

    await marked(store, 'a', 'three')
    const last = { incarnation, after: sequence + 2 }
    const present = await markOf(store, 'a')
    assert.deepEqual(await marksOf(store).write([{ present, next: null, told: last }]), [true])
    await marked(store, 'a', 'four')
    const again = await markOf(store, 'a')
    assert.deepEqual([again.incarnation, again.after], [incarnation, sequence + 2])
  }),

  aCaseWith(
    ['marks'],
    'a deletion leaves a mark of the life that it ended, and one that is there stays',
    async store => {
      const { incarnation, sequence } = await unmarked(store, 'a')
      assert.equal(await store.delete('a', { leavesMark: true }), true)
      const ended = await markOf(store, 'a')
      assert.deepEqual([ended.incarnation, ended.after], [incarnation, sequence])
      assert.deepEqual(await remove(store, ended), [false], 'that it is gone was not told')
      const next = { incarnation: null, after: 0, value: new Uint8Array(0) }
      assert.deepEqual(await marksOf(store).write([{ present: ended, next }]), [true])
      assert.deepEqual(await remove(store, await markOf(store, 'a')), [true])

      assert.equal(await store.delete('a', { leavesMark: true }), false)
      assert.equal(await marksOf(store).read('a'), null)
      await marked(store, 'a', 'again')
      const born = await markOf(store, 'a')
      await store.delete('a', { leavesMark: true })
      assert.deepEqual(await marksOf(store).read('a'), born)
      assert.equal(born.after, 0)
    }
  ),

  aCaseWith(['marks'], 'a mark that is gone is not taken for one that is there', async store => {
    const { incarnation, sequence } = await marked(store, 'a', 'one')
    const untold = await markOf(store, 'a')
    const [told] = await toldOf(store, untold, { incarnation, after: sequence })
    assert.deepEqual(await remove(store, told as ChangeMark), [true])
    await store.delete('a', { leavesMark: true })
    assert.equal((await markOf(store, 'a')).incarnation, incarnation)
    await marked(store, 'a', 'next life')

    assert.equal((await markOf(store, 'a')).incarnation, incarnation, 'the deletion was not told')
  }),

  aCaseWith(
    ['marks'],
    'a checkpoint leaves a mark where it is, and the next change finds it',
    async store => {
      await marked(store, 'a', 'one', 'two')
      const before = await markOf(store, 'a')
      await overwrite(store, { document: 'a', from: await store.load('a'), segments: [bytesOf('merged')] })
      await marked(store, 'a', 'three')

      assert.deepEqual(await markOf(store, 'a'), before)
    }
  ),

  aCaseWith(['marks'], 'marks are listed in pages, each once', async store => {
    const documents = ['b', 'a', 'ü', '__proto__', 'ab']
    for (const document of documents) await marked(store, document, 'one')

    const found: string[] = []
    for (;;) {
      const after = found.at(-1)
      const page = await marksOf(store).list({ limit: 2, ...(after === undefined ? {} : { after }) })
      found.push(...namesOf(page))
      if (page.length < 2) break
    }
    assert.deepEqual([...found].sort(), [...documents].sort())
  }),

  aCaseWith(['marks'], 'many marks are written at once, each by itself', async store => {
    const documents = Array.from({ length: 50 }, (_, index) => `d${index}`)
    await store.append(documents.map(document => ({ document, record: bytesOf('one'), leavesMark: true })))
    const marks = await marksOf(store).list()
    const heads = await store.heads(marks.map(({ document }) => ({ document })))
    const told = marks.map((mark, index) => ({
      present: index % 5 === 0 ? { ...mark, after: 9 } : mark,
      next: { incarnation: mark.incarnation, after: heads[index]?.head ?? 0, value: mark.value }
    }))

    assert.deepEqual(
      await marksOf(store).write(told),
      marks.map((_, index) => index % 5 !== 0)
    )
    const left = await marksOf(store).list()
    const removed = await marksOf(store).write(left.map(present => ({ present, next: null })))
    assert.equal(removed.filter(Boolean).length, 40)
    assert.equal((await marksOf(store).list()).length, 10)
    const [one] = await marksOf(store).list()
    const twice = [one, one].map(present => ({ present: present as ChangeMark, next: null }))
    await assertRejects(marksOf(store).write(twice), 'STORE_ARGUMENT')
  }),

  aCaseWith(['marks'], 'beside appends, no change is left without a mark', async store => {
    let isOver = false
    const telling = async () => {
      while (!isOver || (await marksOf(store).read('a')) !== null) {
        const mark = await marksOf(store).read('a')
        const [head] = await store.heads([{ document: 'a' }])
        if (mark === null || head === undefined) continue
        const place = { incarnation: head.incarnation, after: head.head }
        const [told] = await toldOf(store, mark, place)
        assert.ok(told !== undefined)
        seen = Math.max(seen, head.head)
        await remove(store, told)
      }
    }
    let seen = 0
    const tells = telling()
    let last = 0
    for (let index = 0; index < 60; index++) last = (await marked(store, 'a', `${index}`)).sequence
    isOver = true
    await tells

    assert.equal(seen, last)
  }),

  aCaseWith(
    ['marks', 'persistence'],
    'marks survive close and open, and what is known of them is not believed',
    async (store, place) => {
      await marked(store, 'a', 'one')
      const before = await markOf(store, 'a')
      await store.close()

      const again = await place.open()
      assert.deepEqual(await markOf(again, 'a'), before)
      await marked(again, 'a', 'two')
      assert.deepEqual(await markOf(again, 'a'), before)
      await again.close()
    }
  )
]

function marksOf(store: Store): MarkStore {
  if (store.marks === undefined) throw new StoreError('STORE_ARGUMENT', 'the store leaves no marks')
  return store.marks
}

async function markOf(store: Store, document: string): Promise<ChangeMark> {
  const mark = await marksOf(store).read(document)
  assert.ok(mark !== null, `${document} has no mark`)
  return mark
}

/** The last of what was appended. */
async function marked(store: Store, document: string, ...labels: string[]) {
  const entries = labels.map(label => ({ document, record: bytesOf(label), leavesMark: true }))
  const answers = await store.append(entries)
  const [answer] = answers.slice(-1)
  assert.ok(answer?.outcome === 'written')
  return answer
}

async function unmarked(store: Store, document: string) {
  const answers = await store.append([{ document, record: bytesOf('unmarked') }])
  const [sequence = 0] = sequencesOf(answers)
  const { incarnation } = await store.load(document)
  return { incarnation, sequence }
}

/** The mark once that place was told, or nothing if it is another one by now. */
async function toldOf(store: Store, present: ChangeMark, place: Pick<ChangeMark, 'incarnation' | 'after'>) {
  const next = { ...place, value: present.value }
  const [isMade] = await marksOf(store).write([{ present, next }])
  return isMade === true ? [{ document: present.document, ...next }] : []
}

function remove(store: Store, present: ChangeMark): Promise<boolean[]> {
  return marksOf(store).write([{ present, next: null }])
}

function namesOf(marks: readonly ChangeMark[]): string[] {
  return marks.map(({ document }) => document)
}

function labelled({ value }: ChangeMark): string {
  return value.length === 0 ? '' : labelOf(value)
}
