/** What a provider may believe: `synced` means that everything stored is here, no unsynced changes that all is on disk. */
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { connect, synced, until } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import {
  breakOff,
  goOffline,
  type HocuspocusClient,
  provide,
  providerSynced,
  providerVersions,
  saved
} from '../support/hocuspocus.ts'
import { startProxy } from '../support/proxy.ts'
import { spawnServer, startServer, temporaryDirectory } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const textOf = ({ doc }: Pick<HocuspocusClient, 'doc'>) => doc.getText('t').toString()

/** A store whose appends are held until they are let go. */
function holdableStore(): { store: Store; hold(): void; release(): void; readonly waiting: () => number } {
  const store = createMemoryStore()
  let gate: Promise<void> | null = null
  let open = () => {}
  let waiting = 0
  const append = store.append.bind(store)
  store.append = async entries => {
    waiting++
    await gate
    waiting--
    return append(entries)
  }
  return {
    store,
    hold: () => {
      gate = new Promise(resolve => {
        open = resolve
      })
    },
    release: () => {
      gate = null
      open()
    },
    waiting: () => waiting
  }
}

/** A store whose appends wait, each for a `step` of its own. `stored`: whether one that holds the text is through. */
function steppedStore(): {
  store: Store
  waiting: () => number
  step: () => void
  stored: (text: string) => boolean
} {
  const store = createMemoryStore()
  const append = store.append.bind(store)
  const waiting: (() => void)[] = []
  const records: Buffer[] = []
  store.append = async entries => {
    await new Promise<void>(resolve => void waiting.push(resolve))
    const result = await append(entries)
    for (const { record } of entries) records.push(Buffer.from(record))
    return result
  }
  return {
    store,
    waiting: () => waiting.length,
    step: () => waiting.shift()?.(),
    stored: text => records.some(record => record.includes(text))
  }
}

/** Lets one append after the other through, slowly enough for everything to come of each. */
async function stepUntil(step: () => void, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    step()
    await new Promise(resolve => setTimeout(resolve, 30))
  }
}

describe.each(providerVersions)('Hocuspocus %s', version => {
  const join = (url: string, doc = new Y.Doc()) => provide(url, 'room', { version, doc, token: 'tok' })

  test('[HP8] changes are unsynced until they are on disk, and no longer', async () => {
    const { store, hold, release, waiting } = holdableStore()
    const { url } = await startServer({ store })
    const [a, b] = [join(url), join(url)]
    await Promise.all([saved(a), saved(b)])

    hold()
    for (let i = 0; i < 5; i++) a.doc.getText('t').insert(0, `${i}`)
    await until(() => waiting() === 1, 'the append')
    // Anything that could come too early has come.
    await new Promise(resolve => setTimeout(resolve, 100))
    const [before, seen] = [a.provider.unsyncedChanges, textOf(b)]
    release()
    await saved(a)

    expect([before, seen]).toEqual([5, ''])
    expect(a.provider.unsyncedChanges).toBe(0)
    expect((await store.load('room')).records.length).toBeGreaterThan(0)
  })

  test('[HP9] offline edits are unsynced after a reconnect until the last of them is on disk', async () => {
    const { store, hold, release, waiting } = holdableStore()
    const { url } = await startServer({ store })
    const a = join(url)
    a.doc.getText('t').insert(0, 'base')
    await saved(a)

    await goOffline(a)
    for (let i = 0; i < 5; i++) a.doc.getText('t').insert(0, `${i}`)
    hold()
    void a.websocket.connect()
    await until(() => waiting() === 1, 'the append')
    await new Promise(resolve => setTimeout(resolve, 100))
    const wasUnsaved = a.provider.hasUnsyncedChanges
    release()
    await saved(a)

    expect(wasUnsaved).toBe(true)
    const other = join(url)
    await providerSynced(other)
    expect(textOf(other)).toBe('43210base')
  })

  test.each([
    ['', false],
    [', with a forceSync among them', true]
  ])(
    '[HP9] an edit after a reconnect stays unsynced until on disk, whatever was made before%s',
    async (_, forced) => {
      const { store, waiting, step, stored } = steppedStore()
      const { url } = await startServer({ store })
      const a = join(url)
      const begun = stepUntil(step, () => a.provider.isSynced && !a.provider.hasUnsyncedChanges)
      a.doc.getText('t').insert(0, 'base')
      await begun

      await goOffline(a)
      for (let i = 0; i < 5; i++) {
        a.doc.getText('t').insert(0, `${i}`)
        if (forced && i === 2) a.provider.forceSync()
      }
      void a.websocket.connect()
      await until(() => waiting() > 0, 'the append')
      // All of them have come, and what comes now is in another append.
      await new Promise(resolve => setTimeout(resolve, 100))
      a.doc.getMap('m').set('k', 'newest')
      await new Promise(resolve => setTimeout(resolve, 50))
      const early: number[] = []
      const count = a.provider.unsyncedChanges
      const look = () => {
        if (a.provider.unsyncedChanges <= 0 && !stored('newest')) early.push(a.provider.unsyncedChanges)
      }
      a.provider.on('unsyncedChanges', look)
      await stepUntil(step, () => stored('newest'))
      await saved(a)
      await new Promise(resolve => setTimeout(resolve, 100))

      expect(early).toEqual([])
      expect([count, a.provider.unsyncedChanges]).toEqual([2, 0])
      // And they keep step from then on.
      a.doc.getMap('m').set('k', 'last')
      const counted = a.provider.hasUnsyncedChanges
      await stepUntil(step, () => stored('last'))
      await saved(a)
      expect([counted, a.provider.unsyncedChanges]).toEqual([true, 0])
    }
  )

  test('[HP9] synced comes with the last stored character, with offline edits and a slow join', async () => {
    const store = createMemoryStore()
    const stored = largeDocument(3_000_000)
    await storeDocument(store, 'room', stored)
    await compacted(store, 'room')
    const { url } = await startServer({ store })
    const proxy = await startProxy(url, { bytesPerSecond: 3_000_000 })
    const doc = new Y.Doc()
    doc.getText('mine').insert(0, 'written offline')

    const client = join(proxy.url, doc)
    let atSync: { length: number; receivedBytes: number } | null = null
    client.provider.on('synced', () => {
      if (client.provider.isSynced)
        atSync ??= { length: textOf(client).length, receivedBytes: proxy.downBytes() }
    })
    await until(() => proxy.downBytes() > 100_000, 'the join to be under way')
    const early = client.provider.isSynced
    for (let i = 0; i < 3; i++) client.doc.getText('mine').insert(0, `${i}`)
    await saved(client)

    expect(early).toBe(false)
    expect(atSync).toMatchObject({ length: stored.getText('t').length })
    const other = connect(url, 'room')
    onTestFinished(other.destroy)
    await synced(other)
    expect(other.doc.getText('mine').toString()).toBe('210written offline')
  })

  test('[HP8] killed right after an acknowledgement, again and again: nothing acknowledged is lost', async () => {
    const directory = temporaryDirectory()
    const doc = new Y.Doc()
    let port = '0'
    const acknowledged: string[] = []
    const rounds = process.env.CHORUS_LONG === '1' ? 8 : 4

    for (let round = 0; round < rounds; round++) {
      const server = await spawnServer(['--port', port, '--data', directory, '--log-level', 'silent'])
      port = new URL(server.url).port
      const client = provide(server.url, 'room', { version, doc, token: 'tok' })
      await saved(client)
      for (let i = 0; i < 3; i++) {
        doc.getMap('m').set(`${round}.${i}`, 'x'.repeat(100))
        await saved(client)
        acknowledged.push(`${round}.${i}`)
      }
      await server.kill()
      client.destroy()
    }
    const server = await spawnServer(['--port', port, '--data', directory])
    const reader = provide(server.url, 'room', { version, token: 'tok' })
    await providerSynced(reader)

    expect(acknowledged.filter(key => !reader.doc.getMap('m').has(key))).toEqual([])
    expect(acknowledged.length).toBe(3 * rounds)
  })

  test('a provider comes back to a server that was restarted, and sends what it lacks', async () => {
    const directory = temporaryDirectory()
    const first = await spawnServer(['--port', '0', '--data', directory, '--log-level', 'silent'])
    const client = join(first.url)
    client.doc.getText('t').insert(0, 'before')
    await saved(client)
    await first.terminate()
    await until(() => !client.provider.isSynced, 'the end of the connection')

    client.doc.getText('t').insert(6, ' and meanwhile')
    const second = await spawnServer(['--port', new URL(first.url).port, '--data', directory])
    await saved(client)

    const reader = join(second.url)
    await providerSynced(reader)
    expect(textOf(reader)).toBe('before and meanwhile')
  })

  test('forceSync ends with nothing unsynced, however often it is called among edits', async () => {
    const { url } = await startServer()
    const a = join(url)
    await saved(a)

    for (let i = 0; i < 10; i++) {
      a.doc.getText('t').insert(0, 'x')
      a.provider.forceSync()
      if (i === 5) breakOff(a)
    }
    await saved(a)
    a.doc.getText('t').insert(0, 'y')
    const counted = a.provider.hasUnsyncedChanges
    await saved(a)

    expect(counted).toBe(true)
    const other = join(url)
    await providerSynced(other)
    expect(textOf(other)).toBe(textOf(a))
  })
})

describe('the watchdog of providers', () => {
  test('[HP13] none reconnects within 40 s of silence, with and without awareness', async () => {
    const { url } = await startServer()
    const clients = providerVersions.flatMap(version => [
      provide(url, 'idle', { version, token: 'tok', configuration: { awareness: null } }),
      // 2.x and 3.x stay alive by echoes of their own state, if at all.
      provide(url, `quiet ${version}`, { version, token: 'tok' })
    ])
    await Promise.all(clients.map(providerSynced))
    const sockets = clients.map(({ websocket }) => websocket.webSocket)
    let closes = 0
    for (const { websocket } of clients) websocket.on('close', () => closes++)

    await new Promise(resolve => setTimeout(resolve, 40_000))

    expect(closes).toBe(0)
    expect(clients.map(({ websocket }) => websocket.webSocket)).toEqual(sockets)
    clients[0]?.doc.getText('t').insert(0, 'awake')
    await until(() => clients[2] !== undefined && textOf(clients[2]) === 'awake', 'an edit to arrive')
  })
})

/** Text that does not compress into few structs: several clients typed it. */
function largeDocument(length: number): Y.Doc {
  const random = randomFrom(7)
  const doc = new Y.Doc()
  const letters = Array.from({ length: 1_000 }, () => String.fromCharCode(97 + Math.floor(random() * 26)))
  const chunk = letters.join('')
  for (let at = 0; at < length; at += chunk.length) doc.getText('t').insert(at, chunk)
  return doc
}
