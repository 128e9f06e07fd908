/** Plain HTTP under floods, and strangers behind proxies: what the rooms beside them feel, and who is let in. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import type { Limits } from '../../src/base/limits.ts'
import { createServer } from '../../src/server.ts'
import { connect, converged, synced, until, untilAsync } from '../support/clients.ts'
import { openRaw, syncStep1 } from '../support/raw.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { listenBeside, quietLog, startServer, temporaryDirectory } from '../support/server.ts'

function tcp(url: string): Socket {
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  return socket
}

/** The URL of an application that hands its requests over. */
async function startAttached(limits: Partial<Limits>, httpServer = createHttpServer()): Promise<string> {
  const chorus = createServer({ log: quietLog, pages: null, data: ':memory:', limits })
  httpServer.on('request', (request, response) => chorus.handle(request, response))
  await chorus.attach(httpServer)
  return listenBeside(httpServer, chorus)
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`

describe('[AC12] requests', () => {
  test('readiness is one write a second, however many ask', async () => {
    const store = createMemoryStore()
    let probes = 0
    store.probe = async () => void probes++
    const { url } = await startServer({ store, limits: { readyFreshMs: 60_000 } })

    const answers = await Promise.all(Array.from({ length: 100 }, () => fetch(`${url}/readyz`)))

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(probes).toBe(1)
  })

  test('a store that does not answer is not ready, in time', async () => {
    const store = createMemoryStore()
    store.probe = () => new Promise(() => {})
    const { url } = await startServer({ store, limits: { readyTimeoutMs: 50 } })

    const answer = await fetch(`${url}/readyz`)

    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ status: 'store', reason: 'STORE_SLOW' })
  })

  test.each(['/readyz', '/healthz'])(
    '%s pipelined 3,000 times by 10 connections closes nobody',
    async path => {
      const server = await startServer({ data: temporaryDirectory() })
      const { url } = server
      const pair = [connect(url, 'room'), connect(url, 'room')]
      onTestFinished(() => pair.forEach(client => void client.destroy()))
      await Promise.all(pair.map(synced))
      let closed = 0
      for (const { provider } of pair) provider.on('connection-close', () => closed++)

      const flood = Array.from({ length: 10 }, () => tcp(url))
      for (const socket of flood) socket.write(get(path).repeat(3_000))
      for (let i = 0; i < 20; i++) pair[0]?.doc.getText('t').insert(0, 'x')
      await converged(pair)
      await Promise.all(
        flood.map(socket => socket.destroyed || new Promise(resolve => socket.once('close', resolve)))
      )

      expect(closed).toBe(0)
      await untilAsync(
        async () => (await fetch(`${url}/healthz`)).status === 200,
        'an answer to who asks once'
      )
    }
  )

  test.each(['its own', 'an application'])(
    'behind the one that ends its connection are not even parsed, on the HTTP server of %s',
    async whose => {
      const limits = { requestsPipelinedMax: 16 }
      const url = whose === 'its own' ? (await startServer({ limits })).url : await startAttached(limits)
      let parsed = 0
      const count = () => void parsed++
      subscribe('http.server.request.start', count)
      onTestFinished(() => void unsubscribe('http.server.request.start', count))

      const socket = tcp(url)
      socket.write(get('/healthz').repeat(3_000))
      await new Promise(resolve => socket.once('close', resolve))

      expect(parsed).toBeLessThanOrEqual(17)
    }
  )

  test('pipelined by an address that owes too much end its connection, but for the one that is told 429', async () => {
    const limits = { requestsPerSecondMax: 1, requestsBurstMax: 1, requestWaitMsMax: 100 }
    const { url } = await startServer({ limits })
    await fetch(`${url}/healthz`)
    await fetch(`${url}/healthz`)

    const alone = await fetch(`${url}/healthz`)
    const socket = tcp(url)
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk
    })
    socket.write(get('/healthz').repeat(3))
    await new Promise(resolve => socket.once('close', resolve))

    expect(alone.status).toBe(429)
    expect(answer.split('HTTP/1.1 ').length - 1).toBeLessThanOrEqual(1)
  })

  test('of a connection that became a WebSocket are no longer looked for: an application has its upgrades to itself', async () => {
    const httpServer = createHttpServer()
    httpServer.on('upgrade', (_, socket) => {
      socket.on('data', (chunk: Buffer) => void socket.write(chunk))
      socket.on('end', () => socket.end())
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    })
    const url = await startAttached({}, httpServer)
    const socket = tcp(url)
    let received = ''
    socket.on('data', (chunk: Buffer) => {
      received += chunk
    })
    socket.write('GET /theirs HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    await until(() => received.includes('\r\n\r\n'), 'the upgrade')

    socket.write(get('/healthz').repeat(100))

    await until(() => received.endsWith(get('/healthz').repeat(100)), 'what was sent')
  })

  test('beyond its budget an address waits, then is told 429', async () => {
    const limits = { requestsPerSecondMax: 10, requestsBurstMax: 10, requestWaitMsMax: 200 }
    const { url } = await startServer({ limits })

    const answers = await Promise.all(Array.from({ length: 30 }, () => fetch(`${url}/healthz`)))

    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter(status => status === 200).length).toBeGreaterThanOrEqual(10)
    expect(statuses.filter(status => status === 429).length).toBeGreaterThan(5)
    expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('1')
  })

  test('a stop under a flood of requests ends', async () => {
    const server = await startServer()
    const flood = setInterval(() => tcp(server.url).write(get('/readyz').repeat(10)), 2)
    onTestFinished(() => clearInterval(flood))
    await new Promise(resolve => setTimeout(resolve, 100))

    await server.stop()

    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })
})

describe('[AC13] where nobody signs in', () => {
  test.each([
    ['a forwarded header', { 'x-forwarded-for': '198.51.100.7' }],
    ['another forwarded header', { forwarded: 'for=198.51.100.7' }],
    ['a Host that is not this machine', { host: 'app.example.com' }]
  ])('a request with %s is refused in both dialects', async (_, headers) => {
    const { url } = await startServer()

    const raw = await openRaw({ url, path: 'room', headers })
    raw.send(syncStep1(Uint8Array.of(0)))
    const hocuspocus = await openHocuspocus(url, '', headers)
    const joining = hocuspocus.join('room').catch(() => {})
    const isRefused = () => hocuspocus.heard('room').some(what => what.startsWith('denied'))
    await until(() => isRefused() || hocuspocus.raw.closeCode() !== null, 'the refusal')

    expect(await raw.closed()).toBe(4403)
    expect(hocuspocus.heard('room')).not.toContain('sync-step-2')
    hocuspocus.raw.socket.terminate()
    await joining
  })

  test('names of this machine are let in', async () => {
    const { url } = await startServer()
    const raw = await openRaw({ url, path: 'room', headers: { host: 'localhost:1234' } })

    await raw.ask()

    expect(raw.closeCode()).toBeNull()
  })
})
