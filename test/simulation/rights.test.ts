/** Rights that are taken away in runs of the simulation: see `rights.ts`. The other files' runs have them as well. */
import { expect, test } from 'vitest'
import { Passes } from '../../src/access/passes.ts'
import { seed as first } from '../support/seed.ts'
import { drawRightsPlan } from './plan.ts'
import type { Plant } from './plants.ts'
import { RunFailed, simulate } from './run.ts'

const nodes = 3
const seedsMax = 120
const seeds = Array.from({ length: seedsMax }, (_, i) => i).filter(i => drawRightsPlan(first + i) !== null)

test(`who has no right any more is a member nowhere, in runs of ${nodes} nodes from seed ${first} on`, {
  timeout: 10 * 60_000
}, async () => {
  let revoked = 0
  for (const i of seeds) {
    if (revoked >= 8) break
    const { counts } = await simulate(first + i, { nodes })
    revoked += counts.get('revoked') ?? 0
  }

  expect(revoked).toBeGreaterThanOrEqual(8)
})

test('a node that does not look for rights which changed elsewhere is found', {
  timeout: 300_000
}, async () => {
  const plant: Plant = {
    patch: () => {
      const { learn } = Passes.prototype
      Passes.prototype.learn = async () => {}
      return () => {
        Passes.prototype.learn = learn
      }
    }
  }

  const seed = await firstFailure(plant)

  console.info(`simulation: it was found by seed ${seed}`)
  expect(seed).toBeLessThan(Number.POSITIVE_INFINITY)
  await simulate(seed, { nodes })
})

async function firstFailure(plant: Plant): Promise<number> {
  for (let seed = 1; seed < seedsMax; seed++) {
    if (drawRightsPlan(seed) === null) continue
    try {
      await simulate(seed, { plant, nodes })
    } catch (error) {
      if (error instanceof RunFailed) return seed
      throw error
    }
  }
  return Number.POSITIVE_INFINITY
}
