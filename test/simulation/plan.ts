/** What kind of run a seed makes: how many take part, which bounds the server has, and what goes wrong how often. */
import { type Limits, withLimits } from '../../src/base/limits.ts'
import { Chance } from './chance.ts'
import type { PastPlan } from './past-plan.ts'

export type Plan = {
  readonly limits: Limits
  readonly rooms: number
  /** Pages open in a room at the same time, on average. */
  readonly pages: number
  readonly stormMs: number
  /** Mean time between two edits of one page. */
  readonly editEveryMs: number
  /** Mean time between two mishaps of the whole run. */
  readonly mishapEveryMs: number
  /**
   * `causal`: no page ever sends what hangs on something it has not sent before, so no page may ever be sent that
   * either. `gaps`: pages pass updates to one another beside the server, and some of them are lost.
   */
  readonly order: 'causal' | 'gaps'
  /** The share of pages that speak Hocuspocus. */
  readonly hocuspocusShare: number
  readonly network: NetworkPlan
  readonly disk: DiskPlan
  /** Share of worker jobs that fail, while mishaps happen. */
  readonly workerFailures: number
  readonly workerMs: number
  /** Characters of a large paste. */
  readonly pasteChars: number
  /** Bounds of the store, far below its own: what it does in steps is then done in runs of this size, too. */
  readonly storeBounds: { batchBytesMax: number; removalKeysMax: number; pageKeys: number }
  /** Null: no document keeps a history. */
  readonly past: PastPlan | null
  /** Null: everybody may write, for good. */
  readonly rights: RightsPlan | null
}

/** Who everybody is is asked, and now and then somebody's right is taken away: mean time between two such calls. */
export type RightsPlan = { readonly seed: number; readonly gapMs: number }

/** Of a chance of its own, so that the seeds of runs without go on meaning what they meant. */
export function drawRightsPlan(seed: number): RightsPlan | null {
  const chance = new Chance(seed + 0x72676874)
  return chance.hits(0.6) ? null : { seed: seed + 0x7276, gapMs: chance.scaled(500, 6_000) }
}

export type NetworkPlan = {
  readonly latencyMs: number
  /** Bytes that a socket takes before it says it is full. */
  readonly highWaterMark: number
  /** Bytes that leave a socket at once, at most. */
  readonly burstBytes: number
}

export type DiskPlan = { readonly delayMs: number; readonly failures: number }

/** Without histories: see `withPast`. */
export function drawPlan(chance: Chance): Plan {
  const unit = chance.scaled(200, 3_000)
  const plan = {
    limits: drawLimits(chance, unit),
    rooms: chance.hits(0.3) ? 2 : 1,
    pages: 1 + chance.below(4),
    stormMs: chance.scaled(1_500, 15_000),
    editEveryMs: chance.scaled(100, 1_500),
    mishapEveryMs: chance.scaled(200, 4_000),
    order: chance.hits(0.5) ? 'causal' : 'gaps',
    hocuspocusShare: chance.pick([0, 0.5, 0.5, 1]),
    network: {
      latencyMs: chance.scaled(0.2, 60),
      highWaterMark: Math.floor(chance.scaled(100, 20_000)),
      burstBytes: Math.floor(chance.scaled(200, 100_000))
    },
    disk: {
      delayMs: chance.scaled(0.02, 8),
      failures: chance.hits(0.5) ? 0 : chance.scaled(0.001, 0.05)
    },
    workerFailures: chance.hits(0.7) ? 0 : chance.between(0.05, 0.5),
    workerMs: chance.scaled(0.5, 400),
    pasteChars: Math.floor(chance.scaled(100, 2 * unit)),
    storeBounds: {
      batchBytesMax: Math.floor(chance.scaled(300, 30_000)),
      removalKeysMax: 2 + chance.below(40),
      pageKeys: 2 + chance.below(40)
    },
    past: null,
    rights: null
  } satisfies Plan
  // Time stands still while a message is handled: with no share of a turn, each waits for its own. Nothing is drawn
  // for it, so that the seeds go on meaning what they meant.
  const isCrowded = plan.storeBounds.pageKeys % 4 === 0
  return isCrowded ? { ...plan, limits: { ...plan.limits, messagesShareMs: 0 } } : plan
}

/** The same run, in which some documents keep a history. */
export function withPast(plan: Plan, past: PastPlan | null): Plan {
  return past === null ? plan : { ...plan, past, limits: { ...plan.limits, ...past.limits } }
}

/** `unit` is the size up to which a document is one update; the other sizes lie around it. */
function drawLimits(chance: Chance, unit: number): Limits {
  const wholeFrameBytesMax = Math.floor(unit)
  const heldBackBytesMax = Math.floor(unit * chance.scaled(1.5, 100))
  const pingMs = chance.scaled(2_000, 12_000)
  return withLimits({
    wholeFrameBytesMax,
    heldBackBytesMax,
    heldBackFrameBytes: Math.floor(unit * chance.between(0.15, 1)),
    segmentBytes: Math.floor(unit * chance.between(0.1, 1)),
    compactionBytesMin: Math.floor(chance.scaled(200, 20_000)),
    compactionRatio: chance.between(0.2, 0.8),
    recordOverheadBytes: chance.below(128),
    compactionRecordsAtClose: 1 + chance.below(60),
    outboxBytesMax: Math.floor(chance.scaled(20_000, 1_000_000)),
    uncommittedBytesMax: Math.floor(chance.scaled(50, 100_000)),
    scanBytesMax: Math.floor(chance.scaled(60, 100_000)),
    checkpointCacheBytesMax: chance.hits(0.5) ? 0 : 1_000_000,
    diffCacheEntriesMax: 1 + chance.below(4),
    compactionRetryMs: 200,
    coalesceMs: chance.pick([0, 10, 40]),
    // Not drawn, so that old seeds go on meaning the same runs.
    turnBudgetMs: wholeFrameBytesMax % 2 === 0 ? 0 : 5,
    roomIdleMs: chance.scaled(50, 10_000),
    pingMs,
    heartbeatMs: pingMs / 4,
    // A socket that is held back is not read, and one that says nothing is ended after twice `pingMs`.
    refusalDelayMsMax: pingMs,
    joinStallMs: chance.scaled(1_000, 20_000),
    rejoinWaitMs: chance.scaled(20, 1_000),
    staggerMs: chance.between(0, 500)
  })
}
