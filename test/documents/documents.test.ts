/** Documents from the embedding application: read, apply, change, list and delete, beside clients that type. */
import { join as joinPath } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { Fault } from '../../src/base/errors.ts'
import { createServer, type Server } from '../../src/server.ts'
import { barrier, type Client, connect, converged, synced, until, untilAsync } from '../support/clients.ts'
import { diskStore, holdAppends } from '../support/disk.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { randomOf } from '../support/random.ts'
import { openRaw, updateFrame } from '../support/raw.ts'
import { seed } from '../support/seed.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

console.log(`test/documents/documents.test.ts: SEED=${seed}`)

describe('read', () => {
  test('gives the document as one update, and null for one that was never written', async () => {
    const server = await startServer({ data: joinPath(temporaryDirectory(), 'd') })
    const client = join(server.url)
    await synced(client)
    client.doc.getText('t').insert(0, 'hello')
    client.doc.getMap('m').set('answer', 42)
    await barrier(client)

    const doc = new Y.Doc()
    Y.applyUpdate(doc, (await server.read('room')) ?? new Uint8Array())

    expect(doc.getText('t').toString()).toBe('hello')
    expect(doc.getMap('m').toJSON()).toEqual({ answer: 42 })
    expect(await server.read('another')).toBeNull()
  })

  test('gives an empty update, not null, for a document that its users have emptied', async () => {
    const server = await startServer()
    await server.apply('room', textUpdate('x'))
    await server.change('room', doc => doc.getText('t').delete(0, 1))

    expect(textOf(await server.read('room'))).toBe('')
  })

  test('with a state vector it gives what is missing there', async () => {
    const server = await startServer()
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'x'.repeat(10_000))
    await server.apply('room', Y.encodeStateAsUpdate(doc))
    await server.change('room', other => other.getText('t').insert(0, 'new '))

    const missing = await server.read('room', { stateVector: Y.encodeStateVector(doc) })
    Y.applyUpdate(doc, missing ?? new Uint8Array())

    expect(doc.getText('t').toString().slice(0, 6)).toBe('new xx')
    expect(missing?.length).toBeLessThan(100)
    await expect(server.read('room', { stateVector: Uint8Array.of(9) })).rejects.toMatchObject({
      code: 'ERR_BAD_MESSAGE'
    })
  })

  test('opens no room, and does not load', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'stored')
    await storeDocument(store, 'room', doc)
    let loads = 0
    const server = await startServer({
      store,
      load: () => {
        loads++
        return null
      }
    })

    expect(textOf(await server.read('room'))).toBe('stored')
    expect(await server.read('new')).toBeNull()
    expect(await server.metrics()).toContain('\nchorus_rooms 0\n')
    expect(loads).toBe(0)
  })

  test('never shows what is not durable, even when the room has it', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    await server.apply('room', textUpdate('durable'))
    const gate = holdAppends(store)
    const client = join(server.url)
    await synced(client)
    client.doc.getText('t').insert(0, 'not yet ')
    await until(() => gate.waiting() === 1, 'the append')

    const before = textOf(await server.read('room'))
    gate.open()
    await barrier(client)

    expect(before).toBe('durable')
    expect(textOf(await server.read('room'))).toBe('not yet durable')
  })

  test('gives checkpoint and log together, whatever the layout of the checkpoint', async () => {
    for (const limits of [
      {},
      { wholeFrameBytesMax: 10_000 },
      { wholeFrameBytesMax: 10, heldBackBytesMax: 20 }
    ]) {
      const store = createMemoryStore()
      const doc = new Y.Doc()
      for (let i = 0; i < 50; i++) doc.getText('t').insert(0, `${'x'.repeat(20_000)} ${i} `)
      await storeDocument(store, 'room', doc)
      await compacted(store, 'room')
      const server = await startServer({ store, limits })
      await server.change('room', other => other.getText('t').insert(0, 'since '))

      const text = textOf(await server.read('room'))

      expect(text).toBe(`since ${doc.getText('t').toString()}`)
    }
  })

  test('a large document is put together off the event loop, while clients type', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    doc.transact(() => {
      for (let i = 0; i < 60_000; i++) doc.getArray('a').insert(0, [`item number ${i} of a large document`])
    })
    await storeDocument(store, 'room', doc)
    const server = await startServer({ store })
    const typing = join(server.url)
    await synced(typing)
    let isReading = true
    let typed = 0
    const type = async () => {
      while (isReading) {
        typing.doc.getText('t').insert(0, '.')
        typed++
        await barrier(typing)
      }
    }
    const typist = type()

    const read = await server.read('room')
    isReading = false
    await typist

    const copy = new Y.Doc()
    Y.applyUpdate(copy, read ?? new Uint8Array())
    expect(copy.getArray('a').length).toBe(60_000)
    expect(copy.getText('t').length).toBeLessThanOrEqual(typed)
    expect(typed).toBeGreaterThan(1)
  })

  test(`at any moment it holds all that was acknowledged before, and is a state that was (SEED=${seed})`, async () => {
    const random = randomOf(seed)
    const server = await startServer({
      data: joinPath(temporaryDirectory(), 'd'),
      limits: { compactionBytesMin: 2_000, compactionRatio: 0.1 }
    })
    const clients = [join(server.url), join(server.url)]
    await Promise.all(clients.map(synced))
    for (let i = 0; i < 150; i++) {
      const [client, map] = pickClient(clients, random)
      map.set(`key ${Math.floor(random() * 20)}`, `${i} ${'x'.repeat(random() * 300)}`)
      if (random() < 0.3) {
        await barrier(client)
        const acknowledged = Y.encodeStateVector(client.doc)
        const copy = new Y.Doc()
        Y.applyUpdate(copy, (await server.read('room')) ?? new Uint8Array())
        const own = Y.decodeStateVector(acknowledged).get(client.doc.clientID) ?? 0
        const read = Y.decodeStateVector(Y.encodeStateVector(copy)).get(client.doc.clientID) ?? 0
        expect(read).toBe(own)
        expect(copy.store.pendingStructs).toBeNull()
      }
    }
    const state = await converged(clients)
    await Promise.all(clients.map(barrier))

    expect(mapOf(await server.read('room'))).toEqual(mapOf(state))
  })

  test('more calls than may wait are refused, and the others are answered', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store, limits: { readsMax: 1, readsWaitingMax: 2 } })
    await server.apply('room', textUpdate('x'))

    const results = await Promise.allSettled(Array.from({ length: 5 }, () => server.read('room')))

    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected'
    ])
    expect(results[4]).toMatchObject({ reason: { code: 'ERR_OVERLOADED' } })
    expect(textOf(await server.read('room'))).toBe('x')
  })

  test('what a store throws is ERR_STORE with its cause', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    await store.close()

    await expect(server.read('room')).rejects.toMatchObject({
      code: 'ERR_STORE',
      cause: { code: 'STORE_CLOSED' }
    })
    await expect(server.documents()).rejects.toMatchObject({ code: 'ERR_STORE' })
  })
})

describe('apply', () => {
  test('reaches every client, is durable when it resolves, and no member is its author', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    const clients = [join(server.url), join(server.url)]
    await Promise.all(clients.map(synced))

    await server.apply('room', textUpdate('from the server'))
    const durable = textOf(await server.read('room'))
    await until(() => clients.every(({ doc }) => doc.getText('t').length > 0), 'the update to arrive')

    expect(durable).toBe('from the server')
    expect(clients.map(({ doc }) => doc.getText('t').toString())).toEqual(Array(2).fill('from the server'))
  })

  test('resolves only when the write is durable, also for what repeats an update under way', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    await server.apply('room', textUpdate('first'))
    const gate = holdAppends(store)
    const update = textUpdate('second')
    let resolved = 0
    const applying = [server.apply('room', update), server.apply('room', update)]
    for (const each of applying) void each.then(() => resolved++)
    await until(() => gate.waiting() === 1, 'the append')
    await new Promise(resolve => setImmediate(resolve))
    const before = resolved

    gate.open()
    await Promise.all(applying)

    expect(before).toBe(0)
    expect(textOf(await server.read('room'))?.length).toBe(11)
  })

  test('refuses what is no update, or too large, with a typed error; nothing is written and no room is left', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store, limits: { documentBytesMax: 1_000, roomIdleMs: 5 } })

    await expect(server.apply('room', Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
      name: 'Fault',
      code: 'ERR_UPDATE_MALFORMED'
    })
    await expect(server.apply('room', new Uint8Array(0))).rejects.toBeInstanceOf(Fault)
    await expect(server.apply('room', textUpdate('x'.repeat(2_000)))).rejects.toMatchObject({
      code: 'ERR_UPDATE_TOO_LARGE'
    })
    await expect(server.apply('room', 'text' as unknown as Uint8Array)).rejects.toBeInstanceOf(TypeError)
    await expect(server.apply('', textUpdate('x'))).rejects.toMatchObject({ code: 'ERR_ROOM_NAME' })
    await expect(server.apply('room', textUpdate('x'), { author: 'x'.repeat(1_000) })).rejects.toBeInstanceOf(
      TypeError
    )
    await server.apply('room', textUpdate('x'.repeat(600)))
    await expect(server.apply('room', textUpdate('y'.repeat(600)))).rejects.toMatchObject({
      code: 'ERR_UPDATE_TOO_LARGE'
    })

    expect(await store.list()).toEqual(['room'])
    expect(textOf(await server.read('room'))).toBe('x'.repeat(600))
    await untilAsync(async () => (await server.metrics()).includes('\nchorus_rooms 0\n'), 'the room to close')
  })

  test('a client that sends rubbish beside it does not touch it', async () => {
    const server = await startServer()
    const raw = await openRaw({ url: server.url, path: 'room' })

    const applying = server.apply('room', textUpdate('fine'))
    raw.send(updateFrame(Uint8Array.of(1, 2, 3)))
    await applying

    expect(await raw.closed()).toBe(4500)
    expect(textOf(await server.read('room'))).toBe('fine')
  })

  test('a document that has a load gets its seed first', async () => {
    const server = await startServer({ load: () => textUpdate('seed') })

    await server.apply('room', textUpdate('applied'))

    expect(['seedapplied', 'appliedseed']).toContain(textOf(await server.read('room')))
  })

  test('more than applyBytesMax under way is refused at once; who awaits each call never meets it', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store, limits: { applyBytesMax: 50_000 } })
    const gate = holdAppends(store)
    const update = textUpdate('x'.repeat(20_000))

    const applying = [1, 2, 3].map(() => server.apply('room', update))
    const third = await applying[2]?.catch((error: unknown) => error)
    gate.open()
    await Promise.all(applying.slice(0, 2))
    for (let i = 0; i < 10; i++) await server.apply('room', textUpdate('y'.repeat(40_000)))

    expect(third).toMatchObject({ code: 'ERR_OVERLOADED' })
    expect(textOf(await server.read('room'))?.length).toBe(420_000)
  })

  test('a failed write rejects with ERR_STORE, nobody has seen the update, and it may be applied again', async () => {
    let fails = false
    const { open } = diskStore({ onWrite: () => (fails ? 'failed' : 'written') })
    const server = await startServer({ store: await open() })
    const client = join(server.url)
    await synced(client)
    await server.apply('room', textUpdate('first'))
    await until(() => client.doc.getText('t').length === 5, 'the first update')
    const update = textUpdate(' second')

    fails = true
    await expect(server.apply('room', update)).rejects.toMatchObject({ code: 'ERR_STORE' })
    const seen = client.doc.getText('t').toString()
    fails = false
    await server.apply('room', update)
    await until(() => client.doc.getText('t').length === 12, 'the second update')

    expect(seen).toBe('first')
    expect(textOf(await server.read('room'))?.length).toBe(12)
  })

  test('an array that is written into afterwards does not change what was applied', async () => {
    const server = await startServer()
    const update = textUpdate('hello')

    const applying = server.apply('room', update)
    update.fill(255)
    await applying

    expect(textOf(await server.read('room'))).toBe('hello')
  })
})

describe('change', () => {
  test('runs the function on the document and applies what it changed, and only that', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    const client = join(server.url)
    await synced(client)
    client.doc.getText('t').insert(0, 'hello '.repeat(1_000))
    await barrier(client)
    const before = (await server.read('room'))?.length ?? 0

    await server.change('room', doc => {
      doc.getText('t').delete(0, 5)
      doc.getText('t').insert(0, 'HELLO')
      doc.getMap('m').set('nested', new Y.Map([['a', 1]]))
    })
    await until(() => client.doc.getMap('m').size === 1, 'the change to arrive')

    expect(client.doc.getText('t').toString().slice(0, 11)).toBe('HELLO hello')
    expect(client.doc.getMap('m').toJSON()).toEqual({ nested: { a: 1 } })
    expect(((await server.read('room'))?.length ?? 0) - before).toBeLessThan(150)
  })

  test('changes of one server to one document do not overtake each other', async () => {
    const server = await startServer()
    const count = (doc: Y.Doc) =>
      void doc.getMap<number>('m').set('count', (doc.getMap<number>('m').get('count') ?? 0) + 1)

    await Promise.all(Array.from({ length: 20 }, () => server.change('room', count)))

    expect(mapOf(await server.read('room'))).toEqual({ count: 20 })
  })

  test('a function that throws changes nothing, and the next one is run', async () => {
    const server = await startServer()
    const half = (doc: Y.Doc) => {
      doc.getText('t').insert(0, 'half')
      throw new Error('mine')
    }

    await expect(server.change('room', half)).rejects.toThrow('mine')
    await server.change('room', doc => doc.getText('t').insert(0, 'whole'))
    const notDone = async (doc: Y.Doc) => {
      doc.getText('t').insert(0, 'later')
      await Promise.reject(new Error('too late'))
    }
    await expect(server.change('room', notDone)).rejects.toBeInstanceOf(TypeError)

    expect(textOf(await server.read('room'))).toBe('whole')
  })

  test('one that changes nothing writes nothing, and a new document has been loaded before it runs', async () => {
    const store = createMemoryStore()
    const server = await startServer({
      store,
      load: document => (document === 'seeded' ? textUpdate('seed') : null)
    })
    let seen = ''

    await server.change('empty', () => {})
    await server.change('seeded', doc => {
      seen = doc.getText('t').toString()
    })

    expect(await store.list()).toEqual(['seeded'])
    expect(seen).toBe('seed')
  })
})

describe('documents and delete', () => {
  test('names come in order, by prefix and by page', async () => {
    const server = await startServer()
    for (const name of ['b', 'a/2', 'a/1', 'ä']) await server.apply(name, textUpdate('x'))

    expect(await server.documents()).toEqual(['a/1', 'a/2', 'b', 'ä'])
    expect(await server.documents({ prefix: 'a/' })).toEqual(['a/1', 'a/2'])
    expect(await server.documents({ after: 'a/1', limit: 2 })).toEqual(['a/2', 'b'])
  })

  test('[RM7] delete closes the clients with 4404, removes the document, and the next one to open it finds nothing', async () => {
    const data = joinPath(temporaryDirectory(), 'd')
    const server = await startServer({ data })
    const client = join(server.url)
    await synced(client)
    client.doc.getText('t').insert(0, 'personal')
    await barrier(client)
    const codes: number[] = []
    client.provider.on('connection-close', event => codes.push(event?.code ?? 0))

    const deleted = await server.delete('room')
    await until(() => codes.length === 1, 'the client to be closed')
    const fresh = join(server.url)
    await synced(fresh)

    expect(deleted).toBe(true)
    expect(codes).toEqual([4404])
    expect(fresh.doc.getText('t').toString()).toBe('')
    expect(await server.read('room')).toBeNull()
    expect(await server.delete('room')).toBe(false)
  })

  test('what is being written while a document is deleted does not come back', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    await server.apply('room', textUpdate('first'))
    const gate = holdAppends(store)
    const applying = server.apply('room', textUpdate('second')).catch((error: unknown) => error)
    await until(() => gate.waiting() === 1, 'the append')

    const deleting = server.delete('room')
    const opened = server.apply('room', textUpdate('after')).then(() => 'applied')
    await new Promise(resolve => setTimeout(resolve, 20))
    gate.open()

    expect(await deleting).toBe(true)
    expect(await applying).toMatchObject({ code: 'ERR_DELETED' })
    expect(await opened).toBe('applied')
    expect(textOf(await server.read('room'))).toBe('after')
  })

  test('a deletion that fails rejects, and the document is there', async () => {
    const store = createMemoryStore()
    const server = await startServer({ store })
    await server.apply('room', textUpdate('kept'))
    const remove = store.delete.bind(store)
    store.delete = () => Promise.reject(new Error('disk'))

    await expect(server.delete('room')).rejects.toBeInstanceOf(Fault)
    store.delete = remove

    expect(textOf(await server.read('room'))).toBe('kept')
    expect(await server.delete('room')).toBe(true)
  })
})

test('before listen and after stop every call rejects with ERR_GOING_DOWN', async () => {
  const server = createServer({ log: quietLog, data: ':memory:', pages: null })
  const calls = (): Promise<unknown>[] => [
    server.read('room'),
    server.apply('room', textUpdate('x')),
    server.change('room', () => {}),
    server.documents(),
    server.delete('room')
  ]
  const codes = async () =>
    (await Promise.allSettled(calls())).map(each => each.status === 'rejected' && each.reason.code)

  const before = await codes()
  await server.listen()
  await server.stop()

  expect(before).toEqual(Array(5).fill('ERR_GOING_DOWN'))
  expect(await codes()).toEqual(before)
})

test('stop makes durable what was accepted a moment before', async () => {
  for (let round = 0; round < 5; round++) {
    const store = createMemoryStore()
    const server = createServer({ store, log: quietLog, pages: null, limits: { coalesceMs: 5_000 } })
    await server.listen()
    onTestFinished(() => server.stop())
    await server.apply('room', textUpdate('first'))
    const second = server.apply('room', textUpdate('second'))
    // The room is busy, so the second update waits for others to be written with.
    await new Promise(resolve => setImmediate(resolve))
    await server.stop()
    await second

    expect(textOf(await readStore(store, 'room'))?.length).toBe(11)
  }
})

async function readStore(store: Store, name: string): Promise<Uint8Array | null> {
  const server: Server = createServer({ store, log: quietLog, pages: null })
  await server.listen()
  const update = await server.read(name)
  await server.stop()
  return update
}

function mapOf(update: Uint8Array | null): unknown {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update ?? new Uint8Array())
  return doc.getMap('m').toJSON()
}

function pickClient(clients: readonly Client[], random: () => number): [Client, Y.Map<string>] {
  const client = clients[Math.floor(random() * clients.length)] as Client
  return [client, client.doc.getMap<string>('m')]
}

function join(url: string, room = 'room'): Client {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  return client
}
