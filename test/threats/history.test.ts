/** What somebody might do with the past of documents: read without a right, ask for too much, ask too often. */
import { expect, onTestFinished, test } from 'vitest'
import { signToken } from '../../src/access/sign.ts'
import { createServer, jwt, type Server, type ServerOptions } from '../../src/index.ts'

async function started(options: ServerOptions): Promise<{ server: Server; url: string }> {
  const server = createServer({ data: ':memory:', pages: null, history: [{ documents: '**' }], ...options })
  onTestFinished(() => server.stop())
  const url = await server.listen()
  await server.change('a', doc => doc.getText('body').insert(0, 'a secret'))
  await server.change('a', doc => doc.getText('body').delete(0, 8))
  return { server, url: `${url}/api/documents/a/history` }
}

test('a server that asks nobody shows nobody what was deleted, unless it was told to', async () => {
  const closed = await started({ authorize: 'none' })
  expect((await fetch(`${closed.url}/diff?from=sequence:0`)).status).toBe(403)
  const open = await started({ authorize: 'none', openHistory: 'read' })
  expect((await fetch(`${open.url}/diff?from=sequence:0`)).status).toBe(200)
  const restore = { method: 'POST', body: '{"sequence":1}' }
  expect((await fetch(`${open.url}/restore`, restore)).status).toBe(403)
})

test('a page of another site cannot have this machine restore a document', async () => {
  const { url } = await started({ openHistory: 'restore' })
  const headers = { origin: 'https://elsewhere.example' }
  const answer = await fetch(`${url}/restore`, { method: 'POST', body: '{"sequence":1}', headers })
  expect(answer.status).toBe(403)
  expect(await answer.json()).toMatchObject({ error: 'ERR_ORIGIN' })
})

test('a token that may write a document may not ask about its past, unless it says so of that document', async () => {
  const secret = 'a secret of at least thirty-two characters'
  const { url } = await started({ authorize: jwt({ secret }) })
  const shared = { user: 'ann', rooms: { '*': 'write' }, claim: 'rooms', lifeSeconds: 60 } as const
  const ask = async (token: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
  expect(await ask(await signToken(secret, shared))).toBe(403)
  expect(await ask(await signToken(secret, { ...shared, histories: { b: 'read' } }))).toBe(403)
  expect(await ask(await signToken(secret, { ...shared, histories: { '*': 'read' } }))).toBe(200)
})

test('one person has few questions under way, and others are answered meanwhile', async () => {
  const authorize: ServerOptions['authorize'] = ({ token }) => ({
    user: { id: token ?? '' },
    access: 'read',
    history: 'read'
  })
  const { url } = await started({ authorize: authorize ?? 'none', limits: { historyQuestionsMax: 2 } })
  const ask = async (token: string) =>
    (await fetch(`${url}/blame`, { headers: { authorization: `Bearer ${token}` } })).status
  const answers = await Promise.all([...Array.from({ length: 12 }, () => ask('many')), ask('one')])
  expect(new Set(answers.slice(0, 12))).toEqual(new Set([200, 503]))
  expect(answers.at(-1)).toBe(200)
})

test('an answer that would be too large is refused, and so is a question that needs too much', async () => {
  const answer = await started({
    authorize: 'none',
    openHistory: 'read',
    limits: { historyAnswerBytesMax: 20 }
  })
  expect((await fetch(`${answer.url}/blame`)).status).toBe(413)
  const needed = await started({
    authorize: 'none',
    openHistory: 'read',
    limits: { historyReadBytesMax: 20 }
  })
  expect(await (await fetch(`${needed.url}/blame`)).json()).toMatchObject({ error: 'ERR_ANSWER_TOO_LARGE' })
})
