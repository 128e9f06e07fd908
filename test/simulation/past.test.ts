/**
 * Histories in runs of the simulation: see `past-checks.ts` for what they owe. The runs themselves are those of
 * simulation.test.ts and fleet.test.ts, of which more than half have documents with a history.
 */
import { describe, expect, test } from 'vitest'
import { seed as first } from '../support/seed.ts'
import { drawPastPlan } from './past-plan.ts'
import { ofSeveralNodes, type PastPlantName, pastPlants } from './past-plants.ts'
import { RunFailed, simulate } from './run.ts'

/** Each planted bug is found in fewer runs than this. */
const plantRunsMax = 120

test(`histories are sealed, cut and looked at in runs from seed ${first} on`, {
  timeout: 10 * 60_000
}, async () => {
  const counts = new Map<string, number>()
  for (let seed = first; seed < first + 12; seed++) {
    const results = [await simulate(seed, { nodes: seed % 4 === 0 ? 3 : 1 })]
    for (const [what, count] of results.flatMap(result => [...result.counts]))
      counts.set(what, (counts.get(what) ?? 0) + count)
  }

  expect(counts.get('segments sealed')).toBeGreaterThan(0)
  expect(counts.get('histories looked at')).toBeGreaterThan(0)
})

test(`histories are pruned while people type and servers die, from seed ${first} on`, {
  timeout: 10 * 60_000
}, async () => {
  let pruned = 0
  for (let seed = first; pruned < 5 && seed < first + plantRunsMax; seed++) {
    if ((drawPastPlan(seed, 1)?.prunes ?? null) === null) continue
    const { counts } = await simulate(seed, { nodes: seed % 3 === 0 ? 3 : 1 })
    pruned += counts.get('pruned') ?? 0
  }

  expect(pruned).toBeGreaterThanOrEqual(5)
})

/** Seeds that once failed, of one server or several, and of what; see simulation.test.ts. */
const formerFailures: readonly (readonly [seed: number, nodes: number, what: string])[] = [
  [162, 3, 'a blob that another node had dropped meanwhile was taken for damage, and the history had a hole'],
  [
    21,
    3,
    'who was overtaken amid several pages compared its own last page with the checkpoint: a false hole'
  ],
  [25, 3, 'two who asked with one key for what was there already were told two numbers'],
  [60, 3, 'copies that another restore had put together were taken for damage'],
  [12, 1, 'a store that failed when a version was named was told as what the store throws'],
  [
    815001622,
    3,
    'a run went to a state of the store that another return had left, and did not know its truth'
  ]
]

test.each(formerFailures)('seed %i with %i nodes: %s', { timeout: 120_000 }, async (seed, nodes) => {
  await simulate(seed, { nodes })
})

describe('a bug planted on purpose is found', () => {
  test.each(Object.keys(pastPlants) as PastPlantName[])('%s', { timeout: 300_000 }, async name => {
    const seed = await firstFailure(name)

    console.info(`simulation: "${name}" was found by seed ${seed}`)
    expect(seed).toBeLessThan(Number.POSITIVE_INFINITY)
    // Without the bug the same run is fine, so it is the bug that was found.
    await simulate(seed, { nodes: nodesOf(name) })
  })
})

function nodesOf(name: PastPlantName): number {
  return ofSeveralNodes.has(name) ? 3 : 1
}

/** Where the search for one that is not found at once begins: where it was found last, so that this takes a minute at most. */
const searchFrom: Partial<Record<PastPlantName, number>> = {
  'a restore is answered before it is written': 60,
  'an undo stops half way': 82
}

/** The first seed that finds the bug; always from the same on, so that a bug which is found once is found again. */
async function firstFailure(name: PastPlantName): Promise<number> {
  const from = searchFrom[name] ?? 1
  for (let seed = from; seed < from + plantRunsMax; seed++) {
    try {
      await simulate(seed, { plant: pastPlants[name], nodes: nodesOf(name) })
    } catch (error) {
      if (error instanceof RunFailed) return seed
      throw error
    }
  }
  return Number.POSITIVE_INFINITY
}
