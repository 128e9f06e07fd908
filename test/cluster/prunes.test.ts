/** A prune of a document that several nodes have open: whichever compacts it, nothing of it can be read any more. */
import { describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { hashedName } from '../../src/base/hashed-name.ts'
import { barrier, until, untilAsync } from '../support/clients.ts'
import { holdsSecret, secret } from '../support/secret.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { joined, postgresFor, startNodes, text } from './checkpoint-nodes.ts'

const settings = {
  limits: { compactionBytesMin: 1e12, compactionRecordsAtClose: 1e9 },
  history: [{ documents: '**' }]
}

describe.skipIf(postgresMissing !== null)('prunes of several nodes on PostgreSQL', () => {
  const database = postgresFor('prunes')

  test('a node prunes what another has in its log, once nobody else has the lease', async () => {
    const nodes = await startNodes(database.address, createMemoryBroker(), [settings, settings])
    const [one, two] = nodes
    const ada = await joined(one, 'x')
    const ben = await joined(two, 'x')
    for (const word of ['one ', secret, 'two']) {
      ada.doc.getText('t').insert(text(ada).length, word)
      await barrier(ada)
    }
    await until(() => text(ben).endsWith('two'), 'all of it at the other node')
    ben.doc.getText('t').delete(4, secret.length)
    await barrier(ben)
    await until(() => text(ada) === 'one two', 'the deletion')
    const lease = `compaction/${hashedName('x')}`
    await one?.store.lease(lease, 'another node', 300)

    const pruned = await two?.server.history('x').prune({ timeMs: Date.now() + 60_000 })

    expect(pruned?.beginsAt.sequence).toBeGreaterThan(3)
    for (const { store, server } of nodes) {
      const loaded = await store.load('x')
      const stored = [...(loaded.checkpoint?.segments ?? []), ...loaded.records.map(({ record }) => record)]
      expect(stored.some(bytes => Buffer.from(bytes).includes(secret))).toBe(false)
      const before = server.history('x').at({ sequence: 2 })
      await expect(before).rejects.toMatchObject({ code: 'ERR_NO_MOMENT' })
      expect(
        await server.history('x').contents({ timeMs: Date.now() + 60_000 }, { types: { t: 'text' } })
      ).toEqual({
        t: [{ insert: 'one two' }]
      })
    }
    // And both go on.
    ada.doc.getText('t').insert(7, ' three')
    await until(() => text(ben) === 'one two three', 'what comes after it')
  })

  test('prunes at two nodes at once come to the same', async () => {
    const nodes = await startNodes(database.address, createMemoryBroker(), [settings, settings])
    const ada = await joined(nodes[0], 'x')
    for (const word of ['one ', secret, 'two']) {
      ada.doc.getText('t').insert(text(ada).length, word)
      await barrier(ada)
    }
    ada.doc.getText('t').delete(4, secret.length)
    await barrier(ada)

    const pruned = await Promise.all(
      nodes.map(({ server }) => server.history('x').prune({ timeMs: Date.now() + 60_000 }))
    )

    expect(pruned[0]?.beginsAt).toEqual(pruned[1]?.beginsAt)
    const { versions, holes, head } = await (nodes[0] as (typeof nodes)[0]).server.history('x').extent()
    expect({ versions, holes, head }).toEqual({ versions: [], holes: [], head: pruned[0]?.beginsAt.sequence })
  })

  test('what was pruned leaves the tables when the others have had time to catch up', async () => {
    const store = { graceMs: 1_200, collectEveryMs: 100, patienceMs: 1_000 }
    const [node] = await startNodes(database.address, createMemoryBroker(), [{ ...settings, store }])
    const ada = await joined(node, 'x')
    for (const word of ['one ', secret, 'two']) {
      ada.doc.getText('t').insert(text(ada).length, word)
      await barrier(ada)
    }
    ada.doc.getText('t').delete(4, secret.length)
    await barrier(ada)
    expect(await placesIn()).toBeGreaterThan(0)

    await node?.server.history('x').prune({ timeMs: Date.now() + 60_000 })

    await untilAsync(async () => (await placesIn()) === 0, 'no row with the secret')
  })

  /** How many values of all tables hold the secret. */
  async function placesIn(): Promise<number> {
    const schema = new URL(database.address).searchParams.get('schema')
    const columns = await rowsOf(
      `SELECT format('%I.%I', table_schema, table_name) || ' ' || column_name FROM information_schema.columns
       WHERE data_type = 'bytea' AND table_schema = '${schema}'`
    )
    let places = 0
    for (const each of columns) {
      const [table, column] = each.split(' ')
      const values = await rowsOf(`SELECT encode(${column}, 'hex') FROM ${table}`)
      places += values.filter(value => holdsSecret(Buffer.from(value, 'hex'))).length
    }
    return places
  }

  async function rowsOf(sql: string): Promise<string[]> {
    return (await database.postgres.query(sql)).split('\n').filter(line => line !== '')
  }
})
