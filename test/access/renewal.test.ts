/** Tokens that run out, refusals with a reason of the application's own, and documents that do not exist. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type * as Y from 'yjs'
import { createLog } from '../../src/base/log.ts'
import { jwt, NoSuchDocument, Refusal, type ServerOptions, webhook } from '../../src/index.ts'
import { answerJson, startApplication } from '../support/application.ts'
import { clientVersions, connect, type Provider, until, untilAsync } from '../support/clients.ts'
import { provide, providerVersions } from '../support/hocuspocus.ts'
import { openRaw, type Raw } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { textOf } from '../support/text.ts'
import { inSeconds, secret, signed, writer } from '../support/tokens.ts'

const lifeMs = 500

/** Tokens are the time at which they expire. */
const authorize: NonNullable<Exclude<ServerOptions['authorize'], string>> = ({ token }) => ({
  user: { id: 'ada' },
  access: 'write',
  expiresAt: Number(token)
})

const freshToken = () => String(Date.now() + lifeMs)

describe('who types while tokens run out', () => {
  test.each(clientVersions)(
    '[AC2] in client %s comes back with a new token, and all is stored',
    async version => {
      const server = await startServer({ authorize })
      const client = connect(server.url, 'room', { version, params: { token: freshToken() } })
      onTestFinished(client.destroy)
      const closes: number[] = []
      client.provider.on('connection-close', event => {
        closes.push(event?.code ?? 0)
        renew(client.provider, server.url)
      })

      await type(client.doc, () => closes.length >= 3)

      await untilAsync(
        async () => (await stored(server)) === client.doc.getText('t').toString(),
        'all stored'
      )
      expect(new Set(closes)).toEqual(new Set([4503]))
    }
  )

  test.each(providerVersions)(
    '[AC2] in provider %s goes on with a new token, and all is stored',
    async version => {
      const server = await startServer({ authorize })
      let asked = 0
      const token = async () => {
        asked++
        return freshToken()
      }
      const client = provide(server.url, 'room', { version, token })

      await type(client.doc, () => asked >= 4)

      await untilAsync(
        async () => (await stored(server)) === client.doc.getText('t').toString(),
        'all stored'
      )
    }
  )
})

test.each(clientVersions)(
  '[AC8] an expired token again and again is slowed for client %s on this machine',
  async version => {
    const limits = { refusalDelayMs: 100, refusalDelayMsMax: 200, expiredTokenTriesMax: 6 }
    const server = await startServer({ authorize, limits })
    const client = connect(server.url, 'room', { version, params: { token: '1' } })
    onTestFinished(client.destroy)
    const codes: number[] = []
    client.provider.on('connection-close', event => codes.push(event?.code ?? 0))

    await until(() => codes.includes(4401), 'the permanent answer')

    expect(codes.slice(0, 7)).toEqual([4503, 4503, 4503, 4503, 4503, 4503, 4401])
  }
)

test('[AC8] the same refused token waits longer each time on this machine', async () => {
  const limits = { refusalDelayMs: 300, refusalDelayMsMax: 600 }
  const { url } = await startServer({ authorize: () => ({ user: null, access: 'none' }), limits })
  const attempt = async (token: string) => {
    const startMs = performance.now()
    const raw = await openRaw({ url, path: `room?token=${token}` })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    expect(await raw.closed()).toBe(4403)
    return performance.now() - startMs
  }
  for (let count = 0; count < 5; count++) await attempt('bad')

  expect(await attempt('bad')).toBeGreaterThan(500)
})

test('[AC8] another refused token does not wait for it', async () => {
  const limits = { refusalDelayMs: 3_600_000, refusalDelayMsMax: 3_600_000 }
  let refused = 0
  const authorize = () => {
    refused++
    return { user: null, access: 'none' as const }
  }
  const { url } = await startServer({ authorize, limits })
  const attempt = async (token: string) => {
    const raw = await openRaw({ url, path: `room?token=${token}` })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    return raw
  }
  const bad: Raw[] = []
  for (let count = 0; count < 6; count++) {
    bad.push(await attempt('bad'))
    await until(() => refused > count, 'the refusal')
  }

  const worse = await attempt('worse')

  expect(await worse.closed()).toBe(4403)
  expect(bad.at(-1)?.closeCode()).toBeNull()
})

describe('a reason of the application', () => {
  const long = `Wartungsarbeiten: ${'ü'.repeat(200)}`

  test.each([
    ['never', 4403],
    ['later', 4504]
  ] as const)('[AC9] with retry %s closes with %i, and is cut between characters', async (retry, code) => {
    const { url } = await startServer({
      authorize: () => {
        throw new Refusal(long, { retry })
      }
    })
    const raw = await openRaw({ url, path: 'room' })
    const closed = new Promise<string>(resolve =>
      raw.socket.once('close', (_, why) => resolve(why.toString()))
    )
    raw.send(Uint8Array.of(0, 0, 1, 0))

    expect(await raw.closed()).toBe(code)
    const reason = await closed
    expect(long.startsWith(reason)).toBe(true)
    expect(Buffer.byteLength(reason)).toBeGreaterThan(120)
    expect(raw.frames.at(-1)?.toString()).toContain(reason)
  })

  test('[AC9] any other thrown text reaches nobody', async () => {
    const { url } = await startServer({
      authorize: () => {
        throw new Error('the password of the database')
      }
    })
    const raw = await openRaw({ url, path: 'room?token=x' })
    raw.send(Uint8Array.of(0, 0, 1, 0))

    expect(await raw.closed()).toBe(4403)
    expect(Buffer.concat(raw.frames).toString()).not.toContain('password')
  })

  test.each(providerVersions)('[AC9] reaches provider %s', async version => {
    const { url } = await startServer({
      authorize: () => {
        throw new Refusal('your trial has ended')
      }
    })
    const reasons: string[] = []
    const configuration = {
      onAuthenticationFailed: ({ reason }: { reason: string }) => reasons.push(reason)
    }
    provide(url, 'room', { version, token: 'x', configuration })

    await until(() => reasons.length > 0, 'the refusal')

    expect(reasons[0]).toBe('your trial has ended')
  })
})

describe('a document that load says does not exist', () => {
  const load = () => {
    throw new NoSuchDocument()
  }

  test('[AC11] closes with 4404, and y-websocket 3.1 stays away', async () => {
    const { url } = await startServer({ load })
    const client = connect(url, 'room')
    onTestFinished(client.destroy)
    const end = new Promise<{ code: number; reason: string }>(resolve =>
      client.provider.on('closed', resolve)
    )

    expect(await end).toEqual({ code: 4404, reason: 'there is no such document' })
  })

  test.each(providerVersions)('[AC11] is refused to provider %s', async version => {
    const { url } = await startServer({ load })
    const reasons: string[] = []
    const configuration = {
      onAuthenticationFailed: ({ reason }: { reason: string }) => reasons.push(reason)
    }
    provide(url, 'room', { version, token: 'x', configuration })

    await until(() => reasons.length > 0, 'the refusal')

    expect(reasons[0]).toBe('there is no such document')
  })

  test('[AC11] is no document for the application either, and no error in the log', async () => {
    const lines: string[] = []
    const log = createLog('warn', { write: line => void lines.push(line) })
    const server = await startServer({ load, log })

    await expect(server.change('room', () => {})).rejects.toMatchObject({ code: 'ERR_NO_DOCUMENT' })
    expect(await server.read('room')).toBeNull()
    expect(lines.filter(line => !line.startsWith('{"level":40'))).toEqual([])
  })
})

test('[AC10] a token whose time has not begun is told to come later', async () => {
  const { url } = await startServer({ authorize: jwt({ secret }) })
  const token = await signed(writer('ada', { nbf: inSeconds(600) }))
  const raw = await openRaw({ url, path: `room?token=${token}` })
  raw.send(Uint8Array.of(0, 0, 1, 0))

  expect(await raw.closed()).toBe(4504)
})

test('[AC9] the webhook is sent the query without the token, and its reason is told', async () => {
  const bodies: unknown[] = []
  const application = await startApplication((body, _, response) => {
    bodies.push(body)
    answerJson(response, 403, { reason: 'closed for the night', retry: 'later' })
  })
  const { url } = await startServer({ authorize: webhook({ url: application.url }) })
  const raw = await openRaw({ url, path: 'room?v=1&token=secret' })
  raw.send(Uint8Array.of(0, 0, 1, 0))

  expect(await raw.closed()).toBe(4504)
  expect(raw.frames.at(-1)?.toString()).toContain('closed for the night')
  expect(bodies).toMatchObject([{ token: 'secret', query: 'v=1' }])
})

/** Types until it is enough, a letter every few milliseconds, connected or not. */
async function type(doc: Y.Doc, isEnough: () => boolean): Promise<void> {
  const text = doc.getText('t')
  const timer = setInterval(() => text.insert(text.length, 'x'), 7)
  try {
    await until(isEnough, 'tokens to run out')
  } finally {
    clearInterval(timer)
  }
}

/** 1.5 keeps its URL, the later ones make it anew from `params`. */
function renew(provider: Provider, url: string): void {
  const token = freshToken()
  provider.params = { token }
  const address = `${url.replace('http', 'ws')}/room?token=${token}`
  if (Object.hasOwn(provider, 'url')) Object.assign(provider, { url: address })
}

async function stored(server: Awaited<ReturnType<typeof startServer>>): Promise<string | null> {
  return textOf(await server.read('room'))
}
