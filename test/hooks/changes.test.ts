/** `onChange`: when it is called, with what, and that nothing it does touches anything else. */
import { expect, onTestFinished, test } from 'vitest'
import type * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { createLog } from '../../src/base/log.ts'
import { type Author, type Change, createServer, type Server, type ServerOptions } from '../../src/index.ts'
import { barrier, type Client, connect, disconnect, synced, until, untilAsync } from '../support/clients.ts'
import { diskStore } from '../support/disk.ts'
import { quietLog, startServer } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

type Call = { readonly document: string; readonly authors: readonly Author[]; readonly text: string | null }

/** Keeps what it is called with, and the text it reads. */
function recorder(): { calls: Call[]; onChange: (change: Change) => Promise<void> } {
  const calls: Call[] = []
  const onChange = async ({ document, authors, read }: Change) => {
    calls.push({ document, authors, text: textOf(await read()) })
  }
  return { calls, onChange }
}

test('it is called once after a burst, with the document as it is then and who changed it', async () => {
  const { calls, onChange } = recorder()
  const server = await startServer({ onChange, limits: { changeDebounceMs: 500 } })
  const [a, b] = [join(server.url), join(server.url)]
  await Promise.all([synced(a), synced(b)])

  for (let i = 0; i < 20; i++) (i % 2 === 0 ? a : b).doc.getText('t').insert(0, `${i % 10}`)
  await Promise.all([barrier(a), barrier(b)])
  await server.apply('room', textUpdate('!'), { author: 'the application' })
  await until(() => calls.length === 1, 'the call')
  await new Promise(resolve => setTimeout(resolve, 800))

  expect(calls).toHaveLength(1)
  expect(calls[0]?.document).toBe('room')
  expect(calls[0]?.text).toHaveLength(21)
  expect(calls[0]?.authors).toHaveLength(3)
  expect(calls[0]?.authors).toContainEqual(byServer('the application'))
  expect(calls[0]?.authors.filter(({ origin }) => origin === 'client')).toHaveLength(2)
})

test('a document that never rests is announced by changeMaxWaitMs', async () => {
  const { calls, onChange } = recorder()
  const limits = { changeDebounceMs: 3_600_000, changeMaxWaitMs: 150 }
  const server = await startServer({ onChange, limits })
  const client = join(server.url)
  await synced(client)

  while (calls.length < 2) {
    client.doc.getText('t').insert(0, 'x')
    await barrier(client)
  }

  expect(calls).toHaveLength(2)
})

test('reading, joining and repeating what is known announce nothing', async () => {
  const { calls, onChange } = recorder()
  const server = await startServer({ onChange, limits: { changeDebounceMs: 1 } })
  const update = textUpdate('x')
  await server.apply('room', update)
  await until(() => calls.length === 1, 'the first call')

  await server.apply('room', update)
  await server.read('room')
  const client = join(server.url)
  await synced(client)
  client.provider.awareness.setLocalStateField('name', 'Ada')
  await barrier(client)
  await new Promise(resolve => setTimeout(resolve, 50))

  expect(calls).toHaveLength(1)
})

test('what load gave is not announced, and what is typed into it is', async () => {
  const { calls, onChange } = recorder()
  const load = () => textUpdate('seed')
  const server = await startServer({ load, onChange, limits: { changeDebounceMs: 1 } })
  const client = join(server.url)
  await synced(client)
  await new Promise(resolve => setTimeout(resolve, 50))
  const before = calls.length

  client.doc.getText('t').insert(0, 'typed ')
  await until(() => calls.length > 0, 'the call')

  expect(before).toBe(0)
  expect(calls.map(({ text }) => text)).toEqual(['typed seed'])
})

test('it is called before the room closes', async () => {
  const { calls, onChange } = recorder()
  const limits = { changeDebounceMs: 60_000, changeMaxWaitMs: 60_000, roomIdleMs: 10 }
  const server = await startServer({ onChange, limits })
  const client = join(server.url)
  await synced(client)
  client.doc.getText('t').insert(0, 'last words')
  await barrier(client)
  await disconnect(client)

  await untilAsync(() => hasNoRoom(server), 'the room to be closed')

  expect(calls.map(({ text }) => text)).toEqual(['last words'])
})

test('it is called at stop, when it may still read, and stop waits for it', async () => {
  const { calls, onChange } = recorder()
  const store = createMemoryStore()
  const server = createServer({
    store,
    log: quietLog,
    pages: null,
    limits: { changeDebounceMs: 60_000, changeMaxWaitMs: 60_000 },
    onChange: async change => {
      await new Promise(resolve => setTimeout(resolve, 50))
      await onChange(change)
    }
  })
  await server.listen()
  for (let i = 0; i < 40; i++) await server.apply(`room ${i}`, textUpdate(`text ${i}`))

  await server.stop()

  expect(calls).toHaveLength(40)
  expect(calls.map(({ text }) => text)).toEqual(calls.map(({ document }) => document.replace('room', 'text')))
})

test('at most one call at a time for a document; what changes meanwhile is announced after it', async () => {
  let underWay = 0
  let most = 0
  const texts: (string | null)[] = []
  let release = () => {}
  const server = await startServer({
    limits: { changeDebounceMs: 5, changeMaxWaitMs: 10 },
    onChange: async ({ read }) => {
      most = Math.max(most, ++underWay)
      texts.push(textOf(await read()))
      if (texts.length === 1) {
        await new Promise<void>(resolve => {
          release = resolve
        })
      }
      underWay--
    }
  })
  await server.apply('room', textUpdate('a'))
  await until(() => texts.length === 1, 'the first call')
  for (let i = 0; i < 5; i++) await server.apply('room', textUpdate('b'))
  await new Promise(resolve => setTimeout(resolve, 50))
  const whileHeld = texts.length
  release()
  await until(() => texts.length === 2, 'the second call')

  expect(whileHeld).toBe(1)
  expect(most).toBe(1)
  expect(texts[1]).toHaveLength(6)
})

test('no more calls are under way than changesMax, and all documents have their turn', async () => {
  let underWay = 0
  let most = 0
  const documents = new Set<string>()
  const server = await startServer({
    limits: { changeDebounceMs: 1, changesMax: 3 },
    onChange: async ({ document }) => {
      most = Math.max(most, ++underWay)
      await new Promise(resolve => setTimeout(resolve, 20))
      underWay--
      documents.add(document)
    }
  })

  await Promise.all(Array.from({ length: 20 }, (_, i) => server.apply(`room ${i}`, textUpdate('x'))))
  await until(() => documents.size === 20, 'all documents')

  expect(most).toBe(3)
})

test.each([
  ['throws', () => throwing(), 'failed'],
  ['rejects', () => Promise.reject(new Error('mine')), 'failed'],
  ['hangs', () => new Promise(() => {}), 'timed-out']
])(
  'a hook that %s costs a log line and a count, and is called again; the others, and the next change, are announced',
  async (_, bad, outcome) => {
    const log: string[] = []
    const good: string[] = []
    let bads = 0
    const server = await startServer({
      log: createLog('error', { write: line => void log.push(line) }),
      limits: {
        changeDebounceMs: 5,
        changeMaxWaitMs: 10,
        changeTimeoutMs: 50,
        changesMax: 1,
        outletRetryMs: 200
      },
      onChange: ({ document }) => {
        if (document === 'bad' && bads++ === 0) return bad()
        good.push(document)
        return undefined
      }
    })
    const client = join(server.url, 'bad')
    await synced(client)
    client.doc.getText('t').insert(0, 'x')
    await until(() => bads === 1, 'the bad call')
    await server.apply('good', textUpdate('x'))
    await until(() => good.length === 1, 'the other document')
    await untilAsync(async () => (await server.metrics()).includes(`outcome="${outcome}"} 1`), 'the count')
    client.doc.getText('t').insert(0, 'y')
    await until(() => good.length === 3, 'the call again, and the next change')

    expect(good).toEqual(['good', 'bad', 'bad'])
    expect(client.provider.wsconnected).toBe(true)
    expect(log).toHaveLength(1)
    expect(log[0]).toContain('onChange failed')
    expect(log[0]).toContain('"document":"bad"')
  }
)

test('stop does not wait for ever for hooks that hang, says which documents, and leaves no timer', async () => {
  const log: string[] = []
  const before = process.getActiveResourcesInfo().length
  const server = createServer({
    pages: null,
    data: ':memory:',
    log: createLog('error', { write: line => void log.push(line) }),
    limits: { changeDebounceMs: 60_000, changeMaxWaitMs: 60_000, changesMax: 2, changeStopMs: 100 },
    onChange: () => new Promise(() => {})
  })
  await server.listen()
  for (let i = 0; i < 5; i++) await server.apply(`room ${i}`, textUpdate('x'))

  // The hooks never end: it resolves only if it does not wait for them.
  await server.stop()
  await new Promise(resolve => setImmediate(resolve))

  expect(log).toHaveLength(5)
  expect(log.every(line => line.includes('when the server stopped'))).toBe(true)
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
})

test('a room stays open while its last announcement is under way, and who comes back finds it', async () => {
  let begun = false
  let finish = () => {}
  const server = await startServer({
    limits: { changeDebounceMs: 60_000, changeMaxWaitMs: 60_000, roomIdleMs: 10 },
    onChange: () => {
      begun = true
      return new Promise<void>(resolve => {
        finish = resolve
      })
    }
  })
  await server.apply('room', textUpdate('x'))
  await until(() => begun, 'the call')
  const client = join(server.url)
  await synced(client)
  finish()
  await new Promise(resolve => setTimeout(resolve, 50))

  expect(client.provider.wsconnected).toBe(true)
  expect(client.doc.getText('t').toString()).toBe('x')
})

test('an update whose write failed and exists all the same is announced', async () => {
  const { calls, onChange } = recorder()
  let outcome: 'written' | 'failed-but-written' = 'written'
  const { open } = diskStore({ onWrite: () => outcome })
  const server = await startServer({ store: await open(), onChange, limits: { changeDebounceMs: 1 } })
  await server.apply('room', textUpdate('first'))
  await until(() => calls.length === 1, 'the first call')
  outcome = 'failed-but-written'
  await expect(server.apply('room', textUpdate(' second'))).rejects.toMatchObject({ code: 'ERR_STORE' })
  outcome = 'written'
  await until(() => calls.length === 2, 'the second call')

  expect(calls[1]?.text).toHaveLength(12)
})

test('a document that was deleted is not announced', async () => {
  const { calls, onChange } = recorder()
  const server = await startServer({ onChange, limits: { changeDebounceMs: 20 } })
  await server.apply('room', textUpdate('personal'))
  await server.delete('room')
  await new Promise(resolve => setTimeout(resolve, 60))

  expect(calls).toEqual([])
})

test('a document whose deletion failed is announced', async () => {
  const { calls, onChange } = recorder()
  const store = createMemoryStore()
  const server = await startServer({ store, onChange, limits: { changeDebounceMs: 20 } })
  store.delete = () => Promise.reject(new Error('disk'))
  await server.apply('room', textUpdate('still here'))
  await expect(server.delete('room')).rejects.toMatchObject({ code: 'ERR_STORE' })
  await until(() => calls.length === 1, 'the call')

  expect(calls[0]?.text).toBe('still here')
})

test('a hook that changes the document it is told of is told of that too, and by which author', async () => {
  const authors: (readonly Author[])[] = []
  let server: Server | null = null
  const options: ServerOptions = {
    limits: { changeDebounceMs: 1 },
    onChange: async change => {
      authors.push(change.authors)
      if (change.authors.some(({ user }) => user === 'stamp')) return
      const stamp = (doc: Y.Doc) => void doc.getMap('m').set('changed', true)
      await server?.change(change.document, stamp, { author: 'stamp' })
    }
  }
  server = await startServer(options)

  await server.apply('room', textUpdate('x'))
  await until(() => authors.length === 2, 'both calls')

  expect(authors).toEqual([[byServer(null)], [byServer('stamp')]])
})

test('it names each author once, and no more than changeAuthorsMax', async () => {
  const { calls, onChange } = recorder()
  const server = await startServer({ onChange, limits: { changeDebounceMs: 100, changeAuthorsMax: 3 } })

  for (let i = 0; i < 10; i++) {
    for (let again = 0; again < 2; again++)
      await server.apply('room', textUpdate('x'), { author: `author ${i}` })
  }
  await until(() => calls.length === 1, 'the call')

  expect(calls[0]?.authors).toEqual([0, 1, 2].map(i => byServer(`author ${i}`)))
})

function byServer(user: string | null): Author {
  return { user, connection: null, origin: 'server' }
}

function throwing(): never {
  throw new Error('at once')
}

async function hasNoRoom(server: Server): Promise<boolean> {
  return (await server.metrics()).includes('\nchorus_rooms 0\n')
}

function join(url: string, room = 'room'): Client {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  return client
}
