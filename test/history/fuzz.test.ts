/** Moments of histories that are kept in a store: see `fuzz`. RUNS=250 compares ten thousand and more. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { seed } from '../support/seed.ts'
import { fuzz } from './fuzz.ts'

const runs = Number(process.env.RUNS ?? 6)

test(`a history says what the document was at every record (seed ${seed}, ${runs} runs)`, async () => {
  let [moments, segments, keyframes, pruned] = [0, 0, 0, 0]
  for (let run = 0; run < runs; run++) {
    const fuzzed = await fuzz(createMemoryStore(), seed + run, { steps: 120 })
    moments += fuzzed.moments
    segments += fuzzed.segments
    keyframes += fuzzed.keyframes
    pruned += fuzzed.pruned
    expect(fuzzed.holes, `seed ${seed + run}`).toBe(0)
  }
  console.log(`${moments} moments, ${segments} segments, ${keyframes} keyframes, ${pruned} pruned`)
  expect(Math.min(moments, segments, keyframes)).toBeGreaterThan(0)
}, 3_600_000)
