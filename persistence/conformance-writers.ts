/**
 * Conformance: what several writers of one document rely on: answers to entries, conditions, what follows a position,
 * heads, leases. Cases with a second store need the feature `writers`.
 */
import assert from 'node:assert/strict'
import type { ConformanceCase, StorePlace } from './conformance-case.ts'
import {
  aCase,
  aCaseWith,
  appendLabels,
  assertRejects,
  assertSeen,
  bytesOf,
  labelOf,
  overwrite
} from './conformance-tools.ts'
import type { AppendAnswer, AppendEntry, HeadQuery, RecordsAfter, Store } from './store.ts'

const plenty = { records: 1000, bytes: 1_000_000 }

export const writerCases: readonly ConformanceCase[] = [
  aCase('sequence numbers go up by one within a life, and the answer names the life', async store => {
    const [one, two] = await store.append([entry('a', 'one'), entry('a', 'two')])
    const { incarnation, head, records } = await store.load('a')

    assert.ok(one?.outcome === 'written' && two?.outcome === 'written')
    assert.equal(two.sequence, one.sequence + 1)
    assert.deepEqual([one.incarnation, two.incarnation], [incarnation, incarnation])
    assert.equal(head, two.sequence)
    assert.deepEqual([one.identity.node, two.identity.node], [store.node, store.node])
    assert.deepEqual(
      records.map(each => each.identity),
      [one.identity, two.identity]
    )
    assert.deepEqual(await appendLabels(store, 'a', 'three'), [two.sequence + 1])
    assert.ok(Number.isSafeInteger(store.lanes) && store.lanes >= 1)
  }),

  aCase('an entry for a life that has ended is gone; those beside it are written', async store => {
    await appendLabels(store, 'a', 'one')
    const { incarnation } = await store.load('a')
    await store.delete('a')

    const late = { ...entry('a', 'late'), incarnation }
    assert.deepEqual(outcomes(await store.append([late, entry('b', 'beside')])), ['gone', 'written'])
    assert.deepEqual(await store.list(), ['b'])
    await appendLabels(store, 'a', 'again')
    assert.deepEqual(outcomes(await store.append([late])), ['gone'])
    await assertSeen(store, 'a', { checkpoint: null, records: ['again'] })
  }),

  aCase('ifHead: written only if the head is that; 0 only if there is no document', async store => {
    const seed = { ...entry('a', 'seed'), ifHead: 0 }
    const [first] = await store.append([seed])
    assert.ok(first?.outcome === 'written')
    const head = first.sequence

    const answers = await store.append([seed, entry('b', 'beside')])
    assert.deepEqual(answers[0], { outcome: 'conflict', head })
    assert.equal(answers[1]?.outcome, 'written')
    const next = { ...entry('a', 'next'), ifHead: head }
    assert.deepEqual(outcomes(await store.append([next])), ['written'])
    assert.deepEqual(await store.append([next]), [{ outcome: 'conflict', head: head + 1 }])
    await assertSeen(store, 'a', { checkpoint: null, records: ['seed', 'next'] })

    await store.delete('a')
    const conflict = { ...entry('a', 'none'), ifHead: head + 1 }
    assert.deepEqual(await store.append([conflict]), [{ outcome: 'conflict', head: 0 }])
    assert.deepEqual(await store.list(), ['b'])
    assert.deepEqual(outcomes(await store.append([seed])), ['written'])
  }),

  aCase('a document that began with a checkpoint is one: no seed is written to it', async store => {
    const from = await store.load('a')
    await overwrite(store, { document: 'a', from, segments: [bytesOf('born')] })

    const [answer] = await store.append([{ ...entry('a', 'seed'), ifHead: 0 }])

    assert.equal(answer?.outcome, 'conflict')
    await assertSeen(store, 'a', { checkpoint: ['born'], records: [] })
  }),

  aCase('entries of one document that contradict each other are refused', async store => {
    const [one, two] = [entry('a', 'one'), entry('a', 'two')]
    for (const entries of [
      [{ ...one, ifHead: 0 }, two],
      [one, { ...two, ifHead: 1 }],
      [{ ...one, incarnation: '1' }, two],
      [{ ...one, ifHead: -1 }],
      [{ ...one, ifHead: 0.5 }]
    ]) {
      await assertRejects(store.append(entries), 'STORE_ARGUMENT')
    }
    assert.deepEqual(await store.list(), [])
  }),

  aCase('recordsAfter gives what follows, within its limits, and the head', async store => {
    const sequences = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
    const [first = 0, , third = 0, fourth = 0] = sequences
    const life = (await store.load('a')).incarnation ?? ''
    const after = (sequence: number, limits = plenty) => store.recordsAfter('a', life, sequence, limits)

    assert.deepEqual(shown(await after(first)), ['two', 'three', 'four', `head ${fourth}`])
    assert.deepEqual(shown(await after(first - 1, { ...plenty, records: 2 })), [
      'one',
      'two',
      `head ${fourth}`
    ])
    assert.deepEqual(shown(await after(first, { ...plenty, bytes: 5 })), ['two', 'three', `head ${fourth}`])
    assert.deepEqual(shown(await after(third, { records: 1, bytes: 1 })), ['four', `head ${fourth}`])
    assert.deepEqual(shown(await after(fourth)), [`head ${fourth}`])
    assert.deepEqual(shown(await after(fourth + 1)), ['missing'])
    await assertRejects(after(first, { records: 0, bytes: 1 }), 'STORE_ARGUMENT')
    await store.delete('a')
    assert.deepEqual(shown(await after(first)), ['gone'])
    await appendLabels(store, 'a', 'another life')
    assert.deepEqual(shown(await after(first)), ['gone'])
  }),

  aCase('recordsAfter never steps over records that a checkpoint has replaced', async store => {
    const [, second = 0, , fourth = 0] = await appendLabels(store, 'a', 'one', 'two', 'three', 'four')
    const from = await store.load('a')
    const replaces = from.records.slice(0, 3).map(({ sequence }) => sequence)
    await overwrite(store, { document: 'a', from, segments: [bytesOf('m')], replaces })
    const life = from.incarnation ?? ''

    const found = shown(await store.recordsAfter('a', life, second, plenty))
    assert.ok(['missing', `three four head ${fourth}`].includes(found.join(' ')), found.join(' '))
    assert.deepEqual(shown(await store.recordsAfter('a', life, second + 1, plenty)), [
      'four',
      `head ${fourth}`
    ])
  }),

  aCase('a load tells the head also when a checkpoint has replaced every record', async store => {
    const [, last = 0] = await appendLabels(store, 'a', 'one', 'two')
    await overwrite(store, { document: 'a', from: await store.load('a'), segments: [bytesOf('m')] })

    const { head, records } = await store.load('a')

    assert.deepEqual([head, records], [last, []])
  }),

  aCase('the floor lies between the lives that are over and the present one', async store => {
    const floors = async (life: string | null) => {
      const [head] = await store.heads([{ document: 'a' }])
      const loaded = await store.load('a')
      // Where one writer at a time needs none, `load` says none.
      const known = loaded.floor === null ? [] : [loaded.floor]
      if (life === null) return [head?.floor, ...known]
      const [late] = await store.append([{ ...entry('a', 'late'), incarnation: life }])
      const after = await store.recordsAfter('a', life, 0, plenty)
      assert.ok(late?.outcome === 'gone' && after.outcome === 'gone')
      return [head?.floor, ...known, late.floor, after.floor]
    }
    const [last = 0] = (await appendLabels(store, 'a', 'one', 'two')).slice(-1)
    const { incarnation } = await store.load('a')
    for (const floor of await floors(null)) assert.ok(floor === null || (floor ?? last) < last - 1)

    await store.delete('a')
    for (const floor of await floors(incarnation)) assert.ok((floor ?? -1) >= last, `${floor}, after ${last}`)

    const [next = 0] = await appendLabels(store, 'a', 'another life')
    for (const floor of await floors(incarnation)) {
      assert.ok(floor === null || (floor ?? -1) >= last)
      assert.ok(floor === null || (floor ?? next) < next)
    }
  }),

  aCaseWith(
    ['writers'],
    'with several writers the floor is known, and of each document its own',
    async store => {
      await appendLabels(store, 'a', 'one', 'two')
      await appendLabels(store, 'b', 'one')
      await store.delete('a')
      await appendLabels(store, 'a', 'three')

      const floors = (await store.heads(['a', 'b', 'c'].map(document => ({ document })))).map(
        each => each.floor
      )

      assert.deepEqual(floors, [2, 0, 0])
    }
  ),

  aCaseWith(
    ['writers'],
    'an entry that says a floor is not written when a life has ended since',
    async store => {
      const before = await store.load('a')
      const late = { ...entry('a', 'late'), ifFloor: before.floor ?? -1 }
      await appendLabels(store, 'a', 'one', 'two')
      const [into] = await store.append([late])
      await store.delete('a')

      const [gone] = await store.append([late])
      const after = await store.load('a')
      const [next] = await store.append([{ ...late, ifFloor: after.floor ?? -1 }])

      assert.equal(into?.outcome, 'written')
      assert.deepEqual(gone, { outcome: 'gone', floor: 3 })
      assert.equal(after.incarnation, null)
      assert.ok(next?.outcome === 'written' && next.sequence === 4)
    }
  ),

  aCase('heads tell where documents stand, and who wrote at a position', async store => {
    const [one, two] = await store.append([entry('a', 'one'), entry('a', 'two')])
    await appendLabels(store, 'b', 'other')
    assert.ok(one?.outcome === 'written' && two?.outcome === 'written')
    const { incarnation } = await store.load('a')
    const stands = async (queries: readonly HeadQuery[]) =>
      (await store.heads(queries)).map(({ floor: _, ...rest }) => rest)
    const nothing = { incarnation: null, generation: 0, head: 0, identity: null }
    const a = { incarnation, generation: 0, head: two.sequence, identity: null }

    const queries = [{ document: 'a', at: one.sequence }, { document: 'nobody', at: 1 }, { document: 'a' }]
    const heads = await stands([...queries, { document: 'a', at: two.sequence + 1 }])

    assert.deepEqual(heads, [{ ...a, identity: one.identity }, nothing, a, a])
    const from = await store.load('a')
    const written = await overwrite(store, { document: 'a', from, segments: [bytesOf('m')] })
    assert.ok(written.outcome === 'written')
    const [merged] = await stands([{ document: 'a' }])
    assert.deepEqual(merged, { ...a, generation: written.generation })
    await store.delete('a')
    assert.deepEqual(await stands([{ document: 'a' }]), [nothing])
    assert.deepEqual(await store.heads([]), [])
  }),

  aCase('one holder has a lease until it gives it up or its time is over', async store => {
    assert.equal(await store.lease('k', 'x', 60_000), true)
    assert.equal(await store.lease('k', 'y', 60_000), false)
    assert.equal(await store.lease('k', 'x', 60_000), true)
    assert.equal(await store.lease('l', 'y', 60_000), true)
    assert.equal(await store.lease('k', 'y', 0), false)
    assert.equal(await store.lease('k', 'x', 0), true)
    assert.equal(await store.lease('k', 'y', 1), true)
    while (!(await store.lease('k', 'x', 60_000))) await new Promise(resolve => setImmediate(resolve))
    await assertRejects(store.lease('k', '', 1), 'STORE_ARGUMENT')
    await assertRejects(store.lease('k', 'x', -1), 'STORE_ARGUMENT')
    await assertRejects(store.lease('k', 'x', 1e12), 'STORE_ARGUMENT')
  }),

  aCaseWith(
    ['writers'],
    'two stores that append to one document at once share its numbers',
    async (store, place) => {
      await withSecond(place, async other => {
        const rounds = Array.from({ length: 20 }, (_, index) => index)
        const append = async (writer: Store, name: string) => {
          const sequences: number[] = []
          for (const round of rounds) sequences.push(...(await appendLabels(writer, 'a', `${name} ${round}`)))
          return sequences
        }

        const [xs, ys] = await Promise.all([append(store, 'x'), append(other, 'y')])

        const { records } = await store.load('a')
        const numbers = rounds.concat(rounds.map(round => round + rounds.length)).map(index => index + 1)
        assert.deepEqual(
          records.map(({ sequence }) => sequence),
          numbers
        )
        const at = (sequences: readonly number[] | undefined) =>
          sequences?.map(sequence => labelOf(records[sequence - 1]?.record ?? new Uint8Array(0)))
        assert.deepEqual(
          at(xs),
          rounds.map(round => `x ${round}`)
        )
        assert.deepEqual(
          at(ys),
          rounds.map(round => `y ${round}`)
        )
        assert.equal(new Set(records.map(({ identity }) => identity.node)).size, 2)
      })
    }
  ),

  aCaseWith(['writers'], 'of two stores that seed a document at once one does', async (store, place) => {
    await withSecond(place, async other => {
      for (const document of ['a', 'b', 'c', 'd']) {
        const seeds = [store, other].map(each => each.append([{ ...entry(document, 'seed'), ifHead: 0 }]))

        const answers = (await Promise.all(seeds)).flat()

        assert.deepEqual(outcomes(answers).sort(), ['conflict', 'written'])
        await assertSeen(other, document, { checkpoint: null, records: ['seed'] })
      }
    })
  }),

  aCaseWith(['writers'], 'what the other store deletes is gone', async (store, place) => {
    await withSecond(place, async other => {
      await appendLabels(store, 'a', 'one')
      const { incarnation } = await store.load('a')
      assert.equal(await other.delete('a'), true)

      assert.deepEqual(outcomes(await store.append([{ ...entry('a', 'late'), incarnation }])), ['gone'])
      assert.equal(await other.lease('k', 'x', 60_000), true)
      assert.equal(await store.lease('k', 'y', 60_000), false)
    })
  })
]

function entry(document: string, label: string): AppendEntry {
  return { document, record: bytesOf(label) }
}

function outcomes(answers: readonly AppendAnswer[]): string[] {
  return answers.map(({ outcome }) => outcome)
}

function shown(found: RecordsAfter): string[] {
  if (found.outcome !== 'records') return [found.outcome]
  return [...found.records.map(({ record }) => labelOf(record)), `head ${found.head}`]
}

async function withSecond(place: StorePlace, body: (other: Store) => Promise<void>): Promise<void> {
  const other = await place.open()
  try {
    await body(other)
  } finally {
    await other.close()
  }
}
