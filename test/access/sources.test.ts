/** Where grants come from: keys from a URL, an application's webhook, and what happens when they are slow or gone. */
import { exportJWK } from 'jose'
import { describe, expect, test } from 'vitest'
import type { Attempt } from '../../src/access/grant.ts'
import { jwt } from '../../src/access/jwt.ts'
import { webhook } from '../../src/access/webhook.ts'
import { Fault } from '../../src/base/errors.ts'
import { withLimits } from '../../src/base/limits.ts'
import { answerJson, startApplication } from '../support/application.ts'
import { until } from '../support/clients.ts'
import { openRaw } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { keyPair, type Pair, secret, signed, writer } from '../support/tokens.ts'

function attempt(token: string | null, more: Partial<Attempt> = {}): Attempt {
  const from = { dialect: 'y-websocket' as const, address: '192.0.2.1', headers: {}, url: '/room' }
  return { document: 'room', token, purpose: 'enter', epoch: 0, ...from, ...more }
}

async function codeOf(promise: unknown): Promise<string> {
  try {
    await promise
    return 'granted'
  } catch (error) {
    return error instanceof Fault ? error.code : String(error)
  }
}

async function keySet(...pairs: readonly Pair[]) {
  const keys = await Promise.all(pairs.map(({ publicKey }) => exportJWK(publicKey)))
  return { keys: keys.map((key, i) => ({ ...key, kid: i === 0 ? 'one' : `other ${i}` })) }
}

describe('a key', () => {
  test.each([
    ['rsa', 'RS256'],
    ['rsa', 'PS384'],
    ['ec', 'ES256'],
    ['ed25519', 'EdDSA']
  ] as const)('of kind %s checks %s, as PEM and from a URL', async (type, alg) => {
    const pair = keyPair(type)
    const application = await startApplication(
      async (_, __, response) => void answerJson(response, 200, await keySet(pair))
    )
    const token = await signed(writer('ada', { name: 'Ada' }), pair.privateKey, alg)

    for (const options of [{ publicKey: pair.pem }, { jwksUrl: application.url }]) {
      expect(await jwt(options)(attempt(token))).toMatchObject({
        user: { id: 'ada', name: 'Ada' },
        access: 'write'
      })
    }
  })

  test('that is none, a private one, too short, or one of two is refused at once', () => {
    const { privateKey } = keyPair('rsa')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

    expect(() => jwt({ secret: 'short' })).toThrow(/at least 32/)
    expect(() => jwt({ publicKey: pem })).toThrow(/private key/)
    expect(() => jwt({ publicKey: 'nonsense' })).toThrow(TypeError)
    expect(() => jwt({ jwksUrl: 'file:///etc/keys' })).toThrow(/http/)
    expect(() => jwt({ secret, publicKey: keyPair('ec').pem } as never)).toThrow(/one of/)
    expect(() => jwt({} as never)).toThrow(/one of/)
  })

  test('a symmetric key in a key set signs nothing', async () => {
    const k = Buffer.from(secret).toString('base64url')
    const set = { keys: [{ kty: 'oct', k, kid: 'one', alg: 'HS256' }] }
    const application = await startApplication((_, __, response) => answerJson(response, 200, set))

    const authorize = jwt({ jwksUrl: application.url })

    expect(await codeOf(authorize(attempt(await signed(writer('eve')))))).toBe('ERR_NOT_AUTHENTICATED')
  })
})

describe('a server of keys', () => {
  test('is asked once for many tokens, and again for a new key, but not for each one that is unknown', async () => {
    const [first, second] = [keyPair('ec'), keyPair('ec')]
    let set = await keySet(first)
    const application = await startApplication((_, __, response) => answerJson(response, 200, set))
    const limits = withLimits({ jwksCooldownMs: 0 })
    const authorize = jwt({ jwksUrl: application.url, limits })
    const token = await signed(writer('ada'), first.privateKey, 'ES256')

    await Promise.all(Array.from({ length: 50 }, () => authorize(attempt(token))))
    expect(application.count()).toBe(1)
    set = { keys: (await keySet(second)).keys.map(key => ({ ...key, kid: 'two' })) }
    const header = Buffer.from('{"alg":"ES256","kid":"two"}').toString('base64url')
    await codeOf(authorize(attempt(`${header}.e30.AAAA`)))
    expect(application.count()).toBe(2)

    const calm = jwt({ jwksUrl: application.url })
    for (let i = 0; i < 20; i++) await codeOf(calm(attempt(`${header.slice(0, -4)}${i}.e30.AAAA`)))
    expect(application.count()).toBeLessThanOrEqual(3)
  })

  test('that is down: a clear error, and nobody waits; keys that are known go on working', async () => {
    const pair = keyPair('ec')
    const set = await keySet(pair)
    const application = await startApplication((_, __, response) => answerJson(response, 200, set))
    const failures: string[] = []
    const onFailure = (error: Error) => void failures.push(error.message)
    const limits = withLimits({ jwksFreshMs: 0, jwksCooldownMs: 0 })
    const options = { jwksUrl: application.url, limits, onFailure }
    const token = await signed(writer('ada'), pair.privateKey, 'ES256')
    const known = jwt(options)
    await known(attempt(token))

    await application.stop()
    const outcomes = [await codeOf(known(attempt(token))), await codeOf(jwt(options)(attempt(token)))]
    await until(() => failures.length >= 2, 'the reports')

    expect(outcomes).toEqual(['granted', 'ERR_AUTHENTICATION_UNAVAILABLE'])
    expect(failures[0]).toMatch(/ECONNREFUSED/)
  })

  test.each([
    ['says nothing', () => {}],
    ['answers with an error', (_: unknown, __: unknown, r) => answerJson(r, 500, {})],
    ['answers with no keys', (_: unknown, __: unknown, r) => answerJson(r, 200, { keys: 7 })],
    ['answers with a page', (_: unknown, __: unknown, r) => void r.end('<html>')],
    ['answers without end', (_: unknown, __: unknown, r) => void r.write('x'.repeat(1_000_000))],
    ['sends elsewhere', (_: unknown, __: unknown, r) => void r.writeHead(302, { location: '/other' }).end()]
  ] as [string, Parameters<typeof startApplication>[0]][])(
    'that %s refuses with 1013 after jwksTimeoutMs at the latest, and the server goes on',
    async (_, answering) => {
      const application = await startApplication(answering)
      const limits = withLimits({ jwksTimeoutMs: 200 })
      const { url } = await startServer({
        authorize: jwt({ jwksUrl: application.url, limits }),
        limits: { authorizeTimeoutMs: 3_600_000 }
      })
      const token = await signed(writer('ada'), keyPair('ec').privateKey, 'ES256')

      const raw = await openRaw({ url, path: `room?token=${token}` })
      raw.send(Uint8Array.of(0, 0, 1, 0))

      expect(await raw.closed()).toBe(1013)
      expect(raw.frames.at(-1)?.toString()).toContain('cannot be checked now')
    }
  )
})

describe('a webhook', () => {
  test('is told who wants in and where, and its grant counts', async () => {
    const asked: unknown[] = []
    const application = await startApplication((body, request, response) => {
      asked.push({ ...(body as object), bearer: request.headers.authorization })
      answerJson(response, 200, { user: { id: 'ada' }, access: 'read', rooms: ['ro*'], expiresAt: 4e12 })
    })
    const options = { url: application.url, headers: { authorization: 'Bearer it is me' } }
    const { url } = await startServer({ authorize: webhook(options) })

    const raw = await openRaw({ url, path: 'room?token=t', headers: { origin: 'https://a.example' } })
    await raw.ask()
    const other = await openRaw({ url, path: 'other?token=t' })
    other.send(Uint8Array.of(0, 0, 1, 0))

    expect(await other.closed()).toBe(4403)
    expect(asked[0]).toEqual({
      document: 'room',
      token: 't',
      purpose: 'enter',
      dialect: 'y-websocket',
      address: '127.0.0.1',
      origin: 'https://a.example',
      query: '',
      bearer: 'Bearer it is me'
    })
  })

  test.each([
    [401, {}, 'ERR_NOT_AUTHENTICATED'],
    [403, {}, 'ERR_FORBIDDEN'],
    [404, null, 'ERR_FORBIDDEN'],
    [500, {}, 'ERR_AUTHENTICATION_UNAVAILABLE'],
    [204, null, 'ERR_AUTHENTICATION_UNAVAILABLE'],
    [302, { access: 'write' }, 'ERR_AUTHENTICATION_UNAVAILABLE'],
    [200, 'write', 'ERR_AUTHENTICATION_UNAVAILABLE'],
    [200, null, 'ERR_AUTHENTICATION_UNAVAILABLE']
  ])('that answers %d and %j comes to %s', async (status, body, code) => {
    const application = await startApplication((_, __, response) => answerJson(response, status, body))

    expect(await codeOf(webhook({ url: application.url })(attempt('t')))).toBe(code)
  })

  test.each([
    [500, 'granted'],
    [501, 'ERR_AUTHENTICATION_UNAVAILABLE'],
    [10_000, 'ERR_AUTHENTICATION_UNAVAILABLE']
  ])('that nests its answer %i deep comes to %s', async (depth, code) => {
    const arrays = depth - 2
    const answer = `{"access":"write","user":{"id":"ada","a":${'['.repeat(arrays)}${']'.repeat(arrays)}}}`
    const application = await startApplication((_, __, response) => void response.writeHead(200).end(answer))

    expect(await codeOf(webhook({ url: application.url })(attempt('t')))).toBe(code)
  })

  test.each([
    { access: 'write', user: { id: 7 } },
    { access: 'write', user: 'ada' },
    { access: 'write', user: { id: '' } },
    { access: 'owner', user: null },
    { access: 'write', user: null, rooms: [] },
    { access: 'write', user: null, expiresAt: 1 },
    {}
  ])('that grants %j lets nobody in', async grant => {
    const application = await startApplication((_, __, response) => answerJson(response, 200, grant))
    const { url } = await startServer({ authorize: webhook({ url: application.url }) })
    const raw = await openRaw({ url, path: 'room?token=t' })

    raw.send(Uint8Array.of(0, 0, 1, 0))

    expect([4401, 4403, 4503]).toContain(await raw.closed())
  })

  test('is asked once for the same question, and anew when something has changed', async () => {
    let access = 'write'
    const application = await startApplication((_, __, response) =>
      answerJson(response, 200, { user: null, access })
    )
    const authorize = webhook({ url: application.url, limits: withLimits({ webhookCacheMax: 2 }) })

    await Promise.all(Array.from({ length: 20 }, () => authorize(attempt('t'))))
    expect(application.count()).toBe(1)
    await authorize(attempt('u'))
    await authorize(attempt('t', { address: '192.0.2.2' }))
    await authorize(attempt('t', { document: 'other' }))
    expect(application.count()).toBe(4)
    await authorize(attempt('t'))
    expect(application.count()).toBe(5)
    access = 'read'
    expect(await authorize(attempt('t', { purpose: 'recheck' }))).toMatchObject({ access: 'read' })
    expect(await authorize(attempt('t'))).toMatchObject({ access: 'read' })
    expect(application.count()).toBe(6)
  })

  test('that does not answer in time, or has too many questions, fails closed and is asked again', async () => {
    let isSlow = true
    const application = await startApplication((_, __, response) => {
      if (!isSlow) answerJson(response, 200, { user: null, access: 'write' })
    })
    const limits = withLimits({ webhookTimeoutMs: 100, webhookCallsMax: 2 })
    const authorize = webhook({ url: application.url, limits })

    const codes = await Promise.all(['a', 'b', 'c'].map(token => codeOf(authorize(attempt(token)))))
    isSlow = false
    const later = await codeOf(authorize(attempt('a')))

    expect(codes).toEqual(Array.from({ length: 3 }, () => 'ERR_AUTHENTICATION_UNAVAILABLE'))
    expect(application.count()).toBe(3)
    expect(later).toBe('granted')
  })
})
