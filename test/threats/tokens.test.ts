/** Threats to who may do what: each token is sent over a real socket, and must let nobody in. SECURITY.md lists them. */
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type JwtOptions, jwt } from '../../src/access/jwt.ts'
import { until } from '../support/clients.ts'
import { hugeWorkMs, workMsOf } from '../support/cpu.ts'
import { openRaw, type Raw } from '../support/raw.ts'
import { authFrame, openHocuspocus, step1Frame } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'
import { assembled, inSeconds, keyPair, secret, signed, writer } from '../support/tokens.ts'

const rsa = keyPair('rsa')

/** Opens `room` with the token and says something, in both dialects; resolves to what became of it. */
async function attempt(options: JwtOptions, token: string, room = 'room') {
  const { url } = await startServer({ authorize: jwt(options) })
  const web = await openRaw({ url, path: `${encodeURIComponent(room)}?token=${token}` })
  web.send(Uint8Array.of(0, 0, 1, 0))
  await until(() => web.closeCode() !== null || hasSynced(web), 'an answer')
  const provider = await openHocuspocus(url)
  provider.raw.send(authFrame(room, token), step1Frame(room))
  await until(() => provider.heard(room).length > 0 || provider.raw.closeCode() !== null, 'an answer')
  return { closed: web.closeCode(), said: provider.heard(room)[0] ?? `closed ${provider.raw.closeCode()}` }
}

function hasSynced(raw: Raw): boolean {
  return raw.received().some(({ type }) => type === 'sync-step-2')
}

const refused = { closed: 4401, said: 'denied: not authenticated' }
const admitted = { closed: null, said: 'authenticated: read-write' }

describe('a token', () => {
  test('that is genuine lets its user in', async () => {
    expect(await attempt({ secret }, await signed(writer('ada')))).toEqual(admitted)
    const options = { publicKey: rsa.pem, issuer: 'us', audience: ['notes', 'plans'] }
    const token = await signed(writer('ada', { iss: 'us', aud: 'plans' }), rsa.privateKey, 'RS256')
    expect(await attempt(options, token)).toEqual(admitted)
  })

  test('that was forged is refused: another secret, another key, changed claims, garbage', async () => {
    const good = await signed(writer('ada'))
    const [header, , signature] = good.split('.')
    const claims = Buffer.from(JSON.stringify(writer('eve'))).toString('base64url')

    const others = [
      await signed(writer('ada'), 'another secret that is just as long as the first'),
      `${header}.${claims}.${signature}`,
      `${good}x`,
      'garbage',
      'a.b.c',
      `${'a'.repeat(7_000)}.b.c`
    ]
    for (const token of others) expect(await attempt({ secret }, token)).toEqual(refused)
    const foreign = await signed(writer('ada'), keyPair('rsa').privateKey, 'RS256')
    expect(await attempt({ publicKey: rsa.pem }, foreign)).toEqual(refused)
  })

  test('that has expired is refused', async () => {
    const token = await signed(writer('ada', { exp: inSeconds(-60) }))

    expect(await attempt({ secret }, token)).toEqual({
      closed: 4503,
      said: 'closed 4503'
    })
  })

  test('that is not valid yet is refused', async () => {
    const token = await signed(writer('ada', { nbf: inSeconds(60) }))

    expect(await attempt({ secret }, token)).toMatchObject({ closed: 4504 })
  })

  test('for another audience or of another issuer is refused', async () => {
    const options = { secret, issuer: 'us', audience: 'notes' }

    expect(await attempt(options, await signed(writer('ada', { iss: 'us', aud: 'mail' })))).toEqual(refused)
    expect(await attempt(options, await signed(writer('ada', { iss: 'them', aud: 'notes' })))).toEqual(
      refused
    )
    expect(await attempt(options, await signed(writer('ada')))).toEqual(refused)
  })

  test('that says alg none is refused, however it is written', async () => {
    for (const alg of ['none', 'None', 'NONE', '']) {
      for (const options of [{ secret }, { publicKey: rsa.pem }]) {
        expect(await attempt(options, assembled({ alg, typ: 'JWT' }, writer('eve')))).toEqual(refused)
      }
    }
  })

  test('signed with the public key as if it were a secret is refused', async () => {
    const unsigned = assembled({ alg: 'HS256', typ: 'JWT' }, writer('eve')).slice(0, -1)
    for (const key of [rsa.pem, rsa.pem.trim()]) {
      const signature = createHmac('sha256', key).update(unsigned).digest('base64url')
      expect(await attempt({ publicKey: rsa.pem }, `${unsigned}.${signature}`)).toEqual(refused)
    }
    expect(() => jwt({ secret: rsa.pem })).toThrow(/PEM/)
  })

  test('for another room is refused, and one without rooms everywhere', async () => {
    const forbidden = { closed: 4403, said: 'denied: no access to this document' }
    const forOther = await signed(writer('ada', { rooms: { other: 'write' } }))

    expect(await attempt({ secret }, forOther)).toEqual(forbidden)
    for (const rooms of [undefined, {}, [], 'room', ['room'], { room: 'owner' }, { room: true }, null]) {
      const { rooms: _, ...claims } = writer('ada')
      const token = await signed({ ...claims, ...(rooms === undefined ? {} : { rooms }) })
      expect(await attempt({ secret }, token)).toEqual(forbidden)
    }
  })

  test.each([
    ['team/*', 'team/../secret', 4403],
    ['team/*', 'team/a/b', 4403],
    ['team/*', 'team/', 4403],
    ['team/*', 'team', 4403],
    ['team/*', 'TEAM/a', 4403],
    ['team/*', 'team%2fa', 4403],
    ['team/*', 'team\\a', 4403],
    ['team/*', 'team/a\0/../../secret', 4403],
    ['team/a', 'team/a/', 4403],
    ['team/a', '/team/a', 4403],
    ['team.a', 'teamXa', 4403],
    ['(team|secret)', 'secret', 4403],
    ['te?m', 'team', 4403],
    ['[a-z]*', 'team', 4403],
    ['team/*', 'team/a', null],
    ['team/**', 'team/a/b', null]
  ])('path tricks in names and patterns: %j and the room %j: %j', async (pattern, room, closed) => {
    const token = await signed(writer('ada', { rooms: { [pattern]: 'write' } }))

    expect((await attempt({ secret }, token, room)).closed).toBe(closed)
  })

  test('that is a megabyte, or holds a pattern made to be slow, costs nothing', async () => {
    const { url } = await startServer({ authorize: jwt({ secret }) })
    const rooms = { [`${'*a'.repeat(2_000)}b`]: 'write' }
    const token = await signed(writer('eve', { rooms }))
    const room = 'a'.repeat(1_000)
    const provider = await openHocuspocus(url)

    const workMs = await workMsOf(async () => {
      provider.raw.send(authFrame(room, token), step1Frame(room), authFrame('big', 'x'.repeat(1_000_000)))
      await until(() => provider.said().length === 2, 'two refusals')
    })

    expect(workMs).toBeLessThan(hugeWorkMs)
    expect(provider.heard('big')).toEqual(['denied: not authenticated'])
  })
})
