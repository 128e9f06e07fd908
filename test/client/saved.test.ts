/** What the client says is saved: on its own server, for readers, and on servers that do not tell. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hocuspocus } from '@hocuspocus/server'
import { setupWSConnection } from '@y/websocket-server/utils'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import * as Y from 'yjs'
import { NotSavedError } from '../../client/index.ts'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import { holdAppends } from '../support/disk.ts'
import { startServer } from '../support/server.ts'
import { join, openSocket, shows, stored, type } from './joined.ts'

/** The same over a WebSocket of its own and over one that several documents share. */
const ways = [
  ['a socket of its own', (url: string) => url],
  ['a shared socket', (url: string) => openSocket(url)]
] as const

describe.each(ways)('over %s', (_, to) => {
  test('[AK2] a change is saving until it is on the disk, and saved() waits for that', async () => {
    const store = createMemoryStore()
    const disk = holdAppends(store)
    const { url } = await startServer({ store })
    const client = join(to(url), 'room')
    await shows(client, { synced: true, saved: 'yes', pending: 0, connection: 'connected' }, 'the beginning')
    const heard: string[] = []
    client.provider.subscribe(() => heard.push(client.provider.getSnapshot().saved))

    type(client, 'a')
    let isSaved = false
    const saved = client.provider.saved().then(() => {
      isSaved = true
    })
    await until(() => disk.waiting() > 0, 'the append')
    const before = client.provider.getSnapshot()
    const wasSaved = isSaved
    disk.open()
    await saved
    const after = client.provider.getSnapshot()

    expect(before).toMatchObject({ saved: 'saving', pending: 1, savedAt: null, reason: null })
    expect(wasSaved).toBe(false)
    expect(after).toMatchObject({ saved: 'yes', pending: 0, savedAt: expect.any(Number) })
    expect(heard.filter((state, i) => state !== heard[i - 1])).toEqual(['saving', 'yes'])
  })

  test('[AK2] deletions alone are waited for as well', async () => {
    const { url } = await startServer()
    const client = join(to(url), 'room')
    type(client, 'abc')
    await client.provider.saved()

    client.doc.getText('t').delete(0, 2)
    const { saved } = client.provider.getSnapshot()
    await client.provider.saved()

    expect(saved).toBe('saving')
    expect(await stored(url, 'room')).toBe('c')
  })

  test('what is made without a connection is saving, and saved with the next one', async () => {
    const { url } = await startServer()
    const client = join(to(url), 'room', { connect: false })

    type(client, 'before ')
    const offline = client.provider.getSnapshot()
    client.provider.connect()
    await client.provider.saved()
    client.provider.disconnect()
    type(client, 'after')
    client.provider.connect()
    await client.provider.saved()

    expect(offline).toMatchObject({ saved: 'saving', pending: 1, connection: 'disconnected' })
    expect(await stored(url, 'room')).toBe('before after')
  })

  test('[AK3] who may only read is told so, and what was typed is saved once it may write', async () => {
    let access: 'read' | 'write' = 'read'
    const server = await startServer({ authorize: () => ({ user: { id: 'ada' }, access }) })
    const client = join(to(server.url), 'room')
    await shows(client, { synced: true }, 'the document')

    type(client, 'a')
    const refusal = await client.provider.saved().catch((error: unknown) => error)
    const status = client.provider.getSnapshot()
    access = 'write'
    await server.recheck({ user: 'ada' })
    await shows(client, { saved: 'yes', pending: 0 }, 'what was refused')

    expect(refusal).toBeInstanceOf(NotSavedError)
    expect(status).toMatchObject({ saved: 'refused', connection: 'connected' })
    expect(status.reason).toContain('may only read')
    expect(client.provider.getSnapshot().reason).toBeNull()
    expect(await stored(server.url, 'room')).toBe('a')
  })

  test('a document that was deleted is refused, in words, and the copy is still there', async () => {
    const server = await startServer()
    const client = join(to(server.url), 'room')
    type(client, 'old')
    await client.provider.saved()
    client.provider.disconnect()
    type(client, ' copy')
    await server.delete('room')

    client.provider.connect()
    const status = await shows(client, { connection: 'refused' }, 'the refusal')

    expect(status.saved).toBe('refused')
    expect(status.reason).toContain('deleted')
    expect(client.doc.getText('t').toString()).toBe('old copy')
    await expect(client.provider.saved()).rejects.toMatchObject({ code: 'refused' })
  })
})

describe('a server that does not tell', () => {
  test('such as y-websocket’s own is used, and what is saved is unknown', async () => {
    const url = await startYWebsocketServer()
    const [a, b] = [join(url, 'room'), join(url, 'room')]
    await shows(a, { synced: true, saved: 'unknown' }, 'the connection')

    type(a, 'a')
    await until(() => b.doc.getText('t').toString() === 'a', 'the text at the other')

    expect(a.provider.getSnapshot()).toMatchObject({ saved: 'unknown', pending: 0 })
    await expect(a.provider.saved()).rejects.toMatchObject({ code: 'unknown' })
  })

  test('such as Hocuspocus is used over a shared socket, and what is saved is unknown', async () => {
    const url = await startHocuspocus()
    const [a, b] = [join(openSocket(url), 'room'), join(openSocket(url), 'room')]
    await shows(a, { synced: true, saved: 'unknown' }, 'the connection')

    type(a, 'a')
    await until(() => b.doc.getText('t').toString() === 'a', 'the text at the other')

    expect(a.provider.getSnapshot()).toMatchObject({ saved: 'unknown', pending: 0 })
  })
})

test('a document that has content already is not saved before the server has it', async () => {
  const { url } = await startServer()
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'from elsewhere')
  const client = join(url, 'room', { doc, connect: false })
  const before = client.provider.getSnapshot()

  client.provider.connect()
  await client.provider.saved()

  expect(before.saved).toBe('saving')
  expect(await stored(url, 'room')).toBe('from elsewhere')
})

test('a provider that is destroyed rejects who waits', async () => {
  const client = join('ws://127.0.0.1:1', 'room')
  type(client, 'a')
  const saved = client.provider.saved()

  client.provider.destroy()

  await expect(saved).rejects.toMatchObject({ code: 'destroyed' })
})

async function startYWebsocketServer(): Promise<string> {
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  sockets.on('connection', (socket, request) => setupWSConnection(socket, request))
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    sockets.close()
  })
  await new Promise(resolve => sockets.once('listening', resolve))
  return `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`
}

async function startHocuspocus(): Promise<string> {
  const hocuspocus = new Hocuspocus({ quiet: true })
  const http = createServer()
  const sockets = new WebSocketServer({ server: http })
  sockets.on('connection', (socket, request) => {
    const headers = new Headers({ host: request.headers.host ?? '' })
    const connection = hocuspocus.handleConnection(socket, new Request('http://localhost/', { headers }))
    socket.on('message', (data: Buffer) => connection.handleMessage(Uint8Array.from(data)))
    socket.on('close', (code, reason) => connection.handleClose({ code, reason: reason.toString() }))
  })
  http.listen(0, '127.0.0.1')
  await new Promise(resolve => http.once('listening', resolve))
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    hocuspocus.closeConnections()
    http.close()
  })
  return `ws://127.0.0.1:${(http.address() as AddressInfo).port}`
}
