/** A sequence of all that a history can be asked for, with a fault at every step: see `every-step.ts`. */
import { describe, expect, test } from 'vitest'
import { lifeOf, written } from '../../persistence/conformance-history-tools.ts'
import { describeHistories } from '../../persistence/conformance-model-history.ts'
import { bytesOf, largeSegments, seen } from '../../persistence/conformance-tools.ts'
import type { HistoryStore } from '../../persistence/history.ts'
import type { Store } from '../../persistence/store.ts'
import { append, type Call, checkpoint, faultOutcomes, withFault, withoutFaults } from './every-step.ts'

/** Of each blob its label and length are seen: what `manifest` names. */
function seal(document: string, { manifest, sizes, first, drops = [], released = 0, pins = [] }: Seal): Call {
  return async store => {
    const { head } = await store.load(document)
    const blobs = sizes.map((size, index) => ({
      number: first + index,
      bytes: bytesOf(`blob ${first + index}`, size)
    }))
    const pinned = pins.map(back => head - back)
    const releasedTo = released === 0 ? {} : { releasedTo: head - released + 1 }
    await written(store, { document, manifest: bytesOf(manifest), blobs, drops, ...releasedTo, pins: pinned })
  }
}

type Seal = {
  readonly manifest: string
  readonly sizes: readonly number[]
  readonly first: number
  readonly drops?: readonly number[]
  /** How many of the newest records are left, and one more; 0: nothing is released. */
  readonly released?: number
  /** Counted back from the head. */
  readonly pins?: readonly number[]
}

const large = 1_500_000

const script: readonly Call[] = [
  store => append(store, 'a', 'a1', 'a2', 'a3'),
  store => append(store, 'b', 'b1'),
  seal('a', { manifest: 'a has 1,2', sizes: [10, 20], first: 1 }),
  store => checkpoint(store, 'a', largeSegments('A1')),
  store => append(store, 'a', 'a4', 'a5'),
  seal('a', {
    manifest: 'a has 2,3,4',
    sizes: [large, 5],
    first: 3,
    drops: [1],
    released: 2,
    pins: [3]
  }),
  store => checkpoint(store, 'a', [bytesOf('A2')]),
  seal('b', { manifest: 'b has 7', sizes: [large], first: 7 }),
  store => checkpoint(store, 'b', [bytesOf('B1')]),
  seal('a', { manifest: 'a has 5', sizes: [30], first: 5, drops: [2, 3, 4], released: 1, pins: [1] }),
  store => append(store, 'b', 'b2'),
  async store => historyOf(store).drop('a', await lifeOf(store, 'a')),
  seal('a', { manifest: 'again has 1', sizes: [large], first: 1 }),
  store => append(store, 'a', ...Array.from({ length: 2100 }, (_, index) => `many ${index}`)),
  store => checkpoint(store, 'a', [bytesOf('A3')]),
  seal('a', { manifest: 'again has ', sizes: [], first: 1, drops: [1], released: 3, pins: [17] }),
  store => store.delete('b'),
  store => append(store, 'b', 'b3'),
  seal('b', { manifest: 'b has 8', sizes: [8], first: 8, released: 1 }),
  store => store.delete('a'),
  store => checkpoint(store, 'b', [bytesOf('B2')]),
  store => append(store, 'b', 'b4')
]

const sequence = { script, everything }
const clean = await withoutFaults(sequence)

describe('a fault at every step of a sequence of calls about histories', () => {
  test('the sequence has many steps, and leaves nothing of what has ended', () => {
    expect(clean.steps).toBeGreaterThan(40)
    // Counters, probe, head, meta and segment of the checkpoint, a record; manifest, mark and blob.
    expect(clean.keys.at(-1)).toBe(9)
  })

  test.each(faultOutcomes)('%s: the old or the new history is there whole', async outcome => {
    for (let step = 2; step <= clean.steps; step++) await withFault(sequence, { clean, step, outcome })
  })
})

function historyOf(store: Store): HistoryStore {
  if (store.history === undefined) throw new Error('the store keeps no histories')
  return store.history
}

async function everything(store: Store): Promise<string> {
  const lines = [JSON.stringify(await store.list()), ...(await describeHistories(store, ['a', 'b']))]
  for (const document of ['a', 'b']) lines.push(JSON.stringify(seen(await store.load(document))))
  return lines.join('\n')
}
