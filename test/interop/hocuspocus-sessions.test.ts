/** Several rooms on one socket, tokens, read-only, stateless messages: real providers of every supported version. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Attempt, Authorize } from '../../src/access/grant.ts'
import { createLog } from '../../src/base/log.ts'
import { createServer } from '../../src/server.ts'
import type { StatelessMessage } from '../../src/transport/stateless.ts'
import { connect, converged, synced, until } from '../support/clients.ts'
import {
  type HocuspocusClient,
  type HocuspocusOptions,
  openSocket,
  provide,
  providerSynced,
  providerVersions,
  saved
} from '../support/hocuspocus.ts'
import { startServer } from '../support/server.ts'

/** Grants what the token says, after a moment, as a real check would. */
const byToken: Authorize = async ({ token }) => {
  await new Promise(resolve => setImmediate(resolve))
  if (token === 'writer') return { user: { id: 'w' }, access: 'write' }
  if (token === 'reader') return { user: { id: 'r' }, access: 'read' }
  if (token === 'throws') throw new Error(`no user has the token ${token}`)
  return { user: null, access: 'none' }
}

const textOf = ({ doc }: Pick<HocuspocusClient, 'doc'>) => doc.getText('t').toString()

describe.each(providerVersions)('Hocuspocus %s', version => {
  const join = (url: string, room: string, options: HocuspocusOptions = {}) =>
    provide(url, room, { version, token: 'writer', ...options })

  /** What a provider is told about its token. */
  function verdictsOf({ provider }: HocuspocusClient): string[] {
    const verdicts: string[] = []
    provider.on('authenticated', () => verdicts.push(`authenticated ${provider.authorizedScope}`))
    provider.on('authenticationFailed', ({ reason }: { reason: string }) => verdicts.push(reason))
    return verdicts
  }

  describe('one socket', () => {
    test('[HP3] carries several rooms, each with its own document', async () => {
      const { url } = await startServer()
      const websocket = openSocket(url, version)
      const names = ['a', 'b', 'constructor', '__proto__', 'toString', 'é\u{1F642}', 'with/slash']

      const all = names.map(name => join(url, name, { websocket }))
      await Promise.all(all.map(providerSynced))
      for (const [i, { doc }] of all.entries()) doc.getText('t').insert(0, `in ${names[i]}`)
      await Promise.all(all.map(saved))

      for (const name of names) {
        const other = connect(url, encodeURIComponent(name))
        onTestFinished(other.destroy)
        await synced(other)
        expect(other.doc.getText('t').toString()).toBe(`in ${name}`)
      }
    })

    test('a provider that is destroyed leaves its room, and the others go on', async () => {
      const { url } = await startServer()
      const websocket = openSocket(url, version)
      const [gone, stays] = ['a', 'b'].map(name => join(url, name, { websocket })) as [
        HocuspocusClient,
        HocuspocusClient
      ]
      const watcher = join(url, 'a')
      await Promise.all([gone, stays, watcher].map(providerSynced))
      const sees = () => watcher.provider.awareness?.getStates().has(gone.doc.clientID) === true
      await until(sees, 'to be seen')
      const socket = websocket.webSocket

      gone.doc.getText('t').insert(0, 'last words')
      gone.destroy()
      stays.doc.getText('t').insert(0, 'still here')

      await until(() => !sees() && textOf(watcher) === 'last words', 'it to be gone, its words to be here')
      await saved(stays)
      expect(websocket.webSocket).toBe(socket)
    })

    test('[HP11] a provider that is destroyed and made again at once is in its room', async () => {
      const { url } = await startServer()
      const websocket = openSocket(url, version)
      const first = join(url, 'a', { websocket })
      await providerSynced(first)

      first.destroy()
      const second = join(url, 'a', { websocket })
      second.doc.getText('t').insert(0, 'again')
      await saved(second)

      const other = join(url, 'a')
      await providerSynced(other)
      expect(textOf(other)).toBe('again')
    })

    test('a room that restarts closes the socket, so that every room of it comes back', async () => {
      const store = createMemoryStore()
      let fails = false
      const append = store.append.bind(store)
      store.append = async entries => {
        if (fails) throw new Error('disk full')
        return append(entries)
      }
      const { url } = await startServer({ store })
      const websocket = openSocket(url, version)
      const all = ['a', 'b'].map(name => join(url, name, { websocket }))
      await Promise.all(all.map(providerSynced))
      const socket = websocket.webSocket

      fails = true
      for (const { doc } of all) doc.getText('t').insert(0, 'not lost')
      await until(() => websocket.webSocket !== socket, 'another socket')
      const wereUnsaved = all.map(({ provider }) => provider.hasUnsyncedChanges)
      fails = false
      await Promise.all(all.map(saved))

      expect(wereUnsaved).toEqual([true, true])
      expect([...(await store.list())].sort()).toEqual(['a', 'b'])
    })
  })

  describe('tokens', () => {
    test('[HP4] one that comes late lets everything in that was said before, in order', async () => {
      const { url } = await startServer({ authorize: byToken })
      let give = (_: string) => {}
      const token = () =>
        new Promise<string>(resolve => {
          give = resolve
        })
      const late = join(url, 'room', { token })
      await until(() => late.websocket.webSocket?.readyState === 1, 'an open socket')
      late.doc.getText('t').insert(0, 'early')
      await new Promise(resolve => setTimeout(resolve, 50))
      late.doc.getText('t').insert(5, ' bird')
      give('writer')
      await saved(late)

      const other = join(url, 'room')
      await providerSynced(other)
      expect(textOf(other)).toBe('early bird')
      expect(late.provider.unsyncedChanges).toBe(0)
    })

    test('[HP5] a refused one is told so, keeps its socket, and may be followed by a better one', async () => {
      const { url } = await startServer({ authorize: byToken })
      const websocket = openSocket(url, version)
      const fine = join(url, 'fine', { websocket })
      let token = 'wrong'
      const refused = join(url, 'room', { websocket, token: () => token })
      const verdicts = verdictsOf(refused)
      await until(() => verdicts.length === 1, 'a verdict')
      const socket = websocket.webSocket
      refused.doc.getText('t').insert(0, 'kept to myself')

      token = 'writer'
      const again = version === '2.15' ? join(url, 'room', { websocket, doc: refused.doc }) : refused
      if (version !== '2.15') {
        await again.provider.sendToken()
        again.provider.startSync()
      }
      await saved(again)
      await saved(fine)

      expect(verdicts[0]).toBe('no access to this document')
      expect(websocket.webSocket).toBe(socket)
      const other = join(url, 'room')
      await providerSynced(other)
      expect(textOf(other)).toBe('kept to myself')
    })

    test('[HP5] nothing of a refused client is stored or seen', async () => {
      const store = createMemoryStore()
      const { url } = await startServer({ store, authorize: byToken })
      const inside = join(url, 'room')
      await providerSynced(inside)

      for (const token of ['wrong', 'throws', '']) {
        const refused = join(url, 'room', { token: token === '' && version === '2.15' ? null : token })
        const verdicts = verdictsOf(refused)
        await until(() => verdicts.length > 0, 'a verdict')
        refused.doc.getText('t').insert(0, 'intruder')
        refused.provider.awareness?.setLocalState({ name: 'intruder' })
        await new Promise(resolve => setTimeout(resolve, 50))
        expect(refused.provider.hasUnsyncedChanges).toBe(true)
        expect(refused.provider.isAuthenticated).toBe(false)
        refused.destroy()
      }

      expect(textOf(inside)).toBe('')
      expect([...(inside.provider.awareness?.getStates().values() ?? [])]).toEqual([{}])
      expect(await store.list()).toEqual([])
    })

    test('[HP10] a reader sees everything, is told its scope, and what it writes is refused', async () => {
      const { url } = await startServer({ authorize: byToken })
      const writer = join(url, 'room')
      writer.doc.getText('t').insert(0, 'text')
      await saved(writer)

      const reader = join(url, 'room', { token: 'reader' })
      const verdicts = verdictsOf(reader)
      await saved(reader)
      reader.provider.awareness?.setLocalState({ name: 'a reader' })
      await until(() => stateOf(writer, reader) === 'a reader', 'the reader to be seen')
      reader.doc.getText('t').insert(0, 'scribble')
      writer.doc.getText('t').insert(4, ' goes on')
      await until(() => textOf(reader) === 'scribbletext goes on', 'the text to arrive')

      expect(verdicts).toEqual(['authenticated readonly'])
      expect(reader.provider.hasUnsyncedChanges).toBe(true)
      expect(textOf(writer)).toBe('text goes on')
    })

    test('[HP6] a token sent again changes what may be done, both ways, and what was refused follows', async () => {
      const { url } = await startServer({ authorize: byToken })
      let token = 'reader'
      const client = join(url, 'room', { token: () => token })
      const other = join(url, 'room')
      await Promise.all([providerSynced(client), providerSynced(other), saved(client)])
      const verdicts = verdictsOf(client)
      const renew = async (next: string) => {
        token = next
        const count = verdicts.length
        await sendToken(client)
        await until(() => verdicts.length > count, 'a verdict')
      }

      client.doc.getText('t').insert(0, 'refused')
      await until(() => client.provider.hasUnsyncedChanges, 'it to count')
      await renew('writer')
      await saved(client)
      await until(() => textOf(other) === 'refused', 'what was refused to arrive')
      await renew('reader')
      client.doc.getText('t').insert(0, 'never ')
      await new Promise(resolve => setTimeout(resolve, 50))

      expect(client.provider.unsyncedChanges).toBe(1)
      expect(textOf(other)).toBe('refused')
      await renew('wrong')
      other.doc.getText('t').insert(0, 'not for you ')
      await saved(other)
      await new Promise(resolve => setTimeout(resolve, 50))
      expect(textOf(client)).toBe('never refused')
    })
  })

  describe('stateless messages', () => {
    test('[HP12] reach the application, which answers one and tells all', async () => {
      const heard: StatelessMessage[] = []
      const server = createServer({
        data: ':memory:',
        pages: null,
        authorize: byToken,
        onStateless: message => {
          heard.push(message)
          message.reply(`you said ${message.payload}`)
          message.broadcast('somebody spoke')
        }
      })
      const url = await server.listen()
      onTestFinished(() => server.stop())
      const [a, b] = [join(url, 'room'), join(url, 'room')]
      const stranger = join(url, 'elsewhere')
      const told = [a, b, stranger].map(payloadsOf)
      await Promise.all([a, b, stranger].map(providerSynced))

      a.provider.sendStateless('hi \u{1F642}')
      await until(() => told[1]?.length === 1, 'the broadcast')
      server.broadcastStateless('room', 'from the server')
      await until(() => told[1]?.length === 2, 'the other')

      expect(told).toEqual([
        ['you said hi \u{1F642}', 'somebody spoke', 'from the server'],
        ['somebody spoke', 'from the server'],
        []
      ])
      expect(heard[0]).toMatchObject({ document: 'room', payload: 'hi \u{1F642}', user: { id: 'w' } })
    })

    test('[HP12] are relayed to the others if the server is told to, and not otherwise', async () => {
      for (const statelessRelay of [false, true]) {
        const { url } = await startServer({ statelessRelay })
        const [a, b] = [join(url, 'room'), join(url, 'room')]
        const told = [a, b].map(payloadsOf)
        await Promise.all([a, b].map(providerSynced))

        a.provider.sendStateless('hi')
        a.doc.getText('t').insert(0, 'after it')
        await until(() => textOf(b) === 'after it', 'what follows')

        expect(told).toEqual([[], statelessRelay ? ['hi'] : []])
      }
    })
  })
})

test('[HP3] session routing keys are members of their own in one room on one socket', async () => {
  const { url } = await startServer()
  const websocket = openSocket(url, '4.8')
  const configuration = { sessionAwareness: true }
  const [a, b] = [1, 2].map(() => provide(url, 'room', { websocket, configuration })) as [
    HocuspocusClient,
    HocuspocusClient
  ]
  const web = connect(url, 'room')
  onTestFinished(web.destroy)
  await Promise.all([providerSynced(a), providerSynced(b), synced(web)])

  a.doc.getText('t').insert(0, 'a')
  b.doc.getText('t').insert(0, 'b')
  a.provider.awareness?.setLocalState({ name: 'a' })
  b.provider.awareness?.setLocalState({ name: 'b' })
  await converged([a, b, web])
  await Promise.all([saved(a), saved(b)])
  await until(() => stateOf(a, b) === 'b' && stateOf(b, a) === 'a', 'both to be seen')
  await until(() => web.provider.awareness.getStates().size === 3, 'both to be seen by y-websocket')

  a.destroy()
  await until(() => web.provider.awareness.getStates().size === 2, 'one to be gone')
  expect(stateOf(b, b)).toBe('b')
})

test('[HP4] authorize sees who asks for what; a token never reaches the log', async () => {
  const attempts: Attempt[] = []
  const lines: string[] = []
  const log = createLog('debug', { write: (line: string) => void lines.push(line) })
  const authorize: Authorize = attempt => {
    attempts.push(attempt)
    throw new Error(`bad token ${attempt.token}`)
  }
  const { url } = await startServer({ authorize, log })

  const refused = provide(url, 'room', { token: 'sEcReT', path: '/?theme=dark' })
  await until(() => attempts.length === 1, 'an attempt')
  const web = connect(url, 'room', { params: { token: 'sEcReT' } })
  onTestFinished(web.destroy)
  await until(() => attempts.length === 2, 'another')
  await until(() => lines.length >= 2, 'the log')

  expect(refused.provider.isAuthenticated).toBe(false)
  expect(attempts[0]).toMatchObject({
    document: 'room',
    token: 'sEcReT',
    dialect: 'hocuspocus',
    address: '127.0.0.1'
  })
  expect(attempts[0]?.url).toContain('theme=dark')
  expect(attempts[1]).toMatchObject({ document: 'room', token: 'sEcReT', dialect: 'y-websocket' })
  expect(lines.join('')).not.toContain('sEcReT')
})

function stateOf(viewer: HocuspocusClient, other: Pick<HocuspocusClient, 'doc'>): unknown {
  return (viewer.provider.awareness?.getStates().get(other.doc.clientID) as { name?: string })?.name
}

function payloadsOf({ provider }: HocuspocusClient): string[] {
  const payloads: string[] = []
  provider.on('stateless', ({ payload }: { payload: string }) => payloads.push(payload))
  return payloads
}

/** 2.x has no way to send its token again on an open connection: a hand-written Auth frame is one. */
async function sendToken({ provider, websocket }: HocuspocusClient): Promise<void> {
  if (typeof provider.sendToken === 'function') return provider.sendToken()
  const token = await (provider as { getToken(): Promise<string> }).getToken()
  const text = (value: string) => [value.length, ...Buffer.from(value)]
  websocket.send(Uint8Array.from([...text(provider.configuration.name), 2, 0, ...text(token)]))
}
