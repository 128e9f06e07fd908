/**
 * The suite every store must pass, without a test runner: a list of named cases, each run on a fresh place. A
 * store says which features its place has; cases that need another feature are left out.
 *
 *   for (const { name, run } of selectCases(['persistence', 'crash'])) test(name, async () => run(await
 * newPlace()))
 */
import type { ConformanceCase, ConformanceFeature } from './conformance-case.ts'
import { checkpointCases } from './conformance-checkpoints.ts'
import { logCases } from './conformance-log.ts'
import { sideCases } from './conformance-side.ts'
import { writerCases } from './conformance-writers.ts'

export const storeConformanceCases: readonly ConformanceCase[] = [
  ...logCases,
  ...checkpointCases,
  ...sideCases,
  ...writerCases
]

/** The cases a store with these features must pass. */
export function selectCases(features: readonly ConformanceFeature[]): ConformanceCase[] {
  return storeConformanceCases.filter(one => one.features.every(feature => features.includes(feature)))
}

export type { ConformanceCase, ConformanceFeature, StorePlace } from './conformance-case.ts'
export { type ModelOptions, runModel } from './conformance-model.ts'
