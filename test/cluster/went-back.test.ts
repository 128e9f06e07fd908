/** A database that is put back to an earlier state under running nodes: what clients hold comes back, nobody is told of a deletion. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { barrier, until } from '../support/clients.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'
import { client, joined, startNodes, type, words } from './checkpoint-nodes.ts'

/** Long enough for the database to come up again, and heads are asked for often. */
const limits = { headsPollMs: 300, headsPollAwayMs: 300 }

describe.skipIf(postgresMissing !== null)('PostgreSQL is put back under running nodes', () => {
  let postgres: Postgres
  let address = ''
  let made = 0
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())
  beforeEach(() => {
    address = postgres.url(`went_back_${++made}`)
  })

  const start = () => startNodes(address, createMemoryBroker(), [{ limits }, { limits }])
  const keepCopy = async () => {
    await postgres.kill()
    postgres.keepCopy()
    await postgres.start()
  }
  const putCopyBack = async () => {
    await postgres.kill()
    postgres.putCopyBack()
    await postgres.start()
  }

  test('to before a document began: its clients bring it back', async () => {
    const nodes = await start()
    await keepCopy()
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))
    for (const [i, each] of clients.entries()) type(each, `word${i} `)
    await Promise.all(clients.map(barrier))
    await until(() => clients.every(each => words(each).length === 2), 'everybody to have both words')

    await putCopyBack()

    await until(() => clients.every(({ codes }) => codes.length > 0), 'everybody to be closed')
    expect(clients.flatMap(({ codes }) => codes).filter(code => code >= 4000)).toEqual([])
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
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))
    for (const [i, each] of clients.entries()) type(each, `word${i} `)
    await Promise.all(clients.map(barrier))
    await until(() => clients.every(each => words(each).length === 2), 'everybody to have both words')

    await putCopyBack()

    await until(() => clients.every(({ codes }) => codes.length > 0), 'everybody to be closed')
    expect(clients.flatMap(({ codes }) => codes).filter(code => code >= 4000)).toEqual([])
    const reader = client(nodes[1], 'x')
    // The life that was deleted is there again: that is what the backup holds.
    await until(() => words(reader).length === 3, 'what the clients held to be there')
    expect(words(reader).sort()).toEqual(['early', 'word0', 'word1'])
  })
})
