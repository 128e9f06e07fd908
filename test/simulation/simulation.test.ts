/**
 * The whole server and its clients in one process on a virtual clock, one run per seed from the first on (seed.ts).
 * `RUNS` is how many (300 with CI=true, always the same of a commit), else `MINUTES` how long to go on (1).
 * scripts/simulate.js does the same for as long as you like.
 */
import { describe, expect, test } from 'vitest'
import { seed as first } from '../support/seed.ts'
import { type PlantName, plants } from './plants.ts'
import { RunFailed, simulate } from './run.ts'

const runsMax = Number(process.env.RUNS ?? (process.env.CI === 'true' ? 300 : Number.POSITIVE_INFINITY))
const minutes = Number(process.env.MINUTES ?? (Number.isFinite(runsMax) ? 30 : 1))
/** Each planted bug is found in fewer runs than this. */
const plantRunsMax = 120

test(`runs from seed ${first} on find nothing wrong`, { timeout: (minutes + 1) * 60_000 }, async () => {
  const untilMs = performance.now() + minutes * 60_000
  let runs = 0
  while (runs < runsMax && performance.now() < untilMs) await simulate(first + runs++)

  console.info(`simulation: ${runs} runs from seed ${first} on`)
  expect(runs).toBeGreaterThan(0)
})

test('the same seed gives exactly the same run', async () => {
  for (let seed = first; seed < first + 5; seed++) {
    const [once, again] = [await simulate(seed), await simulate(seed)]

    expect(again).toEqual(once)
  }
})

/**
 * Seeds that once failed, and of what. A seed means another run once the simulation itself draws otherwise: then these
 * are still runs like any other, and the tests of the parts go on proving the fix.
 */
const formerFailures: readonly (readonly [seed: number, what: string])[] = [
  [1155, 'a client that resumed a causal checkpoint was not sent the deletions in the segments it had'],
  [500591, 'the same, for a document of a few updates'],
  [1069, 'joins were tried for ever when the store had a newer checkpoint than the room'],
  [1013, 'an owner left behind its published clock was invisible once the room had forgotten that clock'],
  [
    5257,
    'who showed a cursor only after the join was invisible while an old connection was half-open, and then on'
  ],
  [5361, 'an owner in step too late was invisible when the room was lost meanwhile'],
  [7000474, 'who was seen before the end of the join, and lost the room then, was invisible in the next one'],
  [9001198, 'a joiner was ended as a slow consumer for the bytes of its own join, again and again'],
  [300371, 'the staggered ends of a failed room were pending timers after a stop'],
  [
    38,
    'an idle owner that sends nothing back fell behind its published clock, and was invisible after a crash'
  ],
  [
    578333707,
    'offline edits that a provider sent after its SyncStep1 were acknowledged, and it counted none of them'
  ],
  [790772847, 'a joiner was closed as for a bug of ours when the store failed to read the checkpoint'],
  [
    910006165,
    'an answer about a clock the owner knew of already was published as a renewal, one above the owner'
  ],
  [920006305, 'a page sent a state of long ago, which providers forget when they give a connection up'],
  [
    930023112,
    'the simulated wire handed a message on before the opening of the WebSocket, by a rounding error'
  ],
  [71000024, 'who left before its late renewal was sent was removed with a clock that it had never heard of'],
  [
    71001319,
    'a provider that came back was asked for its clock before it was sent a higher one, and stayed behind'
  ],
  [
    145465325,
    'who had not heard of the renewal of its state was invisible after a crash to those who had heard of it'
  ],
  [
    883000287,
    'a null that a provider had queued made it invisible once its old connection, half-open, was taken over'
  ],
  [710000941, 'the check of reconnects did not know of what Yjs deletes when it integrates'],
  [710006408, 'a store that was closed after it had failed left the timer of its tidying'],
  [135289133, 'the check of deletions did not wait for a page that had found no server and came back later']
]

test.each(formerFailures)('seed %i: %s', { timeout: 60_000 }, async seed => {
  await simulate(seed, { histories: 'none' })
})

describe('a bug planted on purpose is found', () => {
  test.each(Object.keys(plants) as PlantName[])('%s', { timeout: 120_000 }, async name => {
    const seed = await firstFailure(name)

    console.info(`simulation: "${name}" was found by seed ${seed}`)
    expect(seed).toBeLessThanOrEqual(plantRunsMax)
    // Without the bug the same run is fine, so it is the bug that was found.
    await simulate(seed, { histories: 'none' })
  })
})

/** The first seed that finds the bug; from 1 on, so that a bug which is found once is found again. */
async function firstFailure(name: PlantName): Promise<number> {
  for (let seed = 1; seed <= plantRunsMax; seed++) {
    try {
      await simulate(seed, { plant: plants[name], histories: 'none' })
    } catch (error) {
      if (error instanceof RunFailed) return seed
      throw error
    }
  }
  return Number.POSITIVE_INFINITY
}
