/** Threats by pages and networks: who makes a browser connect, and who claims to be where. */
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { createLog } from '../../src/base/log.ts'
import type { ServerOptions } from '../../src/options.ts'
import { until, untilAsync } from '../support/clients.ts'
import { createRaw, openRaw, type Raw, withPayload } from '../support/raw.ts'
import { authFrame, openHocuspocus, step1Frame } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'

/** Who has to wait waits longer than any test. */
const waitingForHours = { refusalDelayMs: 3_600_000, refusalDelayMsMax: 3_600_000 }

const everybodyMayWrite = () => ({ user: null, access: 'write' as const })

/** The close code a page of this origin gets, or null when it is let in. */
async function arrive(options: ServerOptions, headers: Record<string, string>): Promise<number | null> {
  const { url } = await startServer(options)
  const raw = await openRaw({ url, path: 'room', headers })
  raw.send(Uint8Array.of(0, 0, 1, 0))
  const isIn = () => raw.received().some(({ type }) => type === 'sync-step-2')
  await until(() => isIn() || raw.closeCode() !== null, 'an answer')
  return raw.closeCode()
}

test('[AC4] a page of another origin is refused where origins are listed', async () => {
  const options = { authorize: everybodyMayWrite, origins: ['https://notes.example'] }

  expect(await arrive(options, { origin: 'https://notes.example' })).toBe(null)
  for (const origin of [
    'https://evil.example',
    'http://notes.example',
    'https://notes.example.evil.example',
    'https://notes.example:8443',
    'null'
  ]) {
    expect(await arrive(options, { origin })).toBe(4403)
  }
  expect(await arrive(options, {})).toBe(null)
})

test('[AC4] a page of anywhere is refused where nobody is asked, unless it is of this machine', async () => {
  for (const origin of ['https://evil.example', 'http://127.0.0.1.evil.example', 'null', 'file://']) {
    // As a rebound name: the page and the host agree, and both lie.
    expect(await arrive({}, { origin, host: 'evil.example' })).toBe(4403)
  }
  for (const origin of ['http://localhost:5173', 'http://127.0.0.1:3000', 'http://[::1]:8080']) {
    expect(await arrive({}, { origin })).toBe(null)
  }
  expect(await arrive({ authorize: 'none' }, { origin: 'https://anywhere.example' })).toBe(null)
})

test('[AC4] a Hocuspocus page of another origin is refused as well, and told so', async () => {
  const { url } = await startServer()
  const page = await openHocuspocus(url, '', { origin: 'https://evil.example' })

  page.raw.send(authFrame('room', ''), step1Frame('room'))
  await until(() => page.heard('room').length > 0, 'an answer')

  expect(page.heard('room')).toEqual(['denied: no access from this page'])
})

test('[AC1] a cookie counts for pages of the own origin only', async () => {
  const seen: (string | null)[] = []
  const authorize = ({ token }: { token: string | null }) => {
    seen.push(token)
    return { user: null, access: token === 'sesame' ? ('write' as const) : ('none' as const) }
  }
  const options = { authorize, tokenCookie: 'session' }
  const cookie = 'theme=dark; session=sesame'

  expect(await arrive(options, { cookie, origin: 'https://evil.example' })).toBe(4401)
  expect(await arrive(options, { cookie, origin: 'http://notes.example', host: 'notes.example' })).toBe(null)
  expect(
    await arrive({ ...options, origins: ['https://a.example'] }, { cookie, origin: 'https://a.example' })
  ).toBe(null)
  expect(await arrive({ authorize }, { cookie })).toBe(4401)
  expect(seen).toEqual([null, 'sesame', 'sesame', null])
})

test('a spoofed X-Forwarded-For changes nothing: limits count where the socket, or a trusted proxy, says', async () => {
  const addresses: string[] = []
  const authorize = ({ address }: { address: string }) => {
    addresses.push(address)
    return everybodyMayWrite()
  }
  const header = (value: string) => ({ 'x-forwarded-for': value })

  await arrive({ authorize }, header('203.0.113.7'))
  await arrive({ authorize, trustProxy: ['loopback'] }, header('203.0.113.7'))
  await arrive({ authorize, trustProxy: ['loopback'] }, header('198.51.100.1, 203.0.113.7'))
  await arrive({ authorize, trustProxy: ['loopback', '203.0.113.0/24'] }, header('198.51.100.1, 203.0.113.7'))
  await arrive({ authorize, trustProxy: ['10.0.0.0/8'] }, header('203.0.113.7'))
  await arrive({ authorize, trustProxy: ['loopback'] }, header('garbage'))

  expect(addresses).toEqual([
    '127.0.0.1',
    '203.0.113.7',
    '203.0.113.7',
    '198.51.100.1',
    '127.0.0.1',
    '127.0.0.1'
  ])
})

test('[AC7] connections of one address are bounded, of an IPv6 network as one; others come in', async () => {
  const { url } = await startServer({
    authorize: 'none',
    trustProxy: ['loopback'],
    limits: { connectionsPerAddressMax: 2 }
  })
  const open = (from: string) => openRaw({ url, path: 'room', headers: { 'x-forwarded-for': from } })
  const first = await open('2001:db8::1')
  await open('2001:db8::2')

  const third = createRaw({ url, path: 'room', headers: { 'x-forwarded-for': '2001:db8:0:0:ffff::3' } })
  await third.closed()
  await open('2001:db8:0:1::1')
  await open('203.0.113.7')
  first.socket.terminate()
  const isIn = async () => {
    const next = createRaw({ url, path: 'room', headers: { 'x-forwarded-for': '2001:db8::4' } })
    await until(() => next.socket.readyState === WebSocket.OPEN || next.closeCode() !== null, 'an answer')
    return next.closeCode() === null
  }
  await untilAsync(isIn, 'room for another')

  expect(third.closeCode()).toBe(1006)
})

test('[AC7] documents that one address has open are bounded, over all its connections', async () => {
  const options = {
    authorize: 'none' as const,
    trustProxy: ['loopback'],
    limits: { membersPerAddressMax: 2 }
  }
  const { url } = await startServer(options)
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const one = await openHocuspocus(url, '', headers)
  await one.join('a')
  await one.join('b')

  one.raw.send(authFrame('c', ''), step1Frame('c'))
  const other = await openRaw({ url, path: 'd', headers })
  other.send(Uint8Array.of(0, 0, 1, 0))
  await until(() => one.heard('c').length > 0, 'a refusal')

  expect(one.heard('c')).toEqual(['denied: the server is at a limit; try again later'])
  expect(await other.closed()).toBe(1013)
  expect(one.raw.closeCode()).toBe(null)
})

test('[AC7] whoever is refused again and again from one address waits longer for each answer', async () => {
  const authorize = ({ token }: { token: string | null }) => ({
    user: null,
    access: token === 'good' ? ('write' as const) : ('none' as const)
  })
  const limits = { refusalDelayMs: 200 }
  const { url } = await startServer({ authorize, trustProxy: ['loopback'], limits })
  const tryFrom = async (address: string, token: string) => {
    const startMs = performance.now()
    const raw = await openRaw({ url, path: `room?token=${token}`, headers: { 'x-forwarded-for': address } })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => raw.closeCode() !== null || raw.frames.length > 1, 'an answer')
    return performance.now() - startMs
  }

  const times: number[] = []
  for (let i = 0; i < 23; i++) times.push(await tryFrom('203.0.113.7', `guess${i}`))

  expect(times[22]).toBeGreaterThan(390)
})

test('[AC7] others do not wait with whoever is refused again and again, and the right answer does not', async () => {
  let asked = 0
  const authorize = ({ token }: { token: string | null }) => {
    asked++
    return { user: null, access: token === 'good' ? ('write' as const) : ('none' as const) }
  }
  const { url } = await startServer({ authorize, trustProxy: ['loopback'], limits: waitingForHours })
  const tryFrom = async (address: string, token: string) => {
    const before = asked
    const raw = await openRaw({ url, path: `room?token=${token}`, headers: { 'x-forwarded-for': address } })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => asked > before, 'the question')
    return raw
  }

  const guesses: Raw[] = []
  for (let i = 0; i < 23; i++) guesses.push(await tryFrom('203.0.113.7', `guess${i}`))
  const elsewhere = await tryFrom('203.0.113.8', 'guess')
  const good = await tryFrom('203.0.113.7', 'good')

  expect(await elsewhere.closed()).toBe(4403)
  await good.ask()
  expect(guesses.at(-1)?.closeCode()).toBeNull()
})

test('[AC7] whoever sends nonsense again and again from one address waits longer for each end', async () => {
  const { url } = await startServer({
    authorize: 'none',
    trustProxy: ['loopback'],
    limits: { refusalDelayMs: 200 }
  })
  const nonsenseFrom = async (address: string) => {
    const raw = await openRaw({ url, path: 'room', headers: { 'x-forwarded-for': address } })
    const startMs = performance.now()
    raw.send(Uint8Array.of(0, 99))
    expect(await raw.closed()).toBe(4400)
    return performance.now() - startMs
  }

  const times: number[] = []
  for (let i = 0; i < 23; i++) times.push(await nonsenseFrom('203.0.113.7'))

  expect(times[22]).toBeGreaterThan(390)
})

test('[AC7] others do not wait with whoever sends nonsense again and again', async () => {
  const { url } = await startServer({
    authorize: 'none',
    trustProxy: ['loopback'],
    limits: waitingForHours
  })
  const nonsenseFrom = async (address: string) => {
    const raw = await openRaw({ url, path: 'room', headers: { 'x-forwarded-for': address } })
    raw.send(Uint8Array.of(0, 99))
    return raw
  }

  const all: Raw[] = []
  for (let i = 0; i < 23; i++) all.push(await nonsenseFrom('203.0.113.7'))
  await until(() => all.filter(raw => raw.closeCode() === 4400).length >= 21, 'those that wait for nothing')
  const elsewhere = await nonsenseFrom('203.0.113.8')

  expect(await elsewhere.closed()).toBe(4400)
  expect(all.filter(raw => raw.closeCode() === null)).toHaveLength(2)
})

test('what a stranger sends is not read beyond a bound before somebody has let them in', async () => {
  let answer: () => void = () => {}
  const isAsked = new Promise<void>(asked => {
    answer = asked
  })
  let letIn: () => void = () => {}
  const decision = new Promise<void>(resolve => {
    letIn = resolve
  })
  const { url } = await startServer({
    limits: { pendingBytesMax: 64 * 1024, authDeadlineMs: 120_000 },
    authorize: async () => {
      answer()
      await decision
      return { user: null, access: 'write' }
    }
  })
  const stranger = await openRaw({ url, path: 'room' })
  stranger.send(Uint8Array.of(0, 0, 1, 0))
  await isAsked

  const bytes = 40 * 2 ** 20
  stranger.send(withPayload([0, 2], new Uint8Array(bytes)))
  await new Promise(resolve => setTimeout(resolve, 300))
  const waiting = stranger.socket.bufferedAmount
  letIn()

  expect(waiting).toBeGreaterThan(bytes / 4)
  expect(await stranger.closed()).toBe(4500)
})

test('a token never reaches a log, a metric or an answer, however it came', async () => {
  const lines: string[] = []
  const log = createLog('debug', { write: (line: string) => void lines.push(line) })
  const server = await startServer({
    log,
    tokenCookie: 'session',
    authorize: ({ token, headers, url }) => {
      throw new Error(`no: ${token} in ${url} or ${JSON.stringify(headers)}`)
    }
  })
  const { url } = server
  const ways = [
    { path: 'room?token=sEcReT%2F1' },
    { path: 'room', protocols: ['chorus', 'chorus.token.sEcReT'] },
    { path: 'room', headers: { authorization: 'Bearer sEcReT' } },
    { path: 'room', headers: { cookie: 'session=sEcReT' } }
  ]
  for (const way of ways) {
    const raw = await openRaw({ url, ...way })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    expect(await raw.closed()).toBe(4403)
    expect(Buffer.concat(raw.frames).toString()).not.toContain('sEcReT')
    expect(raw.socket.protocol).not.toContain('sEcReT')
  }

  expect(lines.length).toBeGreaterThanOrEqual(ways.length)
  expect(lines.join('')).not.toContain('sEcReT')
  expect(await server.metrics()).not.toContain('sEcReT')
})
