/**
 * Faults after which the store has less than it had: a failover to a standby that was behind, and backups put back under
 * running nodes. What open clients hold comes back; the rest is as in the store.
 */
import { untilAsync } from '../support/clients.ts'
import { type Cluster, untilReady } from '../support/cluster.ts'
import { startLink } from '../support/link.ts'
import type { Postgres } from '../support/services/postgres.ts'
import type { Fault, Round } from './round.ts'

const allReady = ({ nodes }: Cluster) => Promise.all(nodes.map(node => untilReady(node.url())))

export const failoverFaults: readonly Fault[] = [
  {
    name: 'failover to a standby that was behind',
    isLossOfStore: true,
    run: async (cluster, round) => failOver(cluster, round, 'promoted first')
  },
  {
    // As where an address moves before the standby is a primary: for a while nodes can read there, and not write.
    name: 'failover to a standby that was behind, which nodes find before it is promoted',
    isLossOfStore: true,
    run: async (cluster, round) => failOver(cluster, round, 'found first')
  }
]

export const backupFaults: readonly Fault[] = [
  {
    name: 'a backup of files is put back under running nodes',
    isLossOfStore: true,
    run: async (cluster, { kept, struck, crossed }) => {
      const { postgres } = cluster
      kept()
      await postgres.kill()
      postgres.keepCopy()
      await postgres.start()
      await crossed()
      await postgres.kill()
      struck()
      postgres.putCopyBack()
      await postgres.start()
      await allReady(cluster)
    }
  },
  {
    // The database goes on running, and so do the nodes' connections to it.
    name: 'a dump is put back under running nodes',
    isLossOfStore: true,
    run: async (cluster, { kept, struck, crossed }) => {
      const { postgres, schema } = cluster
      kept()
      const dump = await postgres.dump(schema)
      await crossed()
      struck()
      await untilAsync(() => isRestored(postgres, schema, dump), 'the dump to be put back')
      await allReady(cluster)
    }
  }
]

/** It takes the locks of all tables, one after the other: when a statement of a node has one, either may be chosen to fail. */
async function isRestored(postgres: Postgres, schema: string, dump: string): Promise<boolean> {
  try {
    await postgres.query(`DROP SCHEMA ${schema} CASCADE;\n${dump}`)
    return true
  } catch (error) {
    if (/deadlock detected/.test(String(error))) return false
    throw error
  }
}

async function failOver(
  cluster: Cluster,
  { kept, struck, crossed }: Round,
  order: 'promoted first' | 'found first'
): Promise<void> {
  const primary = cluster.postgres
  const replication = await startLink(() => [primary.port])
  const standby = await primary.startStandby(replication.port)
  try {
    kept()
    const keptAt = await primary.query('SELECT pg_current_wal_flush_lsn()')
    const has = async (lsn: string) =>
      (await standby.query(`SELECT coalesce(pg_last_wal_replay_lsn() >= '${lsn}', false)`)) === 't'
    await untilAsync(() => has(keptAt), 'the standby to have what is to be kept')
    replication.stall('down')
    await crossed()
    const lastAt = await primary.query('SELECT pg_current_wal_flush_lsn()')
    await primary.kill()
    struck()
    replication.close()
    if (await has(lastAt)) throw new Error('the standby was not behind')
    const promote = () => standby.query('SELECT pg_promote()')
    if (order === 'promoted first') await promote()
    await cluster.moveTo(standby)
    if (order === 'found first') {
      await untilAsync(() => isReadByNodes(standby), 'nodes to find the standby')
      await promote()
    }
  } catch (error) {
    replication.close()
    if (cluster.postgres !== standby) await standby.stop()
    throw error
  }
  await allReady(cluster)
}

/** Nodes have connections of their own to it. */
async function isReadByNodes(standby: Postgres): Promise<boolean> {
  const count = await standby.query(
    `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`
  )
  return Number(count) > 0
}
