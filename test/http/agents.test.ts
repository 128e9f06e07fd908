/** Edits over HTTP, leased presence, and agents over MCP, beside people with the clients that they have. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Server, ServerOptions } from '../../src/index.ts'
import { connect, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { grantOf } from './operations.ts'

const patchType = 'application/json-patch+json'
const editsType = 'application/vnd.chorus.edits+json'
const document = 'team/notes'

type Started = { readonly server: Server; readonly url: string }

async function start(options: ServerOptions = {}): Promise<Started> {
  const server = await startServer({ mcp: true, ...options })
  await server.change(document, doc => {
    doc.getText('body').insert(0, 'The price is 10 coins.')
    doc.getMap('meta').set('title', 'Plan')
  })
  return { server, url: server.url }
}

function ask({ url }: Started, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url.replace(/^ws/, 'http').replace(/\/$/, '')}${path}`, init)
}

function patch(started: Started, type: string, body: unknown, headers: Record<string, string> = {}) {
  const init = { method: 'PATCH', headers: { 'content-type': type, ...headers }, body: JSON.stringify(body) }
  return ask(started, `/api/documents/${document}`, init)
}

type Called = { readonly isError: boolean; readonly answer: Record<string, unknown> }

/** A call of a tool as a client of the revision 2025-11-25 makes it. */
async function call(started: Started, name: string, input: unknown, token?: string): Promise<Called> {
  const response = await rpc(started, { method: 'tools/call', params: { name, arguments: input } }, token)
  const { result } = (await messageOf(response)) as {
    result: { isError?: boolean; content: { text: string }[] }
  }
  const text = result.content[0]?.text ?? ''
  const answer = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text }
  return { isError: result.isError === true, answer }
}

function rpc(
  started: Started,
  message: Readonly<Record<string, unknown>>,
  token?: string,
  headers: Record<string, string> = {}
) {
  return ask(started, '/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message })
  })
}

async function messageOf(response: Response): Promise<unknown> {
  const text = await response.text()
  const data = text.split('\n').find(line => line.startsWith('data: '))
  return JSON.parse(data === undefined ? text : data.slice(6))
}

describe('PATCH', () => {
  test('edits texts and data, and refuses what others have changed with the fresh passage', async () => {
    const started = await start()
    const read = await ask(started, `/api/documents/${document}/passages?type=body`)
    const { version, blocks } = (await read.json()) as { version: string; blocks: unknown[] }
    const change = { op: 'replace', quote: '10 coins', text: '11 coins' }

    const made = await patch(started, editsType, { type: 'body', changes: [change] }, { 'if-match': version })
    const data = await patch(started, patchType, [{ op: 'replace', path: '/meta/title', value: 'New' }])
    const late = { ...change, quote: '10 coins', text: '9 coins' }
    const refused = await patch(
      started,
      editsType,
      { type: 'body', changes: [late] },
      { 'if-match': version }
    )

    expect(blocks).toMatchObject([{ text: 'The price is 10 coins.', index: 0 }])
    expect([made.status, data.status, refused.status]).toEqual([200, 200, 412])
    expect(await refused.json()).toMatchObject({ error: 'ERR_CHANGED', passage: '11 coins', change: 0 })
    const after = await ask(started, `/api/documents/${document}/passages?form=json`)
    expect(await after.json()).toMatchObject({
      types: { body: 'The price is 11 coins.', meta: { title: 'New' } }
    })
  })

  test('says what is wrong with a body, and is for those who may write', async () => {
    const started = await start({ authorize: grantOf })
    const as = (token: string) => ({ authorization: `Bearer ${token}` })

    const broken = await patch(started, patchType, [{ op: 'jump', path: '/x' }], as('writer'))
    const cannot = await patch(started, patchType, [{ op: 'remove', path: '/meta/none' }], as('writer'))
    const reader = await patch(started, patchType, [{ op: 'remove', path: '/meta/title' }], as('reader'))
    const other = await patch(started, 'text/plain', [], as('writer'))

    expect([broken.status, cannot.status, reader.status, other.status]).toEqual([400, 422, 403, 415])
  })
})

test('a leased presence is seen by the clients of people, until its time is over or it is removed', async () => {
  const started = await start()
  const client = connect(started.url, document)
  onTestFinished(() => client.destroy())
  await synced(client)
  const { awareness } = client.provider
  const names = () =>
    [...awareness.getStates().values()].map(state => (state.user as { name?: string })?.name)
  const put = (id: string, seconds: number) =>
    ask(started, `/api/documents/${document}/presence/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ state: { user: { name: id } }, seconds })
    })

  expect((await put('bridge', 60)).status).toBe(200)
  expect((await put('guest', 1)).status).toBe(200)
  await until(() => names().includes('bridge') && names().includes('guest'), 'both are seen')
  await until(() => !names().includes('guest'), 'the time of one is over')
  const gone = await ask(started, `/api/documents/${document}/presence/bridge`, { method: 'DELETE' })
  expect(await gone.json()).toEqual({ isGone: true })
  await until(() => !names().includes('bridge'), 'the other was removed')
})

describe('MCP', () => {
  test('lists its tools, reads, edits, is seen where it writes, and takes back what it did', async () => {
    const started = await start({ history: [{ documents: '**' }] })
    const client = connect(started.url, document)
    onTestFinished(() => client.destroy())
    await synced(client)
    const listed = (await messageOf(await rpc(started, { method: 'tools/list' }))) as {
      result: { tools: { name: string }[] }
    }
    const { answer: read } = await call(started, 'read_document', { document, type: 'body' })

    const edit = { document, type: 'body', agent: 'Copy desk', version: read.version, wordsPerSecond: 50 }
    const change = { op: 'insert', quote: 'coins.', text: ' And tax.' }
    const edited = await call(started, 'edit_text', { ...edit, changes: [change] })
    const seen = () =>
      [...client.provider.awareness.getStates().values()].find(({ user }) => user?.agent === true)
    await until(() => seen() !== undefined, 'the agent is seen')

    expect(listed.result.tools.map(({ name }) => name)).toEqual([
      ...[
        'list_documents',
        'read_document',
        'edit_text',
        'edit_data',
        'history',
        'restore_point',
        'undo_mine'
      ]
    ])
    expect(edited.answer).toMatchObject({ outcome: 'edited' })
    expect(seen()).toMatchObject({ user: { name: 'Copy desk' }, cursor: { head: { item: {} } } })
    await until(() => client.doc.getText('body').toString().endsWith(' And tax.'), 'the text has come')
    expect(await started.server.history(document).versions()).toMatchObject([{ name: 'before Copy desk' }])
    const undone = await call(started, 'undo_mine', { document, agent: 'Copy desk' })
    expect(undone.answer).toMatchObject({ isChanged: true })
    await until(() => client.doc.getText('body').toString() === 'The price is 10 coins.', 'it is taken back')
    expect((await call(started, 'list_documents', {})).answer).toMatchObject({ documents: [document] })
  })

  test('answers a stale edit with the passage as it is, and does only what the token may', async () => {
    const started = await start({ authorize: grantOf })
    const { answer: read } = await call(started, 'read_document', { document, type: 'body' }, 'reader')
    await started.server.change(document, doc => {
      doc.getText('body').delete(13, 2)
      doc.getText('body').insert(13, '12')
    })
    const edit = { document, type: 'body', version: read.version }
    const changes = [{ op: 'replace', quote: 'price is 10', text: 'price is 9' }]

    const stale = await call(started, 'edit_text', { ...edit, changes }, 'writer')
    const reader = await call(started, 'edit_text', { ...edit, changes }, 'reader')
    const nobody = await rpc(started, { method: 'tools/list' })

    expect(stale).toMatchObject({ isError: false, answer: { outcome: 'stale', passage: 'price is 12' } })
    expect(reader).toMatchObject({ isError: true, answer: { error: 'ERR_FORBIDDEN' } })
    expect(nobody.status).toBe(401)
  })

  test('is not for pages of elsewhere, is bounded, and is off where nobody asked for it', async () => {
    const started = await start({ limits: { agentCallsBurstMax: 2, agentCallsPerSecond: 0.001 } })
    const page = await rpc(started, { method: 'tools/list' }, undefined, { origin: 'http://evil.example' })
    const rebound = await rpc(started, { method: 'tools/list' }, undefined, { origin: 'http://localhost:1' })
    const own = await rpc(started, { method: 'tools/list' }, undefined, {
      origin: new URL(started.url).origin
    })
    const large = await rpc(started, { method: 'tools/list', params: { x: 'x'.repeat(1_100_000) } })
    const edit = { document, type: 'body', changes: [{ op: 'insert', text: '.' }] }
    const calls = []
    for (let i = 0; i < 4; i++) calls.push((await call(started, 'edit_text', edit)).answer)
    const off = await start({ mcp: false })

    expect([page.status, rebound.status, own.status, large.status]).toEqual([403, 403, 200, 413])
    expect(calls.at(-1)).toMatchObject({ error: 'ERR_TOO_OFTEN' })
    expect((await rpc(off, { method: 'tools/list' })).status).toBe(404)
  })
})
