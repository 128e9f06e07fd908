/** Documents that were deleted, and clients that come back with their copies: real ones of all versions. */
import { join as joinPath } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import type { Server, ServerOptions } from '../../src/server.ts'
import {
  barrier,
  type Client,
  clientVersions,
  connect,
  synced,
  until,
  untilAsync
} from '../support/clients.ts'
import { type HocuspocusClient, provide, providerSynced, providerVersions } from '../support/hocuspocus.ts'
import { openRaw, syncStep1, syncStep2, updateFrame } from '../support/raw.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'
import { textOf, textUpdate } from '../support/text.ts'

const reason = 'this copy belongs to a document that was deleted'
/** A client that is told again and again is told more slowly; tests need not wait for that. */
const limits = { refusalDelayMs: 1, refusalDelayMsMax: 20, roomIdleMs: 100 }

function start(options: ServerOptions = {}): Promise<Server> {
  return startServer({ ...options, limits: { ...limits, ...options.limits } })
}

/** A document with that text, by one client. */
function docOf(text: string, clientID?: number): Y.Doc {
  const doc = new Y.Doc()
  if (clientID !== undefined) doc.clientID = clientID
  doc.getText('t').insert(0, text)
  return doc
}

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

async function deleted(server: Server, text = 'old text'): Promise<Y.Doc> {
  const doc = docOf(text)
  await server.apply('room', Y.encodeStateAsUpdate(doc))
  expect(await server.delete('room')).toBe(true)
  return doc
}

function join(url: string, options: Parameters<typeof connect>[2] = {}): Client {
  const client = connect(url, 'room', options)
  onTestFinished(client.destroy)
  return client
}

type Told = { code: number; reason: string }

/** Every close that the client was told of. */
function closesOf({ provider }: Client): Told[] {
  const closes: Told[] = []
  provider.on('connection-close', (event: Told | null) => {
    if (event !== null) closes.push({ code: event.code, reason: event.reason })
  })
  return closes
}

function denialsOf({ provider }: HocuspocusClient): string[] {
  const denials: string[] = []
  provider.on('authenticationFailed', ({ reason: why }: { reason: string }) => denials.push(why))
  return denials
}

describe('a client with an old copy', () => {
  for (const version of clientVersions) {
    test(`[DD1] [DD2] y-websocket ${version} that was there comes back, is told, and brings nothing back, also after a restart`, async () => {
      const data = joinPath(temporaryDirectory(), 'data')
      const first = await start({ data })
      const client = join(first.url, { version })
      await synced(client)
      client.doc.getText('t').insert(0, 'old text')
      await barrier(client)
      const closes = closesOf(client)

      await first.delete('room')
      if (version === '3.1') client.provider.connect()
      await until(() => closes.some(({ code }) => code === 4410), 'the old copy to be refused')
      expect(closes.find(({ code }) => code === 4410)?.reason).toBe(reason)
      client.provider.disconnect()
      expect(await first.read('room')).toBeNull()
      await first.stop()

      const second = await start({ data })
      const again = join(second.url, { version, doc: copyOf(client.doc) })
      const laterCloses = closesOf(again)
      await until(() => laterCloses.some(({ code }) => code === 4410), 'the old copy to be refused again')
      expect(await second.read('room')).toBeNull()
      expect(await second.documents()).toEqual([])
    })
  }

  for (const version of providerVersions) {
    test(`[DD1] [DD2] Hocuspocus ${version} is denied that address, and brings nothing back, also after a restart`, async () => {
      const data = joinPath(temporaryDirectory(), 'data')
      const first = await start({ data })
      const client = provide(first.url, 'room', { version })
      await providerSynced(client)
      client.doc.getText('t').insert(0, 'old text')
      await untilAsync(async () => textOf(await first.read('room')) === 'old text', 'the text to be stored')
      const denials = denialsOf(client)

      await first.delete('room')
      await until(() => denials.length > 0, 'the old copy to be denied')
      expect(denials[0]).toBe(reason)
      client.destroy()
      expect(await first.read('room')).toBeNull()
      await first.stop()

      const second = await start({ data })
      const again = provide(second.url, 'room', { version, doc: copyOf(client.doc) })
      const laterDenials = denialsOf(again)
      await until(() => laterDenials.length > 0, 'the old copy to be denied again')
      expect(await second.read('room')).toBeNull()
    })
  }

  test('[DD3] is sent nothing of the present life, shown to nobody, and what it sent is set aside', async () => {
    const store = createMemoryStore()
    const server = await start({ store })
    const old = await deleted(server)
    const fresh = join(server.url)
    await synced(fresh)
    fresh.doc.getText('t').insert(0, 'new')
    await barrier(fresh)
    fresh.provider.awareness.setLocalState({ name: 'new' })

    const back = join(server.url, { doc: copyOf(old) })
    back.provider.awareness.setLocalState({ name: 'old' })
    back.doc.getText('t').insert(0, 'written offline, ')
    const closes = closesOf(back)
    await until(() => closes.length > 0, 'the old copy to be refused')

    expect(closes[0]).toEqual({ code: 4410, reason })
    expect(back.doc.getText('t').toString()).toBe('written offline, old text')
    await barrier(fresh)
    expect(fresh.doc.getText('t').toString()).toBe('new')
    expect([...fresh.provider.awareness.getStates().values()]).toEqual([{ name: 'new' }])
    const [entry] = await store.listSetAside('room')
    expect(textOf(entry?.bytes ?? null)).toBe('written offline, old text')
    expect(entry?.reason).toContain(reason)
  })

  test('[DD3] that comes again and again with the same is set aside once', async () => {
    const store = createMemoryStore()
    const server = await start({ store })
    const old = await deleted(server)
    for (let visit = 0; visit < 5; visit++) {
      const raw = await openRaw({ url: server.url, path: 'room' })
      raw.send(syncStep1(Y.encodeStateVector(old)), syncStep2(Y.encodeStateAsUpdate(old)))
      expect(await raw.closed()).toBe(4410)
    }

    expect(await store.listSetAside('room')).toHaveLength(1)
  })

  test('[DD3] that is refused while the server stops is set aside all the same', async () => {
    const store = createMemoryStore()
    for (let i = 0; i < 40; i++) {
      await store.setAside('room', { author: null, timeMs: 0, reason: 'before', bytes: new Uint8Array([i]) })
    }
    let isRefused = false
    const log = {
      ...quietLog,
      warn: (_: object, message: string) => (isRefused ||= /set aside/.test(message))
    }
    const server = await start({ store, log })
    const doc = await deleted(server)
    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.send(syncStep1(Y.encodeStateVector(doc)), syncStep2(Y.encodeStateAsUpdate(doc)))
    await until(() => isRefused, 'the copy to be refused')

    await server.stop()

    expect((await store.listSetAside('room')).at(-1)?.reason).toContain('was deleted')
  })

  test('[DD3] that never sends its copy is told after a while', async () => {
    const server = await start({ limits: { oldCopyWaitMs: 50 } })
    const old = await deleted(server)
    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.send(syncStep1(Y.encodeStateVector(old)))

    expect(await raw.closed()).toBe(4410)
    expect(raw.received().filter(({ type }) => type === 'sync-step-2')).toEqual([])
  })

  test('[DD2] that may only read is told the same, and leaves nothing in the store', async () => {
    const store = createMemoryStore()
    const server = await start({ store, authorize: () => ({ user: null, access: 'read' }) })
    const old = await deleted(server)
    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.send(syncStep1(Y.encodeStateVector(old)), syncStep2(Y.encodeStateAsUpdate(old)))

    expect(await raw.closed()).toBe(4410)
    expect(await store.listSetAside('room')).toEqual([])
  })
})

describe('what belongs to a deleted life', () => {
  type Case = { readonly name: string; readonly make: (old: Y.Doc) => Uint8Array }
  const diffAfter = (old: Y.Doc, edit: (doc: Y.Doc) => void): Uint8Array => {
    const doc = copyOf(old)
    const before = Y.encodeStateVector(doc)
    edit(doc)
    return Y.encodeStateAsUpdate(doc, before)
  }
  const cases: Case[] = [
    { name: 'its structs', make: old => Y.encodeStateAsUpdate(old) },
    {
      name: "another client's text on top of it",
      make: old => diffAfter(old, doc => doc.getText('t').insert(3, 'x'))
    },
    {
      name: 'what its own client wrote later',
      make: old => {
        const before = Y.encodeStateVector(old)
        old.getText('t').insert(3, 'x')
        return Y.encodeStateAsUpdate(old, before)
      }
    },
    {
      name: 'what hangs on what its own client wrote later and nobody else has',
      make: old => {
        old.getText('t').insert(8, 'later')
        return diffAfter(old, doc => doc.getText('t').insert(13, 'x'))
      }
    },
    {
      name: 'a deletion of its text',
      make: old => {
        const doc = copyOf(old)
        let update = new Uint8Array()
        doc.on('update', (bytes: Uint8Array) => {
          update = Uint8Array.from(bytes)
        })
        doc.getText('t').delete(0, 2)
        return update
      }
    }
  ]
  for (const { name, make } of cases) {
    test(`[DD4] ${name} is not taken`, async () => {
      const server = await start()
      const old = await deleted(server)
      const raw = await openRaw({ url: server.url, path: 'room' })
      await raw.ask()
      raw.send(updateFrame(make(old)))

      expect(await raw.closed()).toBe(4410)
      expect(await server.read('room')).toBeNull()
    })
  }

  test('[DD4] what was accepted and not yet durable when the document was deleted belongs to it', async () => {
    const store = createMemoryStore()
    const server = await start({ store })
    await server.apply('room', textUpdate('old'))
    const late = docOf('late')
    const raw = await openRaw({ url: server.url, path: 'room' })
    await raw.ask()
    let release = () => {}
    const append = store.append.bind(store)
    store.append = async entries => {
      await new Promise<void>(resolve => {
        release = resolve
      })
      return append(entries)
    }
    const known = async () => /chorus_updates_total 2\n/.test(await server.metrics())
    raw.send(updateFrame(Y.encodeStateAsUpdate(late)))
    await untilAsync(known, 'the update to be accepted')
    const deleting = server.delete('room')
    await raw.closed()
    store.append = append
    release()
    await deleting

    const back = await openRaw({ url: server.url, path: 'room' })
    back.send(syncStep1(Y.encodeStateVector(late)), syncStep2(Y.encodeStateAsUpdate(late)))
    expect(await back.closed()).toBe(4410)
    expect(await server.read('room')).toBeNull()
  })

  test('[DD4] a document whose clocks have gaps is known as far as they go', async () => {
    const server = await start()
    const doc = docOf('one')
    const before = Y.encodeStateVector(doc)
    doc.getText('t').insert(3, ' two')
    await server.apply('room', Y.encodeStateAsUpdate(doc, before))
    await server.delete('room')

    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.send(updateFrame(Y.encodeStateAsUpdate(docOf('one', doc.clientID))))
    expect(await raw.closed()).toBe(4410)
  })
})

describe('a new life', () => {
  test('[DD5] begins when somebody without the old copy writes, and holds nothing of the old', async () => {
    const server = await start({ data: joinPath(temporaryDirectory(), 'data') })
    const old = await deleted(server)
    const fresh = join(server.url)
    await synced(fresh)
    fresh.doc.getText('t').insert(0, 'new')
    await barrier(fresh)
    const back = join(server.url, { doc: old })
    const closes = closesOf(back)
    await until(() => closes.some(({ code }) => code === 4410), 'the old copy to be refused')

    fresh.doc.getText('t').insert(3, ' life')
    await barrier(fresh)
    expect(textOf(await server.read('room'))).toBe('new life')
  })

  for (const how of ['load', 'apply', 'change'] as const) {
    test(`[DD5] begins with what the application plants by ${how}, with clientIDs of the old life`, async () => {
      const seedUpdate = Y.encodeStateAsUpdate(docOf('seed', 7))
      const server = await start(how === 'load' ? { load: () => seedUpdate } : {})
      const plant = async () => {
        if (how === 'apply') await server.apply('room', seedUpdate)
        if (how === 'change') {
          await server.change('room', doc => {
            doc.clientID = 7
            doc.getText('t').insert(0, 'seed')
          })
        }
      }
      await plant()
      const first = join(server.url)
      await synced(first)
      const onlySeed = copyOf(first.doc)
      first.doc.getText('t').insert(4, ' and more')
      await barrier(first)
      first.provider.disconnect()
      await server.delete('room')
      await plant()

      const second = join(server.url, { doc: onlySeed })
      await synced(second)
      second.doc.getText('t').insert(4, ' again')
      await barrier(second)
      const back = join(server.url, { doc: copyOf(first.doc) })
      const closes = closesOf(back)
      await until(() => closes.some(({ code }) => code === 4410), 'the old copy to be refused')

      expect(textOf(await server.read('room'))).toBe('seed again')
    })
  }

  test('[DD6] is deleted in its turn: copies of every life are known', async () => {
    const store = createMemoryStore()
    const server = await start({ store })
    const lives = [await deleted(server, 'one'), await deleted(server, 'two'), await deleted(server, 'three')]
    for (const life of lives) {
      const raw = await openRaw({ url: server.url, path: 'room' })
      raw.send(syncStep1(Y.encodeStateVector(life)), syncStep2(Y.encodeStateAsUpdate(life)))
      expect(await raw.closed()).toBe(4410)
    }
    expect(await store.tombstones()).toHaveLength(1)
  })

  test('[DD6] deleting what is not there leaves the tombstone as it was', async () => {
    const server = await start()
    const old = await deleted(server)

    expect(await server.delete('room')).toBe(false)
    const raw = await openRaw({ url: server.url, path: 'room' })
    raw.send(updateFrame(Y.encodeStateAsUpdate(old)))
    expect(await raw.closed()).toBe(4410)
  })
})

describe('a tombstone', () => {
  async function takes(server: Server, document: string, doc: Y.Doc): Promise<boolean> {
    const raw = await openRaw({ url: server.url, path: document })
    raw.send(syncStep1(Y.encodeStateVector(doc)), syncStep2(Y.encodeStateAsUpdate(doc)))
    await Promise.race([raw.ask().catch(() => {}), raw.closed()])
    return raw.closeCode() === null
  }

  async function bury(server: Server, name: string): Promise<Y.Doc> {
    const doc = docOf(name)
    await server.apply(name, Y.encodeStateAsUpdate(doc))
    await server.delete(name)
    return doc
  }

  test('[DD7] is lifted by { copies: "welcome" }, also after the deletion', async () => {
    const server = await start()
    const old = await deleted(server)

    await server.delete('room', { copies: 'welcome' })

    expect(await takes(server, 'room', old)).toBe(true)
    expect(textOf(await server.read('room'))).toBe('old text')
  })

  test('[DD8] is kept for so many documents; the oldest is dropped, and counted', async () => {
    const server = await start({ limits: { tombstonesMax: 2 } })
    const a = await bury(server, 'a')
    const b = await bury(server, 'b')
    const c = await bury(server, 'c')

    expect(await takes(server, 'a', a)).toBe(true)
    expect(await takes(server, 'b', b)).toBe(false)
    expect(await takes(server, 'c', c)).toBe(false)
    expect(await server.metrics()).toContain('chorus_tombstones_dropped_total{reason="too-many"} 1')
  })

  test('[DD8] is kept for so long', async () => {
    const store: Store = createMemoryStore()
    const server = await start({ store, limits: { tombstoneAgeMs: 1 } })
    const a = await bury(server, 'a')
    await untilAsync(
      async () => (await store.load('a')).tombstone?.timeMs !== Date.now(),
      'a millisecond to pass'
    )
    await new Promise(resolve => setImmediate(resolve))

    await untilAsync(() => takes(server, 'a', a), 'the copy to be taken')
    await bury(server, 'b')
    expect((await store.tombstones()).map(({ document }) => document)).toEqual(['b'])
  })

  test('[DD8] names so many clients, those that wrote most, and says when it names not all', async () => {
    const server = await start({ limits: { tombstoneClientsMax: 1 } })
    const [most, least] = [docOf('a long text'), docOf('x')]
    await server.apply('room', Y.encodeStateAsUpdate(most))
    await server.apply('room', Y.encodeStateAsUpdate(least))
    await server.delete('room')

    expect(await takes(server, 'room', most)).toBe(false)
    expect(await takes(server, 'room', least)).toBe(true)
    expect(await server.metrics()).toContain('chorus_tombstones_dropped_total{reason="in-part"} 1')
  })

  test('[DD9] is part of a backup', async () => {
    const directory = temporaryDirectory()
    const server = await start({ data: joinPath(directory, 'data') })
    const old = await deleted(server)
    await server.backup(joinPath(directory, 'copy'))

    const restored = await start({ data: joinPath(directory, 'copy') })
    expect(await takes(restored, 'room', old)).toBe(false)
  })
})
