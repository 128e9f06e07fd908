/** Where a token may stand, and which one counts. */
import { expect, test } from 'vitest'
import { until } from '../support/clients.ts'
import { openRaw, type RawOptions } from '../support/raw.ts'
import { authFrame, openHocuspocus, step1Frame } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

async function tokensOf(...ways: readonly Omit<RawOptions, 'url'>[]): Promise<(string | null)[]> {
  const tokens: (string | null)[] = []
  const { url } = await startServer({
    tokenCookie: 'session',
    authorize: ({ token }) => {
      tokens.push(token)
      return { user: null, access: 'write' }
    }
  })
  for (const way of ways) await (await openRaw({ url, ...way })).ask()
  return tokens
}

test('[AC1] in the URL, a subprotocol, the Authorization header or a cookie, in this order', async () => {
  const authorization = 'Bearer header'
  const cookie = 'a=b; session="cookie"; session2=c'
  const protocols = ['chorus', 'chorus.token.protocol']

  expect(
    await tokensOf(
      { path: 'room?theme=dark&token=query%2F1', protocols, headers: { authorization, cookie } },
      { path: 'room', protocols, headers: { authorization, cookie } },
      { path: 'room', headers: { authorization, cookie } },
      { path: 'room', headers: { cookie } },
      { path: 'room', headers: { authorization: 'Basic abc', cookie: 'session2=c' } },
      { path: 'room' }
    )
  ).toEqual(['query/1', 'protocol', 'header', 'cookie', null, null])
})

test('[AC1] the answer chooses a subprotocol that is no token', async () => {
  const { url } = await startServer()

  const raw = await openRaw({ url, path: 'room', protocols: ['chorus.token.t', 'chorus'] })

  expect(raw.socket.protocol).toBe('chorus')
})

test('[AC1] a Hocuspocus frame goes before all of them, unless it has none', async () => {
  const tokens: (string | null)[] = []
  const { url } = await startServer({
    authorize: ({ token }) => {
      tokens.push(token)
      return { user: null, access: 'write' }
    }
  })
  const client = await openHocuspocus(url, '?token=query', { authorization: 'Bearer header' })

  client.raw.send(
    authFrame('a', 'frame'),
    step1Frame('a'),
    authFrame('b', ''),
    step1Frame('b'),
    step1Frame('c')
  )
  await until(() => tokens.length === 3, 'three attempts')

  expect(tokens).toEqual(['frame', 'query', 'query'])
})
