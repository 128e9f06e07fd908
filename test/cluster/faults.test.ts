/**
 * Three nodes as processes, on a real PostgreSQL and a real broker, with people of both dialects who type through one fault
 * after another: nothing that was acknowledged or seen is lost, nothing doubled or out of order, all are equal in the end,
 * and what is shown is in the log. `npm run faults` has longer faults, all of them with each broker, and more rounds.
 */
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { type BrokerName, brokers, type Cluster, startCluster } from '../support/cluster.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { brokerFaults, databaseFaults, linkFaults, nodeFaults } from './fault-list.ts'
import { livesFault } from './lives.ts'
import { type Fault, type Figures, runRound } from './round.ts'
import { backupFaults, failoverFaults } from './store-goes-back.ts'

const { CHORUS_FAULTS = '', CHORUS_FAULT = '', CHORUS_BROKER = '', CHORUS_ROUNDS = '1' } = process.env
const isAll = CHORUS_FAULTS === 'all' || process.env.CHORUS_LONG === '1'

/** So that there are compactions while all this goes on. */
const soonCompacted = [
  '--limit',
  'compactionBytesMin=2000',
  '--limit',
  'compactionLookMs=100',
  '--limit',
  'compactionRecordsAtClose=10'
]

/** Most of those of links, by chance, are left to `npm run faults`, and so is most of what other brokers can suffer. */
const someLinkFaults = 3
const random = randomOf(seed)
const links = isAll ? linkFaults : pick(linkFaults, someLinkFaults)
const failovers = isAll ? failoverFaults : pick(failoverFaults, 1)
const all = [
  ...nodeFaults,
  livesFault,
  ...brokerFaults,
  ...databaseFaults,
  ...failovers,
  ...backupFaults,
  ...links
]
const plan: readonly (readonly [BrokerName, readonly Fault[]])[] = [
  ['redis', all],
  ['nats', isAll ? all : brokerFaults.slice(0, 1)],
  ['rabbitmq', isAll ? all : brokerFaults.slice(0, 1)]
]

/** Words of names, with | between them. */
const isWanted = ({ name }: Fault) => CHORUS_FAULT.split('|').some(words => name.includes(words))

const chosen = plan
  .filter(([broker]) => broker.includes(CHORUS_BROKER))
  .map(([broker, faults]) => [broker, faults.filter(isWanted)] as const)

describe.each(chosen)(`three nodes with %s (SEED=${seed})`, (broker, faults) => {
  const isMissing = postgresMissing !== null || brokers[broker].path === null
  describe.skipIf(isMissing || faults.length === 0)('', () => {
    let cluster: Cluster
    const figures = new Map<string, Figures[]>()
    beforeAll(async () => {
      cluster = await startCluster({ broker, args: soonCompacted })
    })
    afterEach(async context => {
      if (context.task.result?.state === 'fail') console.log(lastWordsOf(cluster))
    })
    afterAll(async () => {
      console.log(tableOf(broker, figures))
      await cluster?.stop()
    })

    test.each(faults)('$name', { timeout: 300_000 + Number(CHORUS_ROUNDS) * 120_000 }, async fault => {
      for (let i = 0; i < Number(CHORUS_ROUNDS); i++) {
        await cluster.mend()
        const result = await runRound(cluster, fault, random)
        figures.set(fault.name, [...(figures.get(fault.name) ?? []), result])
      }
    })
  })
})

function pick<T>(all: readonly T[], count: number): T[] {
  const left = [...all]
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)).flat()
}

function tableOf(broker: string, figures: ReadonlyMap<string, readonly Figures[]>): string {
  const ms = (value: number) => `${Math.round(value)} ms`
  const rows = [...figures].flatMap(([name, results]) =>
    results.map(({ words, typingMs, crossingMs, presenceMs }) => {
      const [half, last] = typingMs.map(ms)
      return `  ${name}: ${words} words; acknowledged again ${half} (half), ${last} (all) after the strike; seen by all ${ms(crossingMs)}, presence right ${ms(presenceMs)} after the end`
    })
  )
  return [`${broker}, SEED=${seed}`, ...rows].join('\n')
}

function lastWordsOf({ nodes }: Cluster): string {
  return nodes.map(node => `${node.name}:\n${node.log().split('\n').slice(-25).join('\n')}`).join('\n')
}
