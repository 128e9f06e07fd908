/**
 * Conformance: checkpoints as compare-and-set, small and large.
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
  overwrite,
  seen
} from './conformance-tools.ts'
import type { Store } from './store.ts'

/** Each case for a checkpoint that fits one step and for one that does not. */
const sizes = {
  small: (label: string) => [bytesOf(`${label}.0`), bytesOf(`${label}.1`)],
  large: (label: string) => largeSegments(label)
} as const
type Size = keyof typeof sizes

export const checkpointCases: readonly ConformanceCase[] = [
  ...(['small', 'large'] as const).flatMap(size => [...writingCases(size), ...lifeCases(size)]),

  aCase('an empty document can begin with a checkpoint', async store => {
    const from = await store.load('a')

    const result = await overwrite(store, { document: 'a', from, segments: sizes.large('born') })

    assert.equal(result.outcome, 'written')
    assert.deepEqual(await store.list(), ['a'])
    const loaded = await assertSeen(store, 'a', { checkpoint: labels('large', 'born'), records: [] })
    assert.notEqual(loaded.incarnation, null)
    await appendLabels(store, 'b', 'other')
    assert.notEqual((await store.load('b')).incarnation, loaded.incarnation)
  }),

  aCase('a checkpoint may have no segments, and 5,000 records are replaced by one', async store => {
    const entries = Array.from({ length: 5000 }, (_, index) => ({
      document: 'a',
      record: bytesOf(`r${index}`)
    }))
    await store.append(entries)
    const from = await store.load('a')

    await overwrite(store, { document: 'a', from, segments: [bytesOf('all')] })
    await assertSeen(store, 'a', { checkpoint: ['all'], records: [] })

    const next = await store.load('a')
    await overwrite(store, { document: 'a', from: next, segments: [] })
    await assertSeen(store, 'a', { checkpoint: [], records: [] })
  }),

  aCase('a checkpoint cannot replace a record that was never written', async store => {
    const [sequence] = await appendLabels(store, 'a', 'one')
    const from = await store.load('a')

    for (const replaces of [[(sequence ?? 0) + 1], [-1], [0.5], [Number.NaN]]) {
      const request = { document: 'a', from, segments: [bytesOf('x')], replaces }
      await assertRejects(overwrite(store, request), 'STORE_ARGUMENT')
    }
    await assertSeen(store, 'a', { checkpoint: null, records: ['one'] })
  }),

  aCase('a segment larger than a step is stored whole', async store => {
    const segment = new Uint8Array(5 * 1024 * 1024).map((_, index) => index * 13)
    const from = await store.load('a')

    await overwrite(store, { document: 'a', from, segments: [bytesOf('first'), segment, bytesOf('last')] })

    const { checkpoint } = await store.load('a')
    assert.equal(checkpoint?.segments.length, 3)
    assert.equal(Buffer.compare(checkpoint?.segments[1] ?? new Uint8Array(0), segment), 0)
  }),

  aCase('a reader beside large checkpoints sees the old or the new one whole', async store => {
    await appendLabels(store, 'a', 'one')
    let isWriting = true
    const writing = writeRounds(store, 6).finally(() => {
      isWriting = false
    })
    let reads = 0
    while (isWriting) {
      const { checkpoint, records } = seen(await store.load('a'))
      assertWholeRound(checkpoint, records)
      reads++
    }
    await writing
    assert.ok(reads > 3)
  }),

  aCase('appends beside large checkpoints are neither lost nor replaced', async store => {
    const appended: string[] = []
    let isWriting = true
    await appendLabels(store, 'a', 'first')
    const writing = writeRounds(store, 4).finally(() => {
      isWriting = false
    })
    while (isWriting) {
      const label = `during ${appended.length}`
      await appendLabels(store, 'b', label)
      appended.push(label)
    }
    await writing
    await assertSeen(store, 'b', { checkpoint: null, records: appended })
  })
]

/** Compare-and-set. */
function writingCases(size: Size): ConformanceCase[] {
  const segments = sizes[size]
  return [
    aCase(`a ${size} checkpoint replaces exactly the records it names`, async store => {
      const sequences = await appendLabels(store, 'a', 'one', 'two', 'three')
      const from = await store.load('a')
      await appendLabels(store, 'a', 'four')
      const replaces = [sequences[2] ?? 0, sequences[0] ?? 0]

      const result = await overwrite(store, { document: 'a', from, segments: segments('m'), replaces })

      const loaded = await assertSeen(store, 'a', { checkpoint: labels(size, 'm'), records: ['two', 'four'] })
      assert.deepEqual(result, { outcome: 'written', generation: loaded.checkpoint?.generation })
      assert.equal(labelOf(loaded.checkpoint?.meta ?? new Uint8Array(0)), `meta of ${segments('m').length}`)
      assert.equal(loaded.incarnation, from.incarnation)
    }),

    aCase(
      `of two ${size} checkpoints on one base the later call is superseded, in both orders`,
      async store => {
        for (const document of ['a', 'b']) {
          await appendLabels(store, document, 'one', 'two')
          const from = await store.load(document)
          const winner = { document, from, segments: segments('winner') }
          const loser = { document, from, segments: segments('loser'), replaces: [] }
          const [first, second] = document === 'a' ? [winner, loser] : [loser, winner]

          const won = await overwrite(store, first)
          const lost = await overwrite(store, second)

          assert.equal(won.outcome, 'written')
          assert.deepEqual(lost, { outcome: 'superseded' })
          const records = document === 'a' ? [] : ['one', 'two']
          const checkpoint = labels(size, document === 'a' ? 'winner' : 'loser')
          await assertSeen(store, document, { checkpoint, records })
        }
      }
    ),

    aCase(`of two concurrent ${size} checkpoints on one base exactly one is written`, async store => {
      for (let round = 0; round < 3; round++) {
        await appendLabels(store, 'a', `r${round}`)
        const from = await store.load('a')
        const both = ['x', 'y'].map(label =>
          overwrite(store, { document: 'a', from, segments: segments(label) })
        )

        const outcomes = (await Promise.all(both)).map(result => result.outcome)

        assert.deepEqual([...outcomes].sort(), ['superseded', 'written'])
        const won = outcomes[0] === 'written' ? 'x' : 'y'
        await assertSeen(store, 'a', { checkpoint: labels(size, won), records: [] })
      }
    })
  ]
}

/** Beside delete, replacement and crash. */
function lifeCases(size: Size): ConformanceCase[] {
  const segments = sizes[size]
  return [
    aCase(`a ${size} checkpoint after delete and recreate is superseded`, async store => {
      await appendLabels(store, 'a', 'one')
      const from = await store.load('a')
      await store.delete('a')
      await appendLabels(store, 'a', 'new')

      const result = await overwrite(store, { document: 'a', from, segments: segments('old life') })

      assert.deepEqual(result, { outcome: 'superseded' })
      await assertSeen(store, 'a', { checkpoint: null, records: ['new'] })
    }),

    aCase(
      `a ${size} checkpoint of a deleted document is superseded and does not bring it back`,
      async store => {
        await appendLabels(store, 'a', 'one')
        const from = await store.load('a')
        const [result] = await Promise.all([
          store.delete('a').then(() => overwrite(store, { document: 'a', from, segments: segments('gone') }))
        ])

        assert.deepEqual(result, { outcome: 'superseded' })
        assert.deepEqual(await store.list(), [])
      }
    ),

    aCase(`${size} checkpoints: segments of a generation are whole or null`, async store => {
      await appendLabels(store, 'a', 'one')
      const first = await overwrite(store, {
        document: 'a',
        from: await store.load('a'),
        segments: segments('first')
      })
      assert.equal(first.outcome, 'written')
      const old = first.outcome === 'written' ? first.generation : 0
      assert.deepEqual((await store.segments('a', old))?.map(labelOf), labels(size, 'first'))

      const next = await overwrite(store, {
        document: 'a',
        from: await store.load('a'),
        segments: segments('next')
      })

      assert.ok(next.outcome === 'written' && next.generation > old)
      assert.equal(await store.segments('a', old), null)
      await store.delete('a')
      assert.equal(await store.segments('a', next.generation), null)
    }),

    aCaseWith(
      ['crash'],
      `a written ${size} checkpoint is there whole after a crash`,
      async (store, place) => {
        await appendLabels(store, 'a', 'one', 'two')
        await overwrite(store, { document: 'a', from: await store.load('a'), segments: segments('kept') })
        await appendLabels(store, 'a', 'three')
        await place.crash?.()

        const again = await place.open()
        await assertSeen(again, 'a', { checkpoint: labels(size, 'kept'), records: ['three'] })
        await again.close()
      }
    )
  ]
}

function labels(size: Size, label: string): string[] {
  return sizes[size](label).map(labelOf)
}

async function writeRounds(store: Store, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await appendLabels(store, 'a', `tail ${round}`)
    const from = await store.load('a')
    const result = await overwrite(store, { document: 'a', from, segments: sizes.large(`round ${round}`) })
    assert.equal(result.outcome, 'written')
  }
}

/** Checkpoint r contains all tails up to r: beside it only the tail of r + 1 may stand. */
function assertWholeRound(checkpoint: string[] | null, records: string[]): void {
  if (checkpoint === null) return
  const round = Number(checkpoint[0]?.split(/[ .]/)[1])
  assert.deepEqual(checkpoint, labels('large', `round ${round}`))
  if (records.length > 0) assert.deepEqual(records, [`tail ${round + 1}`])
}
