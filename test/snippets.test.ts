/**
 * What the pages show works: each JavaScript block of them is run as it stands there, and then looked at. Blocks that
 * mount an editor need a browser: test/browser/snippets.test.ts runs those.
 */
import { expect, test } from 'vitest'
import type { Authorize } from '../src/index.ts'
import { startServer } from './support/server.ts'
import { run, type Snippet, snippetsOf } from './support/snippets.ts'

/** A block is known by a line in it. `before` and `after` are run around it, in its place; what it prints is expected. */
type Case = {
  readonly has: string
  readonly before?: string
  readonly after: string
  readonly prints: RegExp
  readonly packages?: Readonly<Record<string, string>>
}

const stop = 'await server.stop()'
const assert = "const assert = (await import('node:assert/strict')).default"

/** Types until the connection has ended twice, and expects that another client has all of it. */
const typing = `${assert}
  const text = provider.doc.getText('t')
  const closes = []
  provider.on('connection-close', event => event !== null && closes.push(event.code))
  const timer = setInterval(() => text.insert(text.length, 'x'), 10)
  while (closes.length < 2) await new Promise(done => setTimeout(done, 10))
  clearInterval(timer)
  while (!provider.synced) await new Promise(done => setTimeout(done, 10))
  const other = new WebsocketProvider('ws://127.0.0.1:1234', 'my-room', new Y.Doc(), { params: { token: await newToken() } })
  while (other.doc.getText('t').length < text.length) await new Promise(done => setTimeout(done, 10))
  console.log('closed with', ...closes)
  for (const each of [provider, other]) { each.destroy(); each.doc.destroy() }`

const readme: readonly Case[] = [
  {
    has: "import { ChorusProvider } from 'y-chorus/client'",
    after: 'console.log(provider.getSnapshot().saved); provider.destroy()',
    prints: /^yes\n$/
  },
  {
    has: "new WebsocketProvider('ws://127.0.0.1:1234', room, doc)",
    after:
      "await new Promise(done => provider.on('sync', done)); await new Promise(setImmediate); provider.destroy(); doc.destroy()",
    prints: /the stored document is here: true/
  },
  { has: '// … and when you are done:', after: '', prints: /^http:\/\/127\.0\.0\.1:\d+\n/ },
  {
    has: "name: 'my room' })\nprovider.on('unsyncedChanges'",
    after: `provider.document.getText('t').insert(0, 'x')
      await new Promise(done => provider.on('synced', done))
      while (provider.hasUnsyncedChanges) await new Promise(done => setTimeout(done, 10))
      process.exit()`,
    prints: /all edits are on disk: true\n$/,
    packages: { '@hocuspocus/provider': '@hocuspocus/provider4' }
  },
  {
    has: 'WebSocketPolyfill: WebSocket, disableBc: true',
    after: `const other = new WebsocketProvider('ws://127.0.0.1:1234', 'my-room', new Y.Doc(), options)
      while (other.doc.getText('body').toString() === '') await new Promise(done => setTimeout(done, 10))
      console.log(other.doc.getText('body').toString())
      for (const each of [provider, other]) { each.destroy(); each.doc.destroy() }`,
    prints: /^Hello from Node\. \n$/
  }
]

const embedding: readonly Case[] = [
  {
    has: "authorize: jwt({ secret: 'at least",
    after: `${assert}
      const { SignJWT } = await import('jose')
      const { WebsocketProvider } = await import('y-websocket')
      const { WebSocket } = await import('ws')
      const Y = await import('yjs')
      const key = new TextEncoder().encode('at least 32 characters that only your servers know')
      const claims = { sub: 'ada', name: 'Ada', rooms: { 'team/**': 'write' } }
      const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(key)
      const provider = new WebsocketProvider(server.url.replace('http', 'ws'), 'team/notes', new Y.Doc(), {
        params: { token },
        WebSocketPolyfill: WebSocket
      })
      await new Promise(done => provider.once('sync', done))
      const closed = new Promise(done => provider.once('connection-close', done))
      assert.deepEqual(await server.revoke({ user: 'ada' }), { checked: 1, changed: 0, ended: 1 })
      console.log('synced, then closed with', (await closed).code)
      provider.destroy()
      provider.doc.destroy()
      ${stop}`,
    prints: /synced, then closed with 4403\n/
  },
  {
    has: "server.broadcastStateless('my-room'",
    after: `${assert}
      const { WebsocketProvider } = await import('y-websocket')
      const { WebSocket } = await import('ws')
      const Y = await import('yjs')
      const connect = (room, token) =>
        new WebsocketProvider(server.url.replace('http', 'ws'), room, new Y.Doc(), {
          params: { token },
          WebSocketPolyfill: WebSocket
        })
      const writer = connect('my-room', 'a-secret')
      await new Promise(done => writer.once('sync', done))
      const stranger = connect('my-room', 'a-guess')
      const closed = await new Promise(done => stranger.once('connection-close', done))
      console.log('synced', writer.synced, 'and closed with', closed.code)
      for (const provider of [writer, stranger]) { provider.destroy(); provider.doc.destroy() }
      ${stop}`,
    prints: /synced true and closed with 440[13]\n/
  },
  {
    has: 'await chorus.attach(httpServer)',
    after: 'await chorus.stop(); httpServer.close()',
    prints: /^$/
  },
  {
    has: '// Initial content of a document that is not stored yet',
    after: `${assert}
      await server.change('welcome', doc => assert.equal(doc.getText('body').toString(), 'Reviewed. Hello!'))
      ${stop}`,
    prints: /welcome was changed by an editor: Reviewed\. Hello!\n/
  },
  {
    has: 'function clientIDOf(',
    after: `${assert}
      await server.change('welcome', doc => assert.equal(doc.getText('body').toString(), 'Hello!'))
      assert.equal(clientIDOf('a', 'b'), clientIDOf('a', 'b'))
      assert.notEqual(clientIDOf('a', 'b'), clientIDOf('a', 'c'))
      ${stop}`,
    prints: /^$/
  },
  { has: 'doc.toJSON()', after: stop, prints: /^Hello \{ body: 'Hello' \}\n$/ },
  {
    has: "{ author: 'agent' }",
    after: `${assert}
      const text = async () => {
        let found
        await server.change('notes/1', doc => { found = doc.getText('body').toString() })
        return found
      }
      while (await text() !== 'Draft: Reviewed. ') await new Promise(setImmediate)
      ${stop}`,
    prints: /^$/
  },
  {
    has: 'await put(document, update)',
    after: `${assert}
      await server.change('notes/1', doc => doc.getText('body').insert(0, 'Hello'), { author: 'Ada' })
      ${stop}
      assert.deepEqual([...index], [['notes/1', 'Hello']])`,
    prints: /^notes\/1 was changed by Ada\n$/
  },
  {
    has: "server.delete('notes/1')",
    after: stop,
    prints: /^\[ 'notes\/1', 'notes\/2' \]\n\[ 'notes\/2', 'plans\/1' \]\ntrue\n$/
  },
  {
    has: 'chorus.connect(socket, request)',
    after: `const { WebsocketProvider } = await import('y-websocket')
      const { Doc } = await import('yjs')
      const url = 'ws://127.0.0.1:' + httpServer.address().port + '/collab'
      const doc = new Doc()
      const provider = new WebsocketProvider(url, 'my-room', doc)
      await new Promise(done => provider.on('sync', done))
      console.log(await chorus.read('my-room') === null ? 'synced' : 'odd')
      provider.destroy()
      doc.destroy()
      await chorus.stop()
      sockets.close(); httpServer.close(); httpServer.closeAllConnections()`,
    prints: /^synced\n$/
  },
  {
    has: "throw new Refusal('the archive",
    after: `${assert}
      await server.change('page/1', doc => doc.getText('body').insert(0, 'Hello'))
      await assert.rejects(server.change('nothing', () => {}), { code: 'ERR_NO_DOCUMENT' })
      ${stop}`,
    prints: /^$/
  }
]

const migrating: readonly Case[] = [
  { has: 'SELECT name, data FROM documents', after: '', prints: /\[ 'notes\/1' \]/ },
  {
    has: 'new LeveldbPersistence(',
    // Names as the old server saw them: paths of URLs. The last one named no room.
    before: `{
      const { LeveldbPersistence } = await import('y-leveldb')
      const { Doc, encodeStateAsUpdate } = await import('yjs')
      const old = new LeveldbPersistence('./old-data')
      for (const name of ['notes/1', 'my%20room', 'Gr%C3%BC%C3%9Fe', '50%%20off', '%FF', '']) {
        for (const words of ['was ', name]) {
          const doc = new Doc()
          doc.getText('body').insert(0, words)
          await old.storeUpdate(name, encodeStateAsUpdate(doc))
        }
      }
      await old.destroy()
    }`,
    after: `${assert}
      assert.equal(process.exitCode, 1)
      process.exitCode = 0
      const again = createServer({ data: './chorus-data' })
      await again.listen()
      const names = ['%FF', '50% off', 'Grüße', 'my room', 'notes/1']
      assert.deepEqual(await again.documents(), names)
      for (const name of names) {
        await again.change(name, doc => assert.match(doc.getText('body').toString(), /was /))
      }
      await again.stop()`,
    prints: /was not moved: [\s\S]*my%20room is now my room\n/
  }
]

const clients: readonly Case[] = [
  {
    has: 'new YjsProvider({',
    after: `const { WebsocketProvider } = await import('y-websocket')
      const other = new WebsocketProvider('ws://127.0.0.1:1234', 'my-room', new Y.Doc())
      await new Promise(done => provider.on('synced', isSynced => isSynced && done()))
      await provider.disconnect()
      doc.getText('t').insert(0, 'typed while it was away')
      while (other.doc.getText('t').length === 0) await new Promise(done => setTimeout(done, 10))
      console.log(other.doc.getText('t').toString())
      process.exit()`,
    prints: /typed while it was away\n$/
  },
  { has: 'provider.params = { token', after: typing, prints: /closed with 4503 4503\n$/ },
  {
    has: 'provider.url = ',
    after: typing,
    prints: /closed with 4503 4503\n$/,
    packages: { 'y-websocket': 'y-websocket-1' }
  },
  {
    has: 'new HocuspocusProvider({',
    after: `const text = provider.document.getText('t')
      let asked = 0
      provider.configuration.token = async () => { asked++; return newToken() }
      while (asked < 3) { text.insert(0, 'x'); await new Promise(done => setTimeout(done, 10)) }
      while (provider.hasUnsyncedChanges) await new Promise(done => setTimeout(done, 10))
      console.log('all is saved')
      process.exit()`,
    prints: /all is saved\n$/,
    packages: { '@hocuspocus/provider': '@hocuspocus/provider4' }
  }
]

const ownClient: readonly Case[] = [
  {
    has: "// on the server's disk",
    after: 'provider.destroy(); doc.destroy()',
    prints: /saving\n[\s\S]*yes\n/
  },
  {
    has: 'token: newToken',
    after: `${assert}
      const text = provider.doc.getText('t')
      const closes = []
      provider.on('connection-close', closed => closes.push(closed))
      for (const start = Date.now(); Date.now() - start < 2_500; ) {
        text.insert(0, 'x')
        await new Promise(done => setTimeout(done, 20))
      }
      await provider.saved()
      assert.deepEqual(closes, [])
      console.log('all is saved')
      provider.destroy()`,
    prints: /^all is saved\n$/
  },
  {
    has: '{ offline: true }',
    // Node has no IndexedDB: it is said, and the document works.
    after: `provider.doc.getText('t').insert(0, 'x')
      await provider.saved()
      console.log(provider.getSnapshot().saved, typeof signOut)
      provider.destroy()`,
    prints: /^denied [\s\S]*yes function\n$/
  },
  {
    has: 'new ChorusSocket(',
    after: `for (const each of [notes, tasks]) each.doc.getText('t').insert(0, each.roomname)
      await Promise.all([notes.saved(), tasks.saved()])
      console.log(notes.getSnapshot().saved, tasks.getSnapshot().saved)
      for (const each of [notes, tasks]) each.destroy()`,
    prints: /^yes yes\n$/
  }
]

/** `example.org` resolves to nobody here, so that outlet is told again and again. */
const feed: readonly Case[] = [
  {
    has: "name: 'audit'",
    after: `await server.change('notes', doc => void doc.getText('t').insert(0, 'x'))
      // Of a document that came and went before anybody was told, nobody is told.
      await new Promise(done => setTimeout(done, 3000))
      await server.delete('notes')
      while (!(await server.metrics()).includes('outlet="audit",outcome="done"')) {
        await new Promise(done => setTimeout(done, 50))
      }
      ${stop}`,
    prints: /notes was deleted/
  }
]

const agents: readonly Case[] = [
  {
    has: "agent: 'Copy desk'",
    after: `console.log((await server.read('notes')) !== null); ${stop}`,
    prints: /^200 \{[\s\S]*isChanged: true[\s\S]*true/
  }
]

const casesByPage: Readonly<Record<string, readonly Case[]>> = {
  'README.md': readme,
  'docs/embedding.md': embedding,
  'docs/feed.md': feed,
  'docs/migrating.md': migrating,
  'docs/clients.md': clients,
  'docs/client.md': ownClient,
  'docs/agents.md': agents
}

const snippets = Object.keys(casesByPage)
  .flatMap(snippetsOf)
  .filter(({ runsIn }) => runsIn === 'node')
const cases = Object.values(casesByPage).flat()

test('every block of the pages is run, and nothing else', () => {
  const unmatched = snippets.filter(snippet => casesOf(snippet).length !== 1)
  const unused = cases.filter(each => !snippets.some(({ code }) => code.includes(each.has)))

  expect(unmatched.map(({ page, line }) => `${page}:${line}`)).toEqual([])
  expect(unused.map(({ has }) => has)).toEqual([])
})

test.each(snippets)('$page:$line does what it says', async snippet => {
  const [expected] = casesOf(snippet)
  if (expected === undefined) throw new Error('no case for it')
  // Tokens are the time at which they expire; most clients of the pages have none, or send an empty one.
  const authorize: Authorize = ({ token }) => ({
    user: null,
    access: 'write',
    expiresAt: token === null || token === '' ? Number.POSITIVE_INFINITY : Number(token)
  })
  const { url } = await startServer({ authorize })

  const printed = await run({
    code: `${expected.before ?? ''}\n${snippet.code}\n${expected.after}\n`,
    url,
    packages: expected.packages ?? {}
  })

  expect(printed).toMatch(expected.prints)
})

function casesOf(snippet: Snippet): readonly Case[] {
  return (casesByPage[snippet.page] ?? []).filter(({ has }) => snippet.code.includes(has))
}
