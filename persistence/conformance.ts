/**
 * The suite every store must pass, without a test runner: a list of named cases, each run on a fresh place. A
 * store says which features its place has; cases that need another feature are left out.
 *
 *   for (const { name, run } of selectCases(['persistence', 'crash'])) test(name, async () => run(await
 * newPlace()))
 */
import assert from 'node:assert/strict'
import type { ConformanceCase, ConformanceFeature } from './conformance-case.ts'
import { checkpointCases } from './conformance-checkpoints.ts'
import { historyCases } from './conformance-history.ts'
import { historyEndCases } from './conformance-history-ends.ts'
import { logCases } from './conformance-log.ts'
import { markCases } from './conformance-marks.ts'
import { sideCases } from './conformance-side.ts'
import { aCase } from './conformance-tools.ts'
import { writerCases } from './conformance-writers.ts'

export const storeConformanceCases: readonly ConformanceCase[] = [
  ...logCases,
  ...checkpointCases,
  ...sideCases,
  ...writerCases,
  ...historyCases,
  ...historyEndCases,
  ...markCases
]

/** Says in the list of what has passed that a store keeps none, and fails where it does and was not asked about them. */
const noHistories = aCase('keeps no histories: the cases of `history` are left out', async store => {
  assert.equal(store.history, undefined, 'the store keeps histories: name the feature `history`')
})

/** The same about marks. */
const noMarks = aCase('leaves no marks: the cases of `marks` are left out', async store => {
  assert.equal(store.marks, undefined, 'the store leaves marks: name the feature `marks`')
})

/** The cases a store with these features must pass. */
export function selectCases(features: readonly ConformanceFeature[]): ConformanceCase[] {
  const chosen = storeConformanceCases.filter(one =>
    one.features.every(feature => features.includes(feature))
  )
  if (!features.includes('history')) chosen.push(noHistories)
  if (!features.includes('marks')) chosen.push(noMarks)
  return chosen
}

export type { ConformanceCase, ConformanceFeature, StorePlace } from './conformance-case.ts'
export { type ModelOptions, runModel } from './conformance-model.ts'
