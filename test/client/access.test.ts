/** Tokens that end and are refused, several documents on one socket, and what a provider does when it loses a server. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { codeOfReason } from '../../client/shared-socket.ts'
import { faults } from '../../src/base/errors.ts'
import { jwt, Refusal, type ServerOptions } from '../../src/index.ts'
import { until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { secret, signed, writer } from '../support/tokens.ts'
import { join, openSocket, shows, stored, textOf, type } from './joined.ts'

/** Tokens are the time at which they expire. */
const authorize: NonNullable<Exclude<ServerOptions['authorize'], string>> = ({ token }) => ({
  user: { id: 'ada' },
  access: 'write',
  expiresAt: Number(token)
})

const ways = [
  ['a socket of its own', (url: string) => url],
  ['a shared socket', (url: string) => openSocket(url)]
] as const

describe.each(ways)('over %s', (_, to) => {
  test('[AK6] a token that ends is renewed while somebody types, without a gap', async () => {
    const { url } = await startServer({ authorize })
    let asked = 0
    const client = join(to(url), 'room', {
      token: async () => `${Date.now() + (++asked > 3 ? 60_000 : 800)}`
    })
    const closes: unknown[] = []
    client.provider.on('connection-close', closed => closes.push(closed))
    const typing = setInterval(() => type(client, 'x'), 20)
    onTestFinished(() => clearInterval(typing))

    await until(() => asked > 3, 'the third renewal')
    clearInterval(typing)
    await client.provider.saved()

    expect(closes).toEqual([])
    expect(await stored(url, 'room', `${Date.now() + 60_000}`)).toBe(textOf(client))
  })

  test('a token that was refused is fetched anew', async () => {
    const { url } = await startServer({ authorize: jwt({ secret }) })
    const good = await signed(writer('ada'))
    const given: string[] = []
    const token = () => {
      given.push(given.length === 0 ? 'no token' : good)
      return given.at(-1) ?? null
    }
    const client = join(to(url), 'room', { token })

    await shows(client, { synced: true, reason: null }, 'the document')

    expect(given).toEqual(['no token', good])
  })

  test('the same token again is an end, in words, until the application connects', async () => {
    const { url } = await startServer({ authorize: jwt({ secret }) })
    let token = 'no token'
    const client = join(to(url), 'room', { token: () => token })
    const refusals: string[] = []
    client.provider.on('closed', ({ code, message }) => refusals.push(`${code} ${message}`))
    const { reason } = await shows(client, { connection: 'refused' }, 'the refusal')

    token = await signed(writer('ada'))
    client.provider.connect()
    await shows(client, { synced: true, reason: null }, 'the document')

    expect(refusals).toEqual([`4401 ${reason}`])
    expect(reason).toContain('signed out')
  })

  test('a server that goes away and comes back finds the provider there again', async () => {
    const first = await startServer()
    const client = join(to(first.url), 'room')
    await shows(client, { synced: true }, 'the document')
    const statuses: string[] = []
    client.provider.on('status', ({ status }) => statuses.push(status))

    await first.stop()
    await shows(client, { connection: 'connecting', synced: false }, 'the loss')
    type(client, 'meanwhile')
    const second = await startServer({ port: Number(new URL(first.url).port) })
    await client.provider.saved()

    expect(await stored(second.url, 'room')).toBe('meanwhile')
    expect(statuses).toEqual(['connecting', 'connected'])
  })
})

test('one socket carries several documents, and one that is refused does not end the others', async () => {
  const server = await startServer({
    authorize: ({ document }) => {
      if (document === 'secret') throw new Refusal('not for you', { retry: 'never' })
      return { user: { id: 'ada' }, access: 'write' }
    }
  })
  const socket = openSocket(server.url)
  const [a, b, again, denied] = [
    join(socket, 'a'),
    join(socket, 'b'),
    join(socket, 'a'),
    join(socket, 'secret')
  ]

  type(a, 'of a')
  type(b, 'of b')
  await Promise.all([a.provider.saved(), b.provider.saved()])
  await shows(denied, { connection: 'refused' }, 'the refusal')
  await until(() => textOf(again) === 'of a', 'the text at the same document')

  expect(textOf(b)).toBe('of b')
  expect(await server.metrics()).toMatch(/^chorus_connections 1$/m)
})

test('a reason on a shared socket stands for the code that the server closes with elsewhere', () => {
  const told = [
    'ERR_NOT_AUTHENTICATED',
    'ERR_EXPIRED',
    'ERR_EXPIRED_AGAIN',
    'ERR_AUTHENTICATION_TIMEOUT'
  ] as const
  const others = [
    'ERR_AUTHENTICATION_UNAVAILABLE',
    'ERR_FORBIDDEN',
    'ERR_NOT_NOW',
    'ERR_NO_DOCUMENT'
  ] as const
  const rest = ['ERR_DELETED', 'ERR_OLD_COPY', 'ERR_OVERLOADED', 'ERR_UPDATE_TOO_LARGE_AGAIN'] as const

  for (const code of [...told, ...others, ...rest, 'ERR_UPDATE_MALFORMED_AGAIN'] as const) {
    expect([code, codeOfReason(faults[code].publicReason)]).toEqual([code, faults[code].closeCode])
  }
})
