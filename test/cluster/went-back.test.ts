/** A database that is put back to an earlier state under running nodes: what clients hold comes back, nobody is told of a deletion. */
import { describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { barrier, until } from '../support/clients.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { client, joined, type Node, postgresFor, startNodes, type, words } from './checkpoint-nodes.ts'

/** Long enough for the database to come up again, and heads are asked for often. */
const limits = { headsPollMs: 300, headsPollAwayMs: 300 }

describe.skipIf(postgresMissing !== null)('PostgreSQL is put back under running nodes', () => {
  const database = postgresFor('went_back')

  const start = () => startNodes(database.address, createMemoryBroker(), [{ limits }, { limits }])
  const keepCopy = async () => {
    await database.postgres.kill()
    database.postgres.keepCopy()
    await database.postgres.start()
  }
  const putCopyBack = async () => {
    await database.postgres.kill()
    database.postgres.putCopyBack()
    await database.postgres.start()
  }

  /** A client on each node, who writes a word; resolves when both have both. */
  const writeOneEach = async (nodes: readonly Node[]) => {
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))
    for (const [i, each] of clients.entries()) type(each, `word${i} `)
    await Promise.all(clients.map(barrier))
    await until(() => clients.every(each => words(each).length === 2), 'everybody to have both words')
    return clients
  }
  const closedToComeBack = async (clients: Awaited<ReturnType<typeof writeOneEach>>) => {
    await until(() => clients.every(({ codes }) => codes.length > 0), 'everybody to be closed')
    expect(clients.flatMap(({ codes }) => codes).filter(code => code >= 4000)).toEqual([])
  }

  test('to before a document began: its clients bring it back', async () => {
    const nodes = await start()
    await keepCopy()
    const clients = await writeOneEach(nodes)

    await putCopyBack()

    await closedToComeBack(clients)
    const reader = client(nodes[1], 'x')
    await until(() => words(reader).length === 2, 'what the clients held to be there')
    expect(words(reader).sort()).toEqual(['word0', 'word1'])
  })

  test('to an earlier life of a document: its clients bring back the later one', async () => {
    const nodes = await start()
    const early = await joined(nodes[0], 'x')
    type(early, 'early ')
    await barrier(early)
    early.destroy()
    await keepCopy()
    await nodes[0]?.server.delete('x', { copies: 'welcome' })
    const clients = await writeOneEach(nodes)

    await putCopyBack()

    await closedToComeBack(clients)
    const reader = client(nodes[1], 'x')
    // The life that was deleted is there again: that is what the backup holds.
    await until(() => words(reader).length === 3, 'what the clients held to be there')
    expect(words(reader).sort()).toEqual(['early', 'word0', 'word1'])
  })
})
