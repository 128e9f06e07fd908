/** The library: several servers in one process, beside somebody's own routes, and what is left after stop. */
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { createMemoryStore } from '../../persistence/index.ts'
import { createServer } from '../../src/server.ts'
import { connect, converged, synced, until } from '../support/clients.ts'
import { holdAppends } from '../support/disk.ts'
import { listenBeside, quietLog, startServer, temporaryDirectory } from '../support/server.ts'

test('two servers in one process keep their rooms apart', async () => {
  const [one, two] = [await startServer(), await startServer()]
  const [a, b] = [connect(one.url, 'room'), connect(two.url, 'room')]
  onTestFinished(() => [a, b].forEach(client => void client.destroy()))
  await Promise.all([synced(a), synced(b)])

  a.doc.getText('t').insert(0, 'here')
  const c = connect(one.url, 'room')
  onTestFinished(c.destroy)
  await converged([a, c])

  expect(c.doc.getText('t').toString()).toBe('here')
  expect(b.doc.getText('t').toString()).toBe('')
})

describe('attached to an HTTP server', () => {
  async function attached(): Promise<{ url: string; others: string[] }> {
    const others: string[] = []
    const chorus = createServer({ path: '/collab', log: quietLog, data: ':memory:', pages: null })
    const httpServer = createHttpServer((request, response) => {
      if (request.url?.startsWith('/collab/') === true) return chorus.handle(request, response)
      response.end('my application')
    })
    await chorus.attach(httpServer)
    httpServer.on('upgrade', (request, socket) => {
      if (request.url?.startsWith('/collab') === true) return
      others.push(request.url ?? '')
      socket.end('HTTP/1.1 418 No\r\n\r\n')
    })
    return { url: await listenBeside(httpServer, chorus), others }
  }

  test('it takes the upgrades below its path, and the path is no part of the room', async () => {
    const { url } = await attached()
    const [a, b] = [connect(`${url}/collab`, 'room'), connect(`${url}/collab`, 'room')]
    onTestFinished(() => [a, b].forEach(client => void client.destroy()))
    await Promise.all([synced(a), synced(b)])

    a.doc.getText('t').insert(0, 'hello')
    await converged([a, b])

    expect(b.doc.getText('t').toString()).toBe('hello')
  })

  test('it leaves requests and other upgrades alone, and answers those it is handed', async () => {
    const { url, others } = await attached()

    const own = await (await fetch(`${url}/anything`)).text()
    const health = await fetch(`${url}/collab/healthz`)
    const other = new WebSocket(`${url.replace('http', 'ws')}/elsewhere`)
    const [error] = await once(other, 'error')

    expect(own).toBe('my application')
    expect([health.status, await health.json()]).toEqual([200, { status: 'ok' }])
    expect(others).toEqual(['/elsewhere'])
    expect(String(error)).toContain('418')
  })
})

describe('over HTTP', () => {
  test('it says that it lives, that it is ready, and what it counts', async () => {
    const { url } = await startServer()
    const client = connect(url, 'room')
    onTestFinished(client.destroy)
    await synced(client)

    const ready = await fetch(`${url}/readyz`)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const missing = await fetch(`${url}/nothing`)

    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', lastAppend: 'ok', uncompacted: 0 }
    ])
    for (const line of ['chorus_connections 1', 'chorus_rooms 1', 'chorus_joins_total 1']) {
      expect(metrics).toContain(`\n${line}\n`)
    }
    expect(metrics).toMatch(/nodejs_eventloop_delay_p99_seconds \d/)
    expect(metrics).not.toContain('room"')
    expect(missing.status).toBe(404)
  })

  test('a missing demo is explained on the page, and files are revalidated', async () => {
    const { url } = await startServer({ pages: join(temporaryDirectory(), 'missing') })

    const page = await fetch(url)
    const again = await fetch(url, { headers: { 'if-none-match': page.headers.get('etag') ?? '' } })

    expect(await page.text()).toContain('npm run build')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    expect(again.status).toBe(304)
  })

  test('a page below a path is reached with its slash', async () => {
    const { url } = await startServer({ path: '/collab', pages: join(temporaryDirectory(), 'missing') })

    const redirected = await fetch(url, { redirect: 'manual' })

    expect([redirected.status, redirected.headers.get('location')]).toEqual([308, '/collab/'])
  })

  test('a backup needs the token that only the data directory tells', async () => {
    const data = temporaryDirectory()
    const { url } = await startServer({ data: join(data, 'd') })
    const control = JSON.parse(readFileSync(join(data, 'd/control.json'), 'utf8')) as { token: string }
    const ask = (token: string, body: string) =>
      fetch(`${url}/api/backup`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body })

    const answers = [
      await ask('guessed', JSON.stringify({ directory: join(data, 'stolen') })),
      await ask(control.token, 'not json'),
      await ask(control.token, JSON.stringify({ directory: data })),
      await ask(control.token, JSON.stringify({ directory: join(data, 'copy') }))
    ]

    expect(answers.map(answer => answer.status)).toEqual([401, 400, 409, 200])
    expect(statSync(join(data, 'd/control.json')).mode & 0o777).toBe(0o600)
  })
})

describe('starting and stopping', () => {
  test('with relaxed durability documents are there after an orderly stop', async () => {
    const data = join(temporaryDirectory(), 'd')
    const options = { data, durability: 'relaxed', log: quietLog, pages: null } as const
    const first = createServer(options)
    const a = connect(await first.listen(), 'room')
    onTestFinished(a.destroy)
    await synced(a)
    a.doc.getText('t').insert(0, 'kept')
    const b = connect(first.url, 'room')
    onTestFinished(b.destroy)
    await converged([a, b])
    a.provider.disconnect()
    b.provider.disconnect()
    await first.stop()

    const second = await startServer(options)
    const c = connect(second.url, 'room')
    onTestFinished(c.destroy)
    await synced(c)

    expect(c.doc.getText('t').toString()).toBe('kept')
  })

  test('who comes while the server stops is refused, and holds it up no longer than that', async () => {
    const store = createMemoryStore()
    const gate = holdAppends(store)
    const server = createServer({ store, log: quietLog, pages: null })
    const client = connect(await server.listen(), 'room')
    onTestFinished(client.destroy)
    await synced(client)
    client.doc.getText('t').insert(0, 'x')
    await until(() => gate.waiting() === 1, 'the append')

    // All connections are gone then, and the append is waited for.
    const stopped = server.stop()
    await until(() => !client.provider.wsconnected, 'the end of the connection')
    client.provider.disconnect()
    const late = new WebSocket(server.url.replace('http', 'ws'))
    const [error] = await once(late, 'error')
    gate.open()
    await stopped

    expect(String(error)).toMatch(/503/)
  })

  test('a port that is taken is an error, and the directory is free again', async () => {
    const data = join(temporaryDirectory(), 'd')
    const other = await startServer()
    const port = Number(new URL(other.url).port)

    await expect(createServer({ port, data, log: quietLog }).listen()).rejects.toMatchObject({
      code: 'EADDRINUSE'
    })

    await startServer({ data })
  })

  test('[I10] stop leaves no timer, socket or thread', async () => {
    const before = process.getActiveResourcesInfo().length
    const server = createServer({ data: join(temporaryDirectory(), 'd'), log: quietLog, pages: null })
    const client = connect(await server.listen(), 'room')
    await synced(client)
    client.doc.getText('t').insert(0, 'x')
    client.destroy()

    await server.stop()
    await server.stop()
    await new Promise(resolve => setImmediate(resolve))

    expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
  })
})
