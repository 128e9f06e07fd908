/** What can go wrong with a cluster, and how a test makes it so. Each leaves everything running. */
import type { Cluster, ClusterNode } from '../support/cluster.ts'
import { untilReady, untilStatus } from '../support/cluster.ts'
import type { Direction, Link } from '../support/link.ts'
import type { Fault } from './round.ts'

const hourMs = 3_600_000
const isLong = process.env.CHORUS_LONG === '1'

/** How long something stands still. `npm run faults` has more time. */
const stillMs = isLong
  ? { node: 20_000, database: 5_000, link: 12_000, brokerAway: 30_000 }
  : { node: 3_000, database: 3_000, link: 2_000, brokerAway: 0 }

const aNode = ({ nodes }: Cluster, random: () => number) =>
  nodes[Math.floor(random() * nodes.length)] as ClusterNode

const allReady = ({ nodes }: Cluster) => Promise.all(nodes.map(node => untilReady(node.url())))

/** One link of the first node: nothing passes for a while, then it goes on, or breaks with what was on its way. */
function linkFault(
  which: 'toDatabase' | 'toBroker',
  direction: Direction | 'both',
  end: 'flows' | 'breaks'
): Fault {
  const [from, to] = which === 'toDatabase' ? ['database', 'PostgreSQL'] : ['broker', 'the broker']
  const way = { up: `to ${to}`, down: `from ${to}`, both: `to and from ${to}` }[direction]
  return {
    name: `the link ${way} stands still and then ${end} (${from})`,
    run: async (cluster, { struck }) => {
      const link: Link = cluster[which]
      for (const each of direction === 'both' ? (['up', 'down'] as const) : [direction]) link.stall(each)
      await pause(stillMs.link / 2)
      struck()
      await pause(stillMs.link / 2)
      if (end === 'breaks') link.cut()
      link.flow()
      await allReady(cluster)
    }
  }
}

function cutFault(which: 'toDatabase' | 'toBroker', name: string): Fault {
  return {
    name,
    run: async (cluster, { struck, random }) => {
      for (let i = 0; i < 5; i++) {
        cluster[which].cut()
        if (i === 2) struck()
        await pause(random() * 400)
      }
      await allReady(cluster)
    }
  }
}

export const nodeFaults: readonly Fault[] = [
  {
    name: 'SIGKILL of a node',
    run: async (cluster, round) => {
      const node = aNode(cluster, round.random)
      await node.kill()
      round.struck()
      await round.crossed()
      await node.start()
      await untilReady(node.url())
    }
  },
  {
    // What it was given meanwhile is in no log, and must not have been shown or acknowledged.
    name: 'SIGKILL of a node while PostgreSQL stands still',
    run: async (cluster, { struck, random }) => {
      const node = aNode(cluster, random)
      cluster.postgres.signal('SIGSTOP')
      await pause(500)
      await node.kill()
      struck()
      cluster.postgres.signal('SIGCONT')
      await node.start()
      await allReady(cluster)
    }
  },
  {
    name: 'SIGSTOP of a node, and SIGCONT',
    run: async (cluster, round) => {
      const node = aNode(cluster, round.random)
      node.signal('SIGSTOP')
      await pause(stillMs.node / 2)
      round.struck()
      await pause(stillMs.node / 2)
      node.signal('SIGCONT')
      await allReady(cluster)
    }
  },
  {
    name: 'a rolling restart',
    run: async (cluster, round) => {
      for (const [i, node] of cluster.nodes.entries()) {
        const code = await node.terminate()
        if (code !== 0) throw new Error(`${node.name} ended with ${code} on SIGTERM`)
        if (i === 0) round.struck()
        await node.start()
        await untilReady(node.url())
      }
    }
  },
  {
    name: 'the wall clock of a node jumps an hour ahead, and then two hours back',
    run: async (cluster, round) => {
      const at = Math.floor(round.random() * cluster.nodes.length)
      const node = cluster.nodes[at] as ClusterNode
      for (const [i, aheadMs] of [hourMs, -hourMs].entries()) {
        await node.setClock(aheadMs)
        if (i === 0) round.struck()
        await visit(cluster, at)
        await round.crossed()
      }
      const tooLong = `SELECT count(*) FROM ${cluster.schema}.leases WHERE until > clock_timestamp() + interval '5 minutes'`
      if ((await cluster.postgres.query(tooLong)) !== '0') throw new Error('a lease that is held too long')
      await node.setClock(0)
      await allReady(cluster)
    }
  }
]

/** Clients of the node come to it anew; those of the one before it come to it and go back. */
async function visit({ nodes, doors }: Cluster, at: number): Promise<void> {
  doors[at]?.cut()
  const before = (at + nodes.length - 1) % nodes.length
  const neighbour = nodes[before] as ClusterNode
  await neighbour.terminate()
  await neighbour.start()
  await untilReady(neighbour.url())
  doors[before]?.cut()
}

export const brokerFaults: readonly Fault[] = [
  {
    name: 'SIGKILL of the broker, which comes back empty',
    run: async (cluster, { struck }) => {
      await cluster.broker.kill()
      struck()
      await cluster.broker.restart()
      await allReady(cluster)
    }
  },
  {
    name: 'the broker away: edits cross through the store',
    run: async (cluster, { struck, crossed }) => {
      await cluster.broker.kill()
      struck()
      await Promise.all(cluster.nodes.map(node => untilStatus(node.url(), 'degraded')))
      const startMs = performance.now()
      await crossed()
      console.log(
        `without a broker: all see new words of all after ${Math.round(performance.now() - startMs)} ms`
      )
      await pause(stillMs.brokerAway)
      await cluster.broker.restart()
      await allReady(cluster)
    }
  }
]

export const databaseFaults: readonly Fault[] = [
  {
    name: 'SIGKILL of PostgreSQL with all its processes',
    run: async (cluster, { struck }) => {
      await cluster.postgres.kill()
      struck()
      await cluster.postgres.start()
      await allReady(cluster)
    }
  },
  {
    name: 'PostgreSQL stands still',
    run: async (cluster, { struck }) => {
      cluster.postgres.signal('SIGSTOP')
      struck()
      await pause(stillMs.database)
      cluster.postgres.signal('SIGCONT')
      await allReady(cluster)
    }
  }
]

export const linkFaults: readonly Fault[] = [
  cutFault('toDatabase', 'the link to PostgreSQL is cut again and again'),
  linkFault('toDatabase', 'up', 'flows'),
  linkFault('toDatabase', 'down', 'flows'),
  { ...linkFault('toDatabase', 'down', 'breaks'), name: 'replies of PostgreSQL are lost' },
  cutFault('toBroker', 'the link to the broker is cut again and again'),
  linkFault('toBroker', 'up', 'flows'),
  linkFault('toBroker', 'down', 'flows'),
  linkFault('toBroker', 'both', 'breaks')
]

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
