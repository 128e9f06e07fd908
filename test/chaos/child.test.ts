// The Chaos page's child server, with real processes: the built command as the child, the server in this process (and,
// where it has to die, in one of its own) as the parent.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Limits } from '../../src/base/limits.ts'
import { type Client, connect, synced, until } from '../support/clients.ts'
import { type ServerProcess, spawnServer, startServer, temporaryDirectory } from '../support/server.ts'

type State = { isAllowed: boolean; phase: string; pid: number | null; restartsLeft: number; refusal?: string }
type Killed = { pidBefore: number; pidAfter: number; downMs: number; restartsLeft: number }

/** A busy machine starts a process late. */
const patient: Partial<Limits> = { chaosStartMs: 60_000 }

// Servers of other tests may be making such directories at the same time.
const ownTmp = mkdtempSync(`${tmpdir()}/chorus-test-`)
process.env.TMPDIR = ownTmp
afterAll(() => rmSync(ownTmp, { recursive: true, force: true }))

test('is started once, is another process, and hands out what was written before it was killed', async () => {
  const url = await chaosServer()
  const [first, second] = await Promise.all([post<State>(url, 'start'), post<State>(url, 'start')])
  const writer = await join(url)
  writer.doc.getText('t').insert(0, 'kept')
  const reader = await join(url)
  await until(() => reader.doc.getText('t').length === 4, 'the text at the other')
  writer.destroy()
  reader.destroy()

  const killed = await post<Killed>(url, 'kill')

  const witness = await join(url)
  expect(first.pid).toBe(second.pid)
  expect(first.pid).not.toBe(process.pid)
  expect(killed.pidBefore).toBe(first.pid)
  expect(killed.pidAfter).not.toBe(first.pid)
  expect(killed.downMs).toBeGreaterThan(0)
  expect(isAlive(killed.pidBefore)).toBe(false)
  expect(witness.doc.getText('t').toString()).toBe('kept')
})

test('its documents are not those of the server beside it', async () => {
  const url = await chaosServer()
  await post(url, 'start')
  const inside = await join(url)
  inside.doc.getText('t').insert(0, 'inside')
  const beside = connect(url, 'room')
  onTestFinished(beside.destroy)

  await synced(beside)

  expect(beside.doc.getText('t').toString()).toBe('')
})

test('a connection that comes while it restarts waits for it', async () => {
  const url = await chaosServer()
  const { pid } = await post<State>(url, 'start')
  const killing = post<Killed>(url, 'kill')
  await until(() => !isAlive(pid), 'its end')

  const client = await join(url)

  expect(client.provider.wsconnected).toBe(true)
  await killing
})

test('one that died by itself is started again with what it had', async () => {
  const url = await chaosServer()
  const { pid } = await post<State>(url, 'start')
  const writer = await join(url)
  writer.doc.getText('t').insert(0, 'kept')
  const reader = await join(url)
  await until(() => reader.doc.getText('t').length === 4, 'the text at the other')
  writer.destroy()
  reader.destroy()

  process.kill(pid ?? 0, 'SIGKILL')
  await expect.poll(async () => (await stateOf(url)).phase).toBe('down')
  const { pid: next } = await post<State>(url, 'start')

  const witness = await join(url)
  expect(next).not.toBe(pid)
  expect(witness.doc.getText('t').toString()).toBe('kept')
})

test('restarts are counted by the minute, and one too many is refused', async () => {
  const url = await chaosServer({ chaosRestartsPerMinuteMax: 2 })
  expect((await send(url, 'kill')).status).toBe(409)
  await post(url, 'start')
  await post(url, 'kill')
  expect((await post<Killed>(url, 'kill')).restartsLeft).toBe(0)

  const refused = await send(url, 'kill')

  expect(refused.status).toBe(429)
  expect((await stateOf(url)).phase).toBe('up')
})

test('one connection too many is turned away, and so is one before the start', async () => {
  const url = await chaosServer({ chaosConnectionsMax: 1 })
  expect(await handshakeStatus(url)).toBe(503)
  await post(url, 'start')
  await join(url)

  expect(await handshakeStatus(url)).toBe(503)
})

test('one that does not listen in time is ended, and the next one may try', async () => {
  const url = await chaosServer({ chaosStartMs: 1 })

  expect((await send(url, 'start')).status).toBe(503)

  expect((await stateOf(url)).phase).toBe('down')
})

test('the data of one that did not start goes when nobody comes', async () => {
  const before = directories()
  const url = await chaosServer({ chaosStartMs: 1, chaosIdleMs: 300 })

  expect((await send(url, 'start')).status).toBe(503)

  const left = () => directories().filter(each => !before.includes(each))
  expect(left()).toHaveLength(1)
  await until(() => left().length === 0, 'its end')
  expect((await stateOf(url)).phase).toBe('none')
})

test('where no more files may be opened, a start is refused as one at a limit', async () => {
  const { url } = await spawnServer(['--port', '0', '--data', ':memory:', '--limit', 'chaosStartMs=60000'], {
    openFilesMax: 160
  })
  // One connection for the request; all others there can be.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const ask = (method: string, path: string) => requestStatus(`${url}${path}`, { method, agent })
  expect(await ask('GET', '/healthz')).toBe(200)
  const others = Array.from({ length: 200 }, () => connectTcp(Number(new URL(url).port), '127.0.0.1'))
  onTestFinished(() => others.forEach(socket => void socket.destroy()))
  for (const socket of others) socket.on('error', () => {}).resume()
  // The server closes at once what it has no place for.
  await until(() => others.some(socket => socket.destroyed), 'the end of its files')

  expect(await ask('POST', '/chaos/start')).toBe(503)
})

test('pages of other origins neither start it nor connect to it', async () => {
  const url = await chaosServer()
  const origin = 'https://example.org'

  expect((await send(url, 'start', { origin })).status).toBe(403)
  expect((await stateOf(url)).phase).toBe('none')
  await post(url, 'start')
  expect(await handshakeStatus(url, { origin })).toBe(403)
  expect((await send(url, 'kill', { origin })).status).toBe(403)
})

test('where nobody may, nothing is started, and the path is a document like any other', async () => {
  const server = await startServer({ pages: temporaryDirectory(), chaos: 'off' })

  expect(await stateOf(server.url)).toEqual({ isAllowed: false, refusal: 'off' })
  expect((await send(server.url, 'start')).status).toBe(403)
  const client = await join(server.url)
  expect(client.provider.wsconnected).toBe(true)
})

test('it is there below a path prefix, too', async () => {
  const server = await startServer({
    pages: temporaryDirectory(),
    chaos: 'auto',
    path: '/sync',
    limits: patient
  })

  await post(server.url, 'start')

  expect((await join(server.url)).provider.wsconnected).toBe(true)
})

test('it ends, and its data goes, when nobody is connected any more', async () => {
  const before = directories()
  const url = await chaosServer({ chaosIdleMs: 300 })
  const { pid } = await post<State>(url, 'start')
  const client = await join(url)
  const [directory = ''] = directories().filter(each => !before.includes(each))
  expect(existsSync(directory)).toBe(true)

  client.destroy()

  await until(() => !isAlive(pid) && !existsSync(directory), 'its end')
  expect((await stateOf(url)).phase).toBe('none')
})

test('it ends, and its data goes, when the server stops', async () => {
  const before = directories()
  const server = await startServer({ pages: temporaryDirectory(), chaos: 'auto', limits: patient })
  const { pid } = await post<State>(server.url, 'start')
  await join(server.url)
  const [directory = ''] = directories().filter(each => !before.includes(each))
  expect(existsSync(directory)).toBe(true)

  await server.stop()

  expect(isAlive(pid)).toBe(false)
  expect(existsSync(directory)).toBe(false)
})

test('it ends, and its data goes, when the server itself is killed', async () => {
  const before = directories()
  const parent: ServerProcess = await spawnServer([
    ...['--port', '0', '--data', ':memory:', '--limit', 'chaosStartMs=60000']
  ])
  const { pid } = await post<State>(parent.url, 'start')
  const [directory = ''] = directories().filter(each => !before.includes(each))
  expect(existsSync(directory)).toBe(true)

  await parent.kill()

  await until(() => !isAlive(pid) && !existsSync(directory), 'its end')
})

async function chaosServer(limits: Partial<Limits> = {}): Promise<string> {
  const server = await startServer({
    pages: temporaryDirectory(),
    chaos: 'auto',
    limits: { ...patient, ...limits }
  })
  return server.url
}

function send(
  url: string,
  action: 'start' | 'kill',
  { origin = new URL(url).origin }: { origin?: string } = {}
): Promise<Response> {
  return fetch(`${url}/chaos/${action}`, { method: 'POST', headers: { origin } })
}

async function post<Answer>(url: string, action: 'start' | 'kill'): Promise<Answer> {
  const response = await send(url, action)
  expect(response.status).toBe(200)
  return (await response.json()) as Answer
}

async function stateOf(url: string): Promise<State> {
  return (await (await fetch(`${url}/chaos`)).json()) as State
}

/** A y-websocket client of the child, as a page of the server would be. */
async function join(url: string): Promise<Client> {
  const client = connect(`${url}/chaos/ws`, 'room', { origin: new URL(url).origin })
  onTestFinished(client.destroy)
  await synced(client)
  return client
}

function requestStatus(url: string, options: { method: string; agent: Agent }): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { origin: new URL(url).origin }
    const sent = request(url, { ...options, headers }, response => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    sent.on('error', reject).end()
  })
}

function handshakeStatus(url: string, { origin = new URL(url).origin } = {}): Promise<number> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/chaos/ws/room`, { origin })
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', reject)
    socket.on('open', () => {
      socket.terminate()
      reject(new Error('it was let in'))
    })
  })
}

function directories(): string[] {
  return readdirSync(tmpdir())
    .filter(name => name.startsWith('chorus-chaos-'))
    .map(name => `${tmpdir()}/${name}`)
}

function isAlive(pid: number | null): boolean {
  try {
    process.kill(pid ?? 0, 0)
    return pid !== null
  } catch {
    // ESRCH: nobody has that id any more.
    return false
  }
}
