/** Servers attached beside others that take upgrades, in either order: real ones, on one HTTP server. */
import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { Server as SocketServer } from 'socket.io'
import { io } from 'socket.io-client'
import { createServer as createVite } from 'vite'
import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'
import { connect, converged, synced } from '../support/clients.ts'
import { listenBeside, quietLog, temporaryDirectory } from '../support/server.ts'

type Other = (httpServer: HttpServer) => void | Promise<void>

/** `order`: who listens for upgrades first. */
async function beside(
  other: Other,
  order: 'chorus first' | 'chorus last',
  options: ServerOptions = {}
): Promise<{ url: string; chorus: Server }> {
  const httpServer = createHttpServer((_, response) => response.end('my application'))
  const chorus = createServer({ log: quietLog, pages: null, data: ':memory:', ...options })
  if (order === 'chorus first') await chorus.attach(httpServer)
  await other(httpServer)
  if (order === 'chorus last') await chorus.attach(httpServer)
  return { url: await listenBeside(httpServer, chorus), chorus }
}

async function expectToSync(url: string): Promise<void> {
  const clients = [connect(url, 'room'), connect(url, 'room')]
  onTestFinished(() => clients.forEach(client => void client.destroy()))
  await Promise.all(clients.map(synced))
  clients[0]?.doc.getText('t').insert(0, 'hello')
  await converged(clients)
  expect(clients[1]?.doc.getText('t').toString()).toBe('hello')
}

/** A server of the application that accepts what is at /own and leaves the rest alone. */
function ownSockets(httpServer: HttpServer): void {
  const sockets = new WebSocketServer({ noServer: true })
  httpServer.on('upgrade', (request, stream, head) => {
    if (request.url !== '/own') return
    sockets.handleUpgrade(request, stream, head, socket => socket.send('mine'))
  })
}

async function firstMessage(url: string): Promise<string> {
  const socket = new WebSocket(url.replace('http', 'ws'))
  onTestFinished(() => socket.terminate())
  const [data] = await once(socket, 'message')
  return String(data)
}

describe.each(['chorus first', 'chorus last'] as const)('with the default path, %s', order => {
  test('another server of ws keeps its sockets, and documents sync', async () => {
    const { url } = await beside(ownSockets, order)

    expect(await firstMessage(`${url}/own`)).toBe('mine')
    await expectToSync(url)
  })

  test('socket.io keeps its sockets, and documents sync', async () => {
    const sockets = new SocketServer()
    sockets.on('connection', socket => socket.emit('hello', 'mine'))
    const { url } = await beside(httpServer => void sockets.attach(httpServer), order)
    onTestFinished(() => void sockets.close())

    const client = io(url, { transports: ['websocket'] })
    onTestFinished(() => void client.close())
    const greeting = await new Promise(resolve => client.on('hello', resolve))

    expect(greeting).toBe('mine')
    await expectToSync(url)
  })

  test('Vite keeps its sockets, and documents sync', async () => {
    const root = temporaryDirectory()
    const vite = async (httpServer: HttpServer) => {
      const server = await createVite({
        root,
        configFile: false,
        logLevel: 'silent',
        cacheDir: `${root}/cache`,
        appType: 'custom',
        server: { middlewareMode: true, hmr: { server: httpServer }, watch: null }
      })
      onTestFinished(() => server.close())
      token = server.config.webSocketToken
    }
    let token = ''
    const { url } = await beside(vite, order)

    const socket = new WebSocket(`${url.replace('http', 'ws')}/?token=${token}`, 'vite-hmr')
    onTestFinished(() => socket.terminate())
    const [data] = await once(socket, 'message')

    expect(JSON.parse(String(data))).toEqual({ type: 'connected' })
    await expectToSync(url)
  })
})

test('an upgrade that a listener has taken before does not end the process, also below a path of documents', async () => {
  const warnings: string[] = []
  const log = { ...quietLog, warn: (_: unknown, message: string) => void warnings.push(message) }
  const greedy = (httpServer: HttpServer) => void new WebSocketServer({ server: httpServer })
  const { url } = await beside(greedy, 'chorus last', { path: '/collab', log: log as typeof quietLog })

  for (let i = 0; i < 3; i++) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/collab/room`)
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
  }

  expect(warnings).toEqual(['another listener took an upgrade below the path of documents'])
})

test('an upgrade that is reset while others are asked harms nobody', async () => {
  const { url } = await beside(ownSockets, 'chorus last')

  for (let i = 0; i < 20; i++) {
    const socket = connectTcp(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.resetAndDestroy()
  }

  await expectToSync(url)
})

describe('a WebSocket that was accepted elsewhere', () => {
  async function handedOver(options: ServerOptions = {}): Promise<{ url: string; chorus: Server }> {
    let chorus: Server | null = null
    const accept = (httpServer: HttpServer) => {
      const sockets = new WebSocketServer({ server: httpServer, perMessageDeflate: true })
      sockets.on('connection', (socket, request) => chorus?.connect(socket, request))
    }
    const httpServer = createHttpServer()
    accept(httpServer)
    chorus = createServer({ log: quietLog, pages: null, data: ':memory:', ...options })
    await chorus.listen()
    return { url: await listenBeside(httpServer, chorus), chorus }
  }

  test('is a connection like any other, compressed or not', async () => {
    const { url } = await handedOver()

    await expectToSync(url)
  })

  test('is asked who it is', async () => {
    const { url } = await handedOver({ authorize: () => ({ user: null, access: 'none' }) })
    const socket = new WebSocket(`${url.replace('http', 'ws')}/room`)
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')

    socket.send(Uint8Array.of(0, 0, 1, 0))
    const [code] = await once(socket, 'close')

    expect([4401, 4403]).toContain(code)
  })

  test('that is none, or is closed, is a TypeError', async () => {
    const { chorus } = await handedOver()
    const request = {} as Parameters<Server['connect']>[1]

    expect(() => chorus.connect({ readyState: 1, close: () => {} }, request)).toThrow(TypeError)
  })
})

test('server.change hands its function the yjs that its document is of', async () => {
  const server = createServer({ log: quietLog, pages: null, data: ':memory:' })
  await server.listen()
  onTestFinished(() => server.stop())

  await server.change('room', (doc, yjs) => {
    doc.getMap('m').set('nested', new yjs.Map([['a', 1]]))
  })

  await server.change('room', doc => expect(doc.getMap('m').toJSON()).toEqual({ nested: { a: 1 } }))
})
