/** What kind of run with several nodes a seed makes: how their bus and their database are, and what goes wrong how often. */
import type { MemoryFaults } from '../../bus/index.ts'
import type { Chance } from './chance.ts'
import type { LinkPlan } from './database-link.ts'
import type { Plan } from './plan.ts'

export type FleetPlan = {
  readonly nodes: number
  /** Appends of a node that are under way at once. */
  readonly lanes: number
  readonly bus: MemoryFaults
  /** What the bus is like when the faults are over: what is true stands in the store, so it need not come back. */
  readonly busInCalm: 'well' | 'as-before' | 'away'
  readonly link: LinkPlan
  /** How long replaced records can still be read. Above the patience of the link. */
  readonly graceMs: number
  /** The database is put back to an earlier state now and then. */
  readonly goesBack: boolean
  /** The share of pages that go to another node after each acknowledged edit. */
  readonly hopShare: number
  /** Documents begin with something, which each node would plant. */
  readonly hasSeeds: boolean
  /** Documents are deleted while people work, and begun anew. */
  readonly deletesAmid: boolean
  /** How long one node may compact a document, and how soon another asks whether it may. */
  readonly compaction: Pick<Plan['limits'], 'compactionLeaseMs' | 'compactionLookMs'>
}

const patienceMs = 6_000

export function drawFleetPlan(chance: Chance, nodes: number): FleetPlan {
  const isQuiet = chance.hits(0.3)
  return {
    nodes,
    lanes: chance.pick([1, 2, 4]),
    bus: isQuiet
      ? { loss: 0, repetition: 0, delayMinMs: 0, delayMaxMs: 2 }
      : {
          loss: chance.pick([0, 0.05, 0.3, 0.8]),
          repetition: chance.pick([0, 0.2]),
          delayMinMs: 0,
          delayMaxMs: chance.scaled(0.5, 20_000)
        },
    busInCalm: chance.pick(['well', 'well', 'as-before', 'away']),
    link: {
      delayMs: chance.scaled(0.1, 15),
      loss: isQuiet ? 0 : chance.pick([0, 0.002, 0.02]),
      slowness: isQuiet ? 0 : chance.pick([0, 0.02, 0.1]),
      slowMs: chance.scaled(50, 2_000),
      statementMs: 1_500,
      patienceMs
    },
    graceMs: chance.scaled(1.5 * patienceMs, 60_000),
    goesBack: chance.hits(0.25),
    hopShare: chance.pick([0, 0.3, 1]),
    hasSeeds: chance.hits(0.3),
    compaction: {
      compactionLeaseMs: Math.floor(chance.scaled(1_000, 60_000)),
      compactionLookMs: chance.scaled(100, 15_000)
    },
    deletesAmid: chance.hits(0.4)
  }
}

/** After the store went back, a page may be sent what hangs on something that is on its way back. */
export function asPlanOf({ goesBack, compaction }: FleetPlan, plan: Plan): Plan {
  const limits = { ...plan.limits, ...compaction }
  return goesBack ? { ...plan, limits, order: 'gaps' } : { ...plan, limits }
}
