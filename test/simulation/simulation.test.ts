/**
 * The whole server and its clients in one process on a virtual clock, one run per seed. `SEED` is the first (default: a
 * new one each time), `SECONDS` how long to go on. scripts/simulate.js does the same for as long as you like.
 */
import { describe, expect, test } from 'vitest'
import { type PlantName, plants } from './plants.ts'
import { RunFailed, simulate } from './run.ts'

const first = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const seconds = Number(process.env.SECONDS ?? 60)
/** Each planted bug is found in fewer runs than this. */
const plantRunsMax = 120

test(`runs from seed ${first} on find nothing wrong`, { timeout: (seconds + 60) * 1000 }, async () => {
  const untilMs = performance.now() + seconds * 1000
  let runs = 0
  while (performance.now() < untilMs) await simulate(first + runs++)

  console.info(`simulation: ${runs} runs from seed ${first} on`)
  expect(runs).toBeGreaterThan(0)
})

test('the same seed gives exactly the same run', async () => {
  for (let seed = first; seed < first + 5; seed++) {
    const [once, again] = [await simulate(seed), await simulate(seed)]

    expect(again).toEqual(once)
  }
})

describe('a bug planted on purpose is found', () => {
  test.each(Object.keys(plants) as PlantName[])('%s', { timeout: 120_000 }, async name => {
    const seed = await firstFailure(name)

    console.info(`simulation: "${name}" was found by seed ${seed}`)
    expect(seed).toBeLessThanOrEqual(plantRunsMax)
  })
})

/** The first seed that finds the bug; from 1 on, so that a bug which is found once is found again. */
async function firstFailure(name: PlantName): Promise<number> {
  for (let seed = 1; seed <= plantRunsMax; seed++) {
    try {
      await simulate(seed, plants[name])
    } catch (error) {
      if (error instanceof RunFailed) return seed
      throw error
    }
  }
  return Number.POSITIVE_INFINITY
}
