/** Which documents of a run keep a history, and how small its parts are, so that a short run sees all that happens to them. */
import type { Limits } from '../../src/base/limits.ts'
import type { PolicyOf } from '../../src/history/policy.ts'
import { Chance } from './chance.ts'

export type PastPlan = {
  readonly limits: Partial<Limits>
  readonly policyOf: PolicyOf
  /** Mean time of a job. */
  readonly workMs: number
  /** The share of jobs that fail while mishaps happen: then histories have holes. */
  readonly failures: number
  /** Mean time between two prunes of a server, and of which documents; null: nobody prunes. */
  readonly prunes: {
    readonly seed: number
    readonly gapMs: number
    readonly documents: readonly string[]
  } | null
  /** Mean time between two things that people do with the past, in which documents; null: nobody does. */
  readonly changes: {
    readonly seed: number
    readonly gapMs: number
    readonly documents: readonly string[]
  } | null
}

/**
 * Null: no document has one. Nothing of it is drawn from the chance of the run, so that the seeds of runs without histories go
 * on meaning what they meant.
 */
export function drawPastPlan(seed: number, rooms: number): PastPlan | null {
  const chance = new Chance(seed + 0x70617374)
  if (chance.hits(0.4)) return null
  const documents = new Set(
    Array.from({ length: rooms }, (_, i) => `room ${i}`).filter((_, i) => i === 0 || chance.hits(0.5))
  )
  // Seldom cut, or there would be little to look at.
  const bytes = chance.hits(0.25) ? Math.floor(chance.scaled(500, 20_000)) : null
  const policy = { days: 30, bytes, gc: 'collect' } as const
  const plan: Omit<PastPlan, 'changes'> = {
    limits: {
      historySegmentUpdatesMax: 2 + Math.floor(chance.scaled(1, 200)),
      historySegmentBytesMax: Math.floor(chance.scaled(100, 100_000)),
      historyMergedChangesMax: Math.floor(chance.scaled(2, 2_000)),
      historyMergedBytesMax: Math.floor(chance.scaled(200, 100_000)),
      historyMergedMs: Math.floor(chance.scaled(100, 100_000)),
      historyKeyframeBytesMin: Math.floor(chance.scaled(50, 20_000)),
      historyKeyframeRatio: chance.between(0.2, 2),
      historySegmentsMax: chance.hits(0.8) ? 2_000 : 3 + chance.below(20),
      historyUnsealedMax: chance.hits(0.9) ? 200_000 : 5 + chance.below(100),
      historyTriesMax: 8
    },
    policyOf: document => (documents.has(document) ? policy : null),
    workMs: chance.scaled(0.2, 30),
    failures: chance.hits(0.8) ? 0 : chance.between(0.05, 0.4),
    prunes: chance.hits(0.6)
      ? null
      : { seed: seed + 0x7072, gapMs: chance.scaled(500, 20_000), documents: [...documents] }
  }
  if (chance.hits(0.2)) return { ...plan, changes: null }
  const few = {
    restoreCopiesMax: 2 + chance.below(8),
    restoreVersionsMax: 3 + chance.below(20),
    versionsMax: 2 + chance.below(20)
  }
  const changes = { seed: seed + 0x6368, gapMs: chance.scaled(150, 4_000), documents: [...documents] }
  return { ...plan, limits: { ...plan.limits, ...few }, changes }
}
