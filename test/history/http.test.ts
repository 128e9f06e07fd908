/** The past of documents over HTTP: what each route answers, to whom, and what it says of questions that it cannot read. */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createServer, type Grant, type Server, type ServerOptions } from '../../src/index.ts'

const admin = 'the token of the operator, and long'
const document = 'team/notes 1'

/** Tokens are the names of people, each of whom may do something else with histories. */
const grants: Readonly<Record<string, Omit<Grant, 'user'>>> = {
  writer: { access: 'write' },
  reader: { access: 'read', history: 'read' },
  restorer: { access: 'write', history: 'restore' },
  pretender: { access: 'read', history: 'restore' }
}

async function started(options: ServerOptions = {}): Promise<{ server: Server; ask: Ask }> {
  const server = createServer({
    data: ':memory:',
    pages: null,
    history: [{ documents: '**' }],
    adminToken: admin,
    authorize: ({ token }) => ({ user: { id: token ?? '' }, ...(grants[token ?? ''] ?? { access: 'none' }) }),
    ...options
  })
  onTestFinished(() => server.stop())
  const url = await server.listen()
  for (const [author, text] of [
    ['ann', 'one '],
    ['ben', 'two ']
  ] as const) {
    await server.change(document, doc => doc.getText('body').insert(doc.getText('body').length, text), {
      author
    })
  }
  const ask: Ask = (token, path, init = {}) =>
    fetch(`${url}/api/documents/${encodeURIComponent(document)}/history${path}`, {
      ...init,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers }
    })
  return { server, ask }
}

type Ask = (
  token: string | null,
  path: string,
  init?: { method?: string; body?: string; headers?: Record<string, string> }
) => Promise<Response>

/** What the routes answer, as far as it is looked at here. */
type Said = {
  readonly id: string
  readonly bursts: readonly { readonly author: { readonly user: string } }[]
  readonly reasons: readonly unknown[]
  readonly types: Readonly<Record<string, { readonly pieces: readonly Piece[] }>>
}
type Piece = { readonly change: string; readonly text: string; readonly by: number }

async function said(answer: Promise<Response>): Promise<Said> {
  return (await (await answer).json()) as Said
}

function textOf(update: Uint8Array): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('body').toString()
}

async function read(server: Server): Promise<string> {
  return textOf((await server.read(document)) ?? new Uint8Array([0, 0]))
}

test('a right of its own decides who may ask, and who may restore', async () => {
  const { ask } = await started()
  const restore = { method: 'POST', body: '{"sequence":1}' }

  const seen = async (token: string | null, path: string, init = {}) => (await ask(token, path, init)).status
  expect(await seen(null, '')).toBe(401)
  expect(await seen('stranger', '')).toBe(403)
  expect(await seen('writer', '')).toBe(403)
  expect(await seen('reader', '')).toBe(200)
  expect(await seen('reader', '/restore', restore)).toBe(403)
  // Who may not write may not restore.
  expect(await seen('pretender', '')).toBe(200)
  expect(await seen('pretender', '/restore', restore)).toBe(403)
  expect(await seen('restorer', '/prune', { method: 'POST', body: '{"before":"2020-01-01"}' })).toBe(401)
  expect(await seen(admin, '/prune', { method: 'POST', body: '{"before":"2020-01-01"}' })).toBe(200)
})

test('each route answers as the calls do', async () => {
  const { server, ask } = await started()
  const { head } = await server.history(document).extent()

  const extent = await said(ask('reader', ''))
  const update = await ask('reader', `/at?sequence=${head - 1}`)
  const contents = await ask('reader', `/at?sequence=${head}&types=body:text`)
  const activity = await said(ask('reader', '/activity'))
  const diff = await said(ask('reader', `/diff?from=sequence:${head - 1}&roots=body`))
  const blame = await said(ask('reader', '/blame'))

  expect(extent).toMatchObject({ head, versions: [], holes: [] })
  expect(update.headers.get('content-type')).toBe('application/octet-stream')
  expect(textOf(new Uint8Array(await update.arrayBuffer()))).toBe('one ')
  expect(await contents.json()).toEqual({ body: [{ insert: 'one two ' }] })
  expect(activity.bursts.map(({ author }) => author.user)).toEqual(['ann', 'ben'])
  const pieces = diff.types.body?.pieces ?? []
  expect(pieces.map(({ change, text }) => [change, text])).toEqual([
    ['kept', 'one '],
    ['added', 'two ']
  ])
  expect(diff.reasons[(pieces[1]?.by ?? 0) - 1]).toMatchObject({ author: { user: 'ben' } })
  expect(blame.reasons).toHaveLength(2)
})

test('a version is named, restored in the name of whoever asks, once for each key, and its name taken away', async () => {
  const { server, ask } = await started()
  const named = await said(ask('restorer', '/versions', { method: 'POST', body: '{"name":"both"}' }))
  expect(named).toMatchObject({ name: 'both', author: 'restorer', kind: 'named' })
  await server.change(document, doc => doc.getText('body').delete(0, 4), { author: 'ann' })

  const again = {
    method: 'POST',
    body: JSON.stringify({ version: named.id, author: 'somebody else' }),
    headers: { 'idempotency-key': 'key 1' }
  }
  const [first, second] = [await ask('restorer', '/restore', again), await ask('restorer', '/restore', again)]

  const answer = await first.json()
  expect(answer).toMatchObject({ isChanged: true, key: 'key 1' })
  expect(await second.json()).toEqual(answer)
  expect(await read(server)).toBe('one two ')
  const { bursts } = await server.history(document).activity()
  expect(bursts.at(-1)?.author).toEqual({ user: 'restorer', connection: null, origin: 'restore' })
  expect((await ask('restorer', `/versions/${named.id}`, { method: 'DELETE' })).status).toBe(200)
  expect((await ask('restorer', `/versions/${named.id}`, { method: 'DELETE' })).status).toBe(404)
  expect((await ask('restorer', '/restore', { ...again, headers: {} })).status).toBe(404)
})

test('what one person did is taken back, and what others did stays', async () => {
  const { server, ask } = await started()
  const body = '{"user":"ann","from":"sequence:0"}'

  const answer = await ask('restorer', '/undo', { method: 'POST', body })

  expect(await answer.json()).toMatchObject({ isChanged: true })
  expect(await read(server)).toBe('two ')
})

test('what has not changed is not computed and sent again', async () => {
  const { server, ask } = await started()
  const first = await ask('reader', '/blame')
  const etag = first.headers.get('etag') ?? ''
  const headers = { 'if-none-match': etag }

  expect((await ask('reader', '/blame', { headers })).status).toBe(304)
  expect((await ask('reader', '/activity', { headers })).status).toBe(200)
  await server.change(document, doc => doc.getText('body').insert(0, 'x'))
  expect((await ask('reader', '/blame', { headers })).status).toBe(200)
})

test.each([
  ['/at', 'the moment is missing'],
  ['/at?time=yesterday', 'is no time'],
  ['/at?time=1&sequence=1', 'not both'],
  ['/at?sequence=-1', 'is no moment'],
  ['/at?sequence=1&types=body', 'types is a list'],
  ['/at?sequence=1&types=body:tree', 'types is a list'],
  ['/diff', 'from is missing'],
  ['/diff?from=sequence:x', 'is no moment'],
  ['/blame?roots=a,,b', 'roots is a list'],
  ['/activity?limit=1000000', 'limit is a whole number']
])('%s says what is wrong', async (path, reason) => {
  const { ask } = await started()

  const answer = await ask('reader', path)

  expect(answer.status).toBe(400)
  expect(await answer.json()).toEqual({ error: 'ERR_BAD_MESSAGE', message: expect.stringContaining(reason) })
})

test('a moment that is not known, and a body that is none, are told apart', async () => {
  const { ask } = await started()
  const early = await ask('reader', '/at?time=1970-01-02T00:00:00Z')
  expect(early.status).toBe(404)
  expect(await early.json()).toMatchObject({
    error: 'ERR_NO_MOMENT',
    message: expect.stringMatching(/begins at 20\d\d/)
  })
  for (const body of ['[]', '{}', '{"sequence":1,"version":"x"}', '{"sequence":1,"roots":[]}']) {
    expect((await ask('restorer', '/restore', { method: 'POST', body })).status).toBe(400)
  }
})
