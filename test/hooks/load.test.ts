/** `load`: what a document begins with, once, durable before anyone sees it, and refusals that a retry can mend. */
import { join as joinPath } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { createLog } from '../../src/base/log.ts'
import { createServer, type ServerOptions } from '../../src/server.ts'
import {
  barrier,
  type Client,
  clientVersions,
  connect,
  converged,
  synced,
  until,
  untilAsync
} from '../support/clients.ts'
import { diskStore, holdAppends } from '../support/disk.ts'
import { createRaw, openRaw, updateFrame } from '../support/raw.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

test.each(clientVersions)('what load returns is in the document when client %s sees sync', async version => {
  const asked: string[] = []
  const load = async (document: string) => {
    asked.push(document)
    return textUpdate(`seed of ${document}`)
  }
  const { url } = await startServer({ load })

  const client = connect(url, 'some/room', { version })
  onTestFinished(client.destroy)
  await synced(client)

  expect(client.doc.getText('t').toString()).toBe('seed of some/room')
  expect(asked).toEqual(['some/room'])
})

test('concurrent opens share one call, and each client has the seed once', async () => {
  let calls = 0
  const { url } = await startServer({
    load: async () => {
      calls++
      await new Promise(resolve => setTimeout(resolve, 50))
      return textUpdate('seed')
    }
  })

  const clients = Array.from({ length: 20 }, () => join(url))
  await Promise.all(clients.map(synced))
  const state = await converged(clients)

  expect(calls).toBe(1)
  expect(textOf(state)).toBe('seed')
})

test('two servers that seed one document at once in one store plant one seed', async () => {
  const store = createMemoryStore()
  const askers: (() => void)[] = []
  const load = (seed: string) => async () => {
    await new Promise<void>(resolve => askers.push(resolve))
    return textUpdate(seed)
  }
  const servers = await Promise.all(['left', 'right'].map(seed => startServer({ store, load: load(seed) })))
  const clients = servers.map(({ url }) => join(url))
  await until(() => askers.length === 2, 'both servers to ask for the seed')
  for (const asker of askers) asker()
  await Promise.all(clients.map(synced))

  const texts = clients.map(({ doc }) => doc.getText('t').toString())
  expect(['left', 'right']).toContain(texts[0])
  expect(texts[1]).toBe(texts[0])
  expect((await store.load('room')).records.length).toBe(1)
})

test('a document that another server deletes is over for those who write to it here', async () => {
  const store = createMemoryStore()
  const [here, there] = await Promise.all([startServer({ store }), startServer({ store })])
  const raw = await openRaw({ url: here.url, path: 'room' })
  raw.send(updateFrame(textUpdate('one')))
  await raw.ask()
  await there.delete('room')

  raw.send(updateFrame(textUpdate('two')))

  expect(await raw.closed()).toBe(4404)
  expect((await store.load('room')).records).toEqual([])
})

test('the seed is durable before anyone is answered', async () => {
  const store = createMemoryStore()
  const gate = holdAppends(store)
  const server = await startServer({ store, load: () => textUpdate('seed') })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await until(() => gate.waiting() === 1, 'the append of the seed')

  const framesBefore = raw.frames.length
  const readBefore = await server.read('room')
  gate.open()
  await raw.ask()

  expect(framesBefore).toBe(0)
  expect(readBefore).toBeNull()
  expect(textOf(await server.read('room'))).toBe('seed')
})

test('a document with a history is not loaded again: after a restart, and when its users have emptied it', async () => {
  const data = joinPath(temporaryDirectory(), 'd')
  let calls = 0
  const options: ServerOptions = {
    data,
    log: quietLog,
    pages: null,
    load: () => {
      calls++
      return textUpdate('seed')
    }
  }
  const first = createServer(options)
  const a = join(await first.listen())
  await synced(a)
  a.doc.getText('t').delete(0, 4)
  await barrier(a)
  a.destroy()
  await first.stop()

  const { url } = await startServer(options)
  const b = join(url)
  await synced(b)

  expect(b.doc.getText('t').toString()).toBe('')
  expect(calls).toBe(1)
})

test('null is a document that begins empty, and it is asked again until something is written', async () => {
  let calls = 0
  const store = createMemoryStore()
  const load = () => {
    calls++
    return null
  }
  const { url } = await startServer({ store, load, limits: { roomIdleMs: 5 } })
  const a = join(url)
  await synced(a)
  a.destroy()
  await until(() => calls === 1, 'the first call')
  const metrics = async () => (await (await fetch(`${url}/metrics`)).text()).includes('\nchorus_rooms 0\n')
  await untilAsync(metrics, 'the room to be closed')

  const b = join(url)
  await synced(b)
  b.doc.getText('t').insert(0, 'typed')
  await barrier(b)
  b.destroy()
  await untilAsync(metrics, 'the room to be closed')
  const c = join(url)
  await synced(c)

  expect(calls).toBe(2)
  expect(c.doc.getText('t').toString()).toBe('typed')
  expect(await store.list()).toEqual(['room'])
})

const whole = new Y.Doc()
whole.getText('t').insert(0, 'first')
const vector = Y.encodeStateVector(whole)
whole.getText('t').insert(5, ' second')

test.each([
  ['throws', () => Promise.reject(new Error('no database')), 'no database'],
  ['throws before it returns a promise', () => throwing(), 'at once'],
  ['hangs', () => new Promise<null>(() => {}), 'within 50 ms'],
  ['returns a text', () => 'text' as unknown as Uint8Array, 'Uint8Array or null'],
  ['returns garbage', () => Uint8Array.of(1, 2, 3), 'no Yjs V1 update'],
  ['returns no bytes', () => new Uint8Array(0), 'no Yjs V1 update'],
  ['returns a V2 update', () => Y.encodeStateAsUpdateV2(whole), 'no Yjs V1 update'],
  ['returns a part of a document', () => Y.encodeStateAsUpdate(whole, vector), 'does not contain'],
  ['returns too much', () => textUpdate('x'.repeat(20_000)), 'documentBytesMax']
])(
  '[RM8] a load that %s closes with 1013, says why in the log, and the next one may succeed',
  async (_, bad, reason) => {
    const log: string[] = []
    let isBad = true
    const server = await startServer({
      log: createLog('error', { write: line => void log.push(line) }),
      limits: { loadTimeoutMs: 50, documentBytesMax: 10_000 },
      load: () => (isBad ? bad() : textUpdate('seed'))
    })
    const refused = createRaw({ url: server.url, path: 'room' })
    const code = await refused.closed()
    isBad = false
    const client = join(server.url)
    await synced(client)

    expect(code).toBe(1013)
    expect(refused.frames).toHaveLength(0)
    expect(client.doc.getText('t').toString()).toBe('seed')
    const [line = ''] = log
    expect(line).toContain('load failed')
    expect(line).toContain('"document":"room"')
    expect(line).toContain(reason)
    expect(await server.metrics()).toMatch(
      /chorus_hook_calls_total\{hook="load",outcome="(failed|timed-out)"\} 1\n/
    )
    expect(await server.metrics()).toContain('\nchorus_rooms 1\n')
  }
)

test('a client that typed before a load failed keeps its work, and it is merged with the seed', async () => {
  let calls = 0
  const { url } = await startServer({
    load: async () => {
      if (calls++ === 0) throw new Error('not yet')
      return textUpdate('seed', 1)
    }
  })
  const client = connect(url, 'room', { connect: false })
  onTestFinished(client.destroy)
  client.doc.getText('t').insert(0, 'mine')
  client.provider.connect()
  await synced(client)
  await barrier(client)
  const other = join(url)
  await synced(other)

  expect(['mineseed', 'seedmine']).toContain(other.doc.getText('t').toString())
  expect(calls).toBe(2)
})

test('a load that hangs for one document holds up no other, and stop does not wait for it', async () => {
  const { promise: begun, resolve: begin } = withResolvers()
  const server = createServer({
    log: quietLog,
    data: ':memory:',
    pages: null,
    limits: { loadTimeoutMs: 3_600_000 },
    load: document => {
      if (document === 'fine') return textUpdate('seed')
      begin()
      return new Promise<null>(() => {})
    }
  })
  const url = await server.listen()
  onTestFinished(() => server.stop())
  createRaw({ url, path: 'hanging' })
  await begun

  const client = join(url, 'fine')
  await synced(client)
  await server.stop()

  expect(client.doc.getText('t').toString()).toBe('seed')
})

test('no more calls of load are under way than loadsMax; those beyond the queue are refused with 1013', async () => {
  let underWay = 0
  let most = 0
  const { url } = await startServer({
    limits: { loadsMax: 2, loadsWaitingMax: 4 },
    load: async document => {
      most = Math.max(most, ++underWay)
      await new Promise(resolve => setTimeout(resolve, 100))
      underWay--
      return textUpdate(document)
    }
  })

  const raws = Array.from({ length: 10 }, (_, i) => createRaw({ url, path: `room${i}` }))
  const isSettled = () => raws.every(raw => raw.closeCode() !== null || raw.frames.length > 0)
  await until(isSettled, 'each to be in or out')

  expect(most).toBe(2)
  expect(raws.filter(raw => raw.closeCode() === 1013)).toHaveLength(4)
  expect(raws.filter(raw => raw.frames.length > 0)).toHaveLength(6)
})

test('whatever happens to the write of the seed, the document has it once', async () => {
  for (const outcome of ['failed', 'failed-but-written', 'crash-before', 'crash-after'] as const) {
    let isHit = false
    const { disk, open } = diskStore({
      onWrite: ({ operations }) => {
        // The seed is the largest thing written here.
        const bytes = operations.reduce((sum, each) => sum + (each.type === 'put' ? each.value.length : 0), 0)
        if (isHit || bytes < 500) return 'written'
        isHit = true
        return outcome
      }
    })
    const seeds: string[] = []
    // A new clientID each time: were it written twice, the text would be there twice.
    const load = () => {
      seeds.push('called')
      return textUpdate('seed'.repeat(200))
    }
    let store = await open()
    const first = await startServer({ store, load })
    const raw = createRaw({ url: first.url, path: 'room' })
    const code = await raw.closed()
    if (outcome.startsWith('crash')) {
      disk.crash()
      store = await open()
    }
    const second = await startServer({ store, load })
    const client = join(second.url)
    await synced(client)

    expect([outcome, code]).toEqual([outcome, 1013])
    expect([outcome, client.doc.getText('t').toString()]).toEqual([outcome, 'seed'.repeat(200)])
    const isWritten = outcome === 'failed-but-written' || outcome === 'crash-after'
    expect([outcome, seeds.length]).toEqual([outcome, isWritten ? 1 : 2])
  }
})

test('two nodes that load the same document with the same bytes agree on one text', async () => {
  const load = (document: string) => textUpdate(`seed of ${document}`, 42)
  const [one, two] = [await startServer({ load }), await startServer({ load })]

  const update = await seededBy(one.url)
  await two.apply('room', update)
  const again = await seededBy(two.url)

  expect(textOf(again)).toBe('seed of room')
})

test('the bytes that load returns are copied: it may use the array again', async () => {
  const shared = textUpdate('seed')
  const { url } = await startServer({
    load: () => {
      queueMicrotask(() => queueMicrotask(() => setImmediate(() => shared.fill(0))))
      return shared
    }
  })
  const a = join(url)
  await synced(a)

  expect(a.doc.getText('t').toString()).toBe('seed')
})

async function seededBy(url: string): Promise<Uint8Array> {
  const client = join(url)
  await synced(client)
  return Y.encodeStateAsUpdate(client.doc)
}

function throwing(): never {
  throw new Error('at once')
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}

function join(url: string, room = 'room'): Client {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  return client
}
