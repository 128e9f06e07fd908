/** Several servers on one PostgreSQL: a document that is deleted on one is gone on all, and stays so. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryBroker } from '../../bus/index.ts'
import { barrier, until } from '../support/clients.ts'
import { postgresMissing } from '../support/services/postgres.ts'
import { client, joined, postgresFor, startNodes, text, type, words } from './checkpoint-nodes.ts'

/** What is told is told over the bus, or these tests wait for ever. */
const limits = { headsPollMs: 3_600_000 }

describe.skipIf(postgresMissing !== null)('deletions on several nodes on PostgreSQL', () => {
  const database = postgresFor('deletions')

  const start = () => startNodes(database.address, createMemoryBroker(), [{ limits }, { limits }, { limits }])

  test('the members of every node are told that the document was deleted, and old copies are known everywhere', async () => {
    const nodes = await start()
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))
    for (const [i, each] of clients.entries()) {
      type(each, `word${i} `)
      await barrier(each)
    }

    expect(await nodes[0]?.server.delete('x')).toBe(true)

    await until(() => clients.every(({ codes }) => codes.length > 0), 'everybody to be closed')
    expect(clients.map(({ codes }) => codes[0])).toEqual([4404, 4404, 4404])
    // Of each node's author, on a node that has not deleted it.
    for (const each of clients) {
      const copy = new Y.Doc()
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(each.doc))
      const returning = client(nodes[2], 'x', { doc: copy })
      await until(() => returning.codes.length > 0, 'the old copy to be refused')
      expect(returning.codes[0]).toBe(4410)
    }
    expect(text(await joined(nodes[1], 'x'))).toBe('')
  })

  test('what another node wrote and this one has not shown yet is known as an old copy too', async () => {
    const broker = createMemoryBroker()
    const [one, two] = await startNodes(database.address, broker, [{ limits }, { limits }])
    const ada = await joined(one, 'x')
    type(ada, 'a ')
    await barrier(ada)
    broker.setFaults({ loss: 1 })
    const ben = await joined(two, 'x')
    type(ben, 'b ')
    await barrier(ben)
    const copy = new Y.Doc()
    Y.applyUpdate(copy, onlyOf(ben.doc))

    await one?.server.delete('x')

    const returning = client(one, 'x', { doc: copy })
    await until(() => returning.codes.length > 0, 'the old copy to be refused')
    expect(returning.codes[0]).toBe(4410)
  })

  test('of two nodes that delete a document at once one has done it, and what it left stays', async () => {
    const nodes = await start()
    const clients = await Promise.all(nodes.map(node => joined(node, 'x')))
    for (const [i, each] of clients.entries()) type(each, `word${i} `)
    await Promise.all(clients.map(barrier))

    const deleted = await Promise.all(nodes.map(({ server }) => server.delete('x')))

    expect(deleted.filter(isDeleted => isDeleted).length).toBe(1)
    for (const each of clients) {
      const copy = new Y.Doc()
      Y.applyUpdate(copy, Y.encodeStateAsUpdate(each.doc))
      const returning = client(nodes[1], 'x', { doc: copy })
      await until(() => returning.codes.length > 0, 'the old copy to be refused')
      expect(returning.codes[0]).toBe(4410)
    }
  })

  test('a document that is deleted and begun again elsewhere while it is being deleted keeps its new life', async () => {
    const [one, two] = await start()
    const old = await joined(one, 'x')
    type(old, 'old ')
    await barrier(old)
    const remove = one?.store.delete.bind(one.store)
    const begun: Awaited<ReturnType<typeof joined>>[] = []
    Object.assign(one?.store ?? {}, {
      delete: async (...call: Parameters<NonNullable<typeof remove>>) => {
        expect(await two?.server.delete('x')).toBe(true)
        const fresh = await joined(two, 'x')
        type(fresh, 'new ')
        await barrier(fresh)
        begun.push(fresh)
        return remove?.(...call)
      }
    })

    expect(await one?.server.delete('x'), 'that life was deleted already').toBe(false)

    expect(words(await joined(one, 'x'))).toEqual(['new'])
    expect(begun.map(({ codes }) => codes)).toEqual([[]])
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(old.doc))
    const returning = client(one, 'x', { doc: copy })
    await until(() => returning.codes.length > 0, 'the old copy to be refused')
    expect(returning.codes[0]).toBe(4410)
  })

  test('a document that is deleted while others write, and begun again at once elsewhere, has the new life alone', async () => {
    const nodes = await start()
    const [one, two, three] = nodes
    for (let round = 0; round < 5; round++) {
      const writers = await Promise.all([one, two, three].map(node => joined(node, 'x')))
      for (const [i, each] of writers.entries()) type(each, `old${round}-${i} `)
      await Promise.all(writers.map(barrier))

      const deleting = one?.server.delete('x')
      for (const [i, each] of writers.entries()) type(each, `late${round}-${i} `)
      await deleting
      const fresh = await joined(two, 'x')
      type(fresh, `new${round} `)
      await barrier(fresh)
      await until(() => words(fresh).length === 1, 'the new life')

      await until(() => writers.every(({ codes }) => codes.includes(4404)), 'the writers to be told')
      const reader = await joined(three, 'x')
      expect(words(reader), 'what is there').toEqual([`new${round}`])
      // A node that learns of the deletion a moment later sends newcomers away, who come back by themselves.
      expect(fresh.codes.filter(code => code !== 1012)).toEqual([])
      for (const each of [...writers, fresh, reader]) each.destroy()
      await three?.server.delete('x', { copies: 'welcome' })
    }
  })
})

/** The update without what others wrote: it hangs on nothing. */
function onlyOf(doc: Y.Doc): Uint8Array {
  const own = new Y.Doc()
  own.clientID = doc.clientID
  own.getText('t').insert(0, 'b ')
  return Y.encodeStateAsUpdate(own)
}
