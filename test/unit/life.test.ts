/** The life of a server at its edges: two starts at once, a stop before the start is over, starts that fail, and what is left. */
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import type { ServerOptions } from '../../src/options.ts'
import { createServer } from '../../src/server.ts'
import { until } from '../support/clients.ts'
import { openRaw } from '../support/raw.ts'
import { openHocuspocus, statelessFrame } from '../support/raw-hocuspocus.ts'
import { quietLog, startServer, temporaryDirectory } from '../support/server.ts'

const quiet = { log: quietLog, pages: null, data: ':memory:' } as const

describe('a start', () => {
  test('that is asked for twice at once happens once, and the second one harms nobody', async () => {
    const before = timers()
    const server = createServer(quiet)

    const [first, second] = await Promise.allSettled([server.listen(), server.listen()])
    const raw = await openRaw({ url: server.url, path: 'room' })
    await server.stop()

    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected'])
    expect(await raw.closed()).toBe(1012)
    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('that a stop overtakes ends in nothing: no port, and the directory is free', async () => {
    const data = join(temporaryDirectory(), 'd')
    const server = createServer({ ...quiet, data })

    const starting = server.listen()
    const outcome = starting.catch((error: { code: string }) => error.code)
    await server.stop()

    expect(await outcome).toBe('ERR_GOING_DOWN')
    await startServer({ data })
  })

  test('that a stop overtakes leaves nothing at the HTTP server of the application', async () => {
    const httpServer = createHttpServer()
    const server = createServer(quiet)

    const outcome = server.attach(httpServer).catch((error: { code: string }) => error.code)
    await server.stop()

    expect(await outcome).toBe('ERR_GOING_DOWN')
    expect(httpServer.listenerCount('upgrade')).toBe(0)
  })

  test.each<[string, ServerOptions, string]>([
    ['pages that are a file', { pages: import.meta.filename }, 'ENOTDIR'],
    ['a control file that cannot be written', {}, 'EISDIR']
  ])('that fails leaves no timer and no port, and the directory free: %s', async (_, options, code) => {
    const before = timers()
    const data = temporaryDirectory()
    if (code === 'EISDIR') mkdirSync(join(data, 'control.json'))
    const server = createServer({ ...quiet, data, ...options })

    await expect(server.listen()).rejects.toMatchObject({ code })

    expect(timers()).toBeLessThanOrEqual(before)
    expect(() => server.url).toThrow()
    rmSync(join(data, 'control.json'), { recursive: true, force: true })
    await startServer({ data })
  })

  test('that found the directory taken may be tried again', async () => {
    const data = join(temporaryDirectory(), 'd')
    const holder = createServer({ ...quiet, data })
    await holder.listen()
    const server = createServer({ ...quiet, data })
    onTestFinished(() => server.stop())

    await expect(server.listen()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await holder.stop()

    expect((await fetch(`${await server.listen()}/healthz`)).status).toBe(200)
  })

  test.each(['collab', '/collab/', '/a b', '/a?b'])('below %j, which is no prefix, is refused', path => {
    expect(() => createServer({ path })).toThrow(TypeError)
  })
})

describe('a stop', () => {
  test('[I10] leaves no timer of an authorize that never answers', async () => {
    const before = timers()
    let asked = 0
    const authorize = () => {
      asked++
      return new Promise<never>(() => {})
    }
    const server = createServer({ ...quiet, authorize })
    const raw = await openRaw({ url: await server.listen(), path: 'room' })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => asked === 1, 'the question')

    await server.stop()

    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('[I10] answers a recheck that waits for an authorize that never answers', async () => {
    let asked = 0
    const authorize = () =>
      asked++ === 0 ? ({ access: 'write', user: { id: 'ada' } } as const) : new Promise<never>(() => {})
    const server = createServer({ ...quiet, authorize })
    const raw = await openRaw({ url: await server.listen(), path: 'room' })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => raw.frames.length > 1, 'the end of the join')
    const rechecked = server.recheck({ user: 'ada' })
    await until(() => asked === 2, 'the question')

    await server.stop()

    expect(await rechecked).toEqual({ checked: 1, changed: 0, ended: 1 })
  })

  test('[I10] leaves no timer of an onStateless that never answers', async () => {
    const before = timers()
    let asked = 0
    const onStateless = () => {
      asked++
      return new Promise<void>(() => {})
    }
    const server = createServer({ ...quiet, onStateless })
    const client = await openHocuspocus(await server.listen())
    await client.join('room')
    client.raw.send(statelessFrame('room', 'hello'))
    await until(() => asked === 1, 'the call')

    await server.stop()

    expect(timers()).toBeLessThanOrEqual(before)
  })
})

test('two servers attached to one HTTP server leave no upgrade unanswered that is for neither', async () => {
  const httpServer = createHttpServer()
  const servers = ['/one', '/two'].map(path => createServer({ ...quiet, path }))
  for (const server of servers) await server.attach(httpServer)
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  onTestFinished(async () => {
    await Promise.all(servers.map(server => server.stop()))
    httpServer.close()
  })
  const url = `ws://127.0.0.1:${(httpServer.address() as AddressInfo).port}`

  const stray = new WebSocket(`${url}/three/room`)
  onTestFinished(() => stray.terminate())
  const [error] = await once(stray, 'error')
  for (const path of ['one', 'two']) await openRaw({ url, path: `${path}/room` })

  expect(String(error)).toMatch(/404/)
})

function timers(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
}
