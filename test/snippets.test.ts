/** What the pages show works: each JavaScript block of them is run as it stands there, and then looked at. */
import { expect, test } from 'vitest'
import { startServer } from './support/server.ts'
import { run, type Snippet, snippetsOf } from './support/snippets.ts'

/** A block is known by a line in it. `after` is run after it, in its place; what it prints is expected. */
type Case = { readonly has: string; readonly after: string; readonly prints: RegExp }

const stop = 'await server.stop()'
const assert = "const assert = (await import('node:assert/strict')).default"

const readme: readonly Case[] = [
  {
    has: "new WebsocketProvider('ws://127.0.0.1:1234', 'my-room', doc)",
    after:
      "await new Promise(done => provider.on('sync', done)); await new Promise(setImmediate); provider.destroy(); doc.destroy()",
    prints: /the stored document is here: true/
  },
  { has: '// … and when you are done:', after: '', prints: /^http:\/\/127\.0\.0\.1:\d+\n/ },
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
    has: 'onChange({ document, authors, read })',
    after: `${assert}
      await server.change('welcome', doc => assert.equal(doc.getText('body').toString(), 'Reviewed. Hello!'))
      ${stop}`,
    prints: /welcome was changed by server: Reviewed\. Hello!\n/
  }
]

const embedding: readonly Case[] = [
  {
    has: 'function clientIDOf(',
    after: `${assert}
      await server.change('welcome', doc => assert.equal(doc.getText('body').toString(), 'Hello!'))
      assert.equal(clientIDOf('a', 'b'), clientIDOf('a', 'b'))
      assert.notEqual(clientIDOf('a', 'b'), clientIDOf('a', 'c'))
      ${stop}`,
    prints: /^$/
  },
  { has: 'SELECT name, data FROM documents', after: '', prints: /\[ 'notes\/1' \]/ },
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
    has: '// After a crash: what was changed',
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
  }
]

const snippets = [...snippetsOf('README.md'), ...snippetsOf('docs/embedding.md')]
const cases = [...readme, ...embedding]

test('every block of the pages is run, and nothing else', () => {
  const unmatched = snippets.filter(snippet => casesOf(snippet).length !== 1)
  const unused = cases.filter(each => !snippets.some(({ code }) => code.includes(each.has)))

  expect(unmatched.map(({ page, line }) => `${page}:${line}`)).toEqual([])
  expect(unused.map(({ has }) => has)).toEqual([])
})

test.each(snippets)('$page:$line does what it says', async snippet => {
  const [expected] = casesOf(snippet)
  if (expected === undefined) throw new Error('no case for it')
  const { url } = await startServer()

  const printed = await run({ code: `${snippet.code}\n${expected.after}\n`, url })

  expect(printed).toMatch(expected.prints)
})

function casesOf(snippet: Snippet): readonly Case[] {
  const cases = snippet.page === 'README.md' ? readme : embedding
  return cases.filter(({ has }) => snippet.code.includes(has))
}
