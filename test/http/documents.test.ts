/** Documents over HTTP: each form in which they are read, what becomes of what is written, and which pages may ask. */
import { request } from 'node:http'
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Server, ServerOptions } from '../../src/index.ts'
import { barrier, connect, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { admin, grantOf, updateWith } from './operations.ts'

const name = 'team/notes 50%'
const octets = { 'content-type': 'application/octet-stream' }

type Ask = (init?: RequestInit & { path?: string; query?: string }) => Promise<Response>

async function started(options: ServerOptions = {}): Promise<{ server: Server; ask: Ask }> {
  const server = await startServer({ adminToken: admin, ...options })
  const ask: Ask = ({ path = '', query = '', ...init } = {}) =>
    fetch(`${server.url}/api/documents/${encodeURIComponent(name)}${path}${query}`, init)
  return { server, ask }
}

function textIn(update: ArrayBuffer, apply = Y.applyUpdate): string {
  const doc = new Y.Doc()
  apply(doc, new Uint8Array(update))
  return doc.getText('body').toString()
}

test('a document is read as an update of either encoding, as what is lacking, as JSON and as text', async () => {
  const { server, ask } = await started()
  await server.change(name, (doc, { XmlText, XmlElement }) => {
    doc.getText('body').insert(0, 'one', { bold: true })
    doc.getMap('meta').set('n', [1, { a: null }])
    const paragraph = new XmlElement('p')
    paragraph.insert(0, [new XmlText('rich')])
    doc.getXmlFragment('rich').insert(0, [paragraph])
  })
  const vector = encodeURIComponent(Buffer.from((await server.read(name)) ?? []).toString('base64'))
  const have = new Y.Doc()
  Y.applyUpdate(have, (await server.read(name)) ?? new Uint8Array([0, 0]))
  const stateVector = encodeURIComponent(Buffer.from(Y.encodeStateVector(have)).toString('base64'))

  expect(textIn(await (await ask()).arrayBuffer())).toBe('one')
  expect(textIn(await (await ask({ query: '?encoding=v2' })).arrayBuffer(), Y.applyUpdateV2)).toBe('one')
  expect((await (await ask({ query: `?stateVector=${stateVector}` })).arrayBuffer()).byteLength).toBe(2)
  expect((await ask({ query: `?stateVector=${vector}` })).status).toBe(400)
  expect(await (await ask({ headers: { accept: 'application/json' } })).json()).toEqual({
    body: [{ insert: 'one', attributes: { bold: true } }],
    meta: { n: [1, { a: null }] },
    rich: '<p>rich</p>'
  })
  expect(await (await ask({ query: '?types=body:text,nothing:map' })).json()).toEqual({
    body: [{ insert: 'one', attributes: { bold: true } }],
    nothing: {}
  })
  expect(await (await ask({ query: '?type=body', headers: { accept: 'text/plain' } })).text()).toBe('one')
  expect(await (await ask({ query: '?type=rich', headers: { accept: 'text/*' } })).text()).toBe('rich')
})

test('what has not changed is answered with 304, and a slash in a name may stand as it is', async () => {
  const { server, ask } = await started()
  await ask({ method: 'PUT', headers: octets, body: updateWith('one') })
  const etag = (await ask()).headers.get('etag') ?? ''
  const headers = { 'if-none-match': `"other", ${etag}` }

  expect((await ask({ headers: { 'if-none-match': etag } })).status).toBe(304)
  expect((await ask({ headers })).status).toBe(304)
  expect((await fetch(`${server.url}/api/documents/team/notes%2050%25`)).headers.get('etag')).toBe(etag)
  const written = await ask({ path: '/updates', method: 'POST', headers: octets, body: updateWith('two') })
  expect((await ask({ headers })).status).toBe(200)
  expect((await ask({ headers: { 'if-none-match': written.headers.get('etag') ?? '' } })).status).toBe(304)
})

test('what is written is seen by clients at once, in the name of who wrote it', async () => {
  const { server, ask } = await started({ authorize: grantOf, history: [{ documents: '**' }] })
  const client = connect(server.url, name, { params: { token: 'writer' } })
  await synced(client)
  const authorization = 'Bearer writer'

  const answer = await ask({
    path: '/updates',
    method: 'POST',
    headers: { ...octets, authorization },
    body: updateWith('one')
  })

  expect(answer.status).toBe(200)
  await until(() => client.doc.getText('body').toString() === 'one', 'the text')
  const { bursts } = await server.history(name).activity()
  expect(bursts.map(({ author }) => author?.user)).toEqual(['ada'])
  client.destroy()
})

test('JSON becomes shared types, also within others', async () => {
  const { server, ask } = await started()
  const body = JSON.stringify({ body: 'one', list: ['a', { b: [1] }], meta: { deep: { er: 2 } } })

  const answer = await ask({ method: 'PUT', headers: { 'content-type': 'application/json' }, body })

  expect(answer.status).toBe(201)
  const doc = new Y.Doc()
  Y.applyUpdate(doc, (await server.read(name)) ?? new Uint8Array([0, 0]))
  expect(doc.getText('body').toString()).toBe('one')
  expect(doc.getArray('list').toJSON()).toEqual(['a', { b: [1] }])
  expect(doc.getMap('meta').get('deep')).toBeInstanceOf(Y.Map)
})

test('of several who create the same document at once, one does', async () => {
  const { ask } = await started()

  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map(text => ask({ method: 'PUT', headers: octets, body: updateWith(text) }))
  )

  expect(answers.map(({ status }) => status).sort()).toEqual([201, 412, 412, 412])
  expect(textIn(await (await ask()).arrayBuffer())).toHaveLength(1)
})

test('of several updates in one request all are taken, or none is', async () => {
  const { ask } = await started()
  const framed = (...updates: readonly Uint8Array[]) =>
    Buffer.concat(updates.flatMap(each => [Buffer.of(each.length), each]))
  const send = (body: Buffer) =>
    ask({
      path: '/updates',
      method: 'POST',
      headers: { 'content-type': 'application/vnd.y-chorus.updates' },
      body: Uint8Array.from(body)
    })

  expect((await send(framed(updateWith('a'), Buffer.from('no update')))).status).toBe(400)
  expect((await ask()).status).toBe(404)
  expect((await send(framed(updateWith('a'), updateWith('b')))).status).toBe(200)
  expect([...textIn(await (await ask()).arrayBuffer())].sort().join('')).toBe('ab')
})

test('a document that was deleted is 410 for readers and writers, until somebody creates it or forgets it', async () => {
  const { server, ask } = await started()
  const operator = { authorization: `Bearer ${admin}` }
  await ask({ method: 'PUT', headers: octets, body: updateWith('one') })
  const client = connect(server.url, name)
  await synced(client)
  await barrier(client)
  const closed = new Promise<number>(resolve =>
    client.provider.on('connection-close', (event: { code: number } | null) => resolve(event?.code ?? 0))
  )

  expect((await ask({ method: 'DELETE' })).status).toBe(401)
  expect((await ask({ method: 'DELETE', headers: operator })).status).toBe(200)
  expect(await closed).toBe(4404)
  client.destroy()
  expect((await ask()).status).toBe(410)
  expect(
    (await ask({ path: '/updates', method: 'POST', headers: octets, body: updateWith('two') })).status
  ).toBe(410)
  expect((await ask({ method: 'PUT', headers: octets, body: updateWith('new') })).status).toBe(201)
  expect(textIn(await (await ask()).arrayBuffer())).toBe('new')
  await ask({ method: 'DELETE', headers: operator })
  expect((await ask({ method: 'DELETE', headers: operator, query: '?purge' })).status).toBe(200)
  expect((await ask()).status).toBe(404)
})

test('names come in pages', async () => {
  const { server } = await started()
  for (const each of ['a/1', 'a/2', 'a/3', 'b']) await server.apply(each, updateWith(each))
  const client = connect(server.url, 'a/2')
  await synced(client)
  const list = async (query: string) => {
    const headers = { authorization: `Bearer ${admin}` }
    return (await fetch(`${server.url}/api/documents?${query}`, { headers })).json()
  }

  const first = (await list('prefix=a/&limit=2')) as {
    documents: { name: string; people: unknown[] | null }[]
    next: string
  }
  expect(first.documents.map(each => each.name)).toEqual(['a/1', 'a/2'])
  expect(first.documents[1]?.people).toHaveLength(1)
  expect(first.next).toBe('a/2')
  expect(await list(`prefix=a/&limit=2&after=${first.next}`)).toMatchObject({
    documents: [{ name: 'a/3' }],
    next: null
  })
  client.destroy()
})

test('pages of an origin that may connect may ask, and read; others may do neither', async () => {
  const { server, ask } = await started({ authorize: grantOf, origins: ['https://app.example'] })
  const from = (origin: string, more: Record<string, string> = {}) => ({ origin, ...more })
  const preflight = (origin: string) =>
    ask({ method: 'OPTIONS', headers: from(origin, { 'access-control-request-method': 'PUT' }) })
  await server.apply(name, updateWith('one'))
  const authorization = 'Bearer reader'

  const [yes, no] = [await preflight('https://app.example'), await preflight('https://evil.example')]
  const read = await ask({ headers: from('https://app.example', { authorization }) })
  const refused = await ask({ headers: from('https://evil.example', { authorization }) })

  expect([yes.status, yes.headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example'])
  expect([no.status, no.headers.get('access-control-allow-origin')]).toEqual([403, null])
  expect([read.status, read.headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example'])
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null])
})

test('whoever writes more to a document than it takes is told to wait', async () => {
  const { ask } = await started({ limits: { roomMessagesPerSecondMax: 1, roomMessagesBurstMax: 2 } })
  const write = () => ask({ path: '/updates', method: 'POST', headers: octets, body: updateWith('a') })

  const answers = [await write(), await write(), await write(), await write()]

  const refused = answers.find(({ status }) => status === 429)
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('a body above the limit is refused before it is read, with the limit', async () => {
  const { server } = await started({ limits: { documentBytesMax: 1_000 } })
  const sent = request(`${server.url}/api/documents/a/updates`, { method: 'POST', headers: octets })
  const answered = new Promise<{ status: number; body: string }>((resolve, reject) => {
    sent.on('error', reject)
    sent.on('response', response => {
      let body = ''
      response.on('data', chunk => {
        body += String(chunk)
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
  })
  // More than was allowed, and never the end.
  sent.write(Buffer.alloc(2_000))

  expect(await answered).toEqual({ status: 413, body: expect.stringContaining('1000 bytes at most') })
  sent.destroy()
})
