/** Where clients connect from: neither stored nor logged, unless an operator asks for it by the level `debug`. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { everything } from '../../persistence/format.ts'
import { createLevelBackend } from '../../persistence/level-backend.ts'
import type { Authorize } from '../../src/access/grant.ts'
import { createLog, type Log, type LogLevel } from '../../src/base/log.ts'
import type { Change } from '../../src/index.ts'
import { createServer, type Server } from '../../src/server.ts'
import { until, untilAsync } from '../support/clients.ts'
import { openRaw, type Raw, updateFrame } from '../support/raw.ts'
import { authFrame, openHocuspocus, updateFrameOf } from '../support/raw-hocuspocus.ts'
import { temporaryDirectory } from '../support/server.ts'
import { textUpdate } from '../support/text.ts'

const addresses = ['127.0.0.1', '203.0.113.7', '2001:db8::7']
const malformed = Uint8Array.of(1, 1)

/** As careless as an application may be: it says in its errors who it was that it did not know. */
const careless: Authorize = ({ token, address, headers }) => {
  if (token === 'guest') return { user: null, access: 'write' }
  if (token === null) throw new Error(`nobody at ${address} (${headers['x-forwarded-for']})`)
  return { user: { id: token, name: `${token} of ${address}` }, access: 'write' }
}

function logged(level: LogLevel): { log: Log; lines: string[] } {
  const lines: string[] = []
  return { lines, log: createLog(level, { write: (line: string) => void lines.push(line) }) }
}

async function start(data: string, log: Log, onChange: (change: Change) => void = () => {}): Promise<Server> {
  const server = createServer({
    data,
    log,
    pages: null,
    authorize: careless,
    trustProxy: ['loopback'],
    onChange,
    limits: { refusalDelayMs: 1, refusalDelayMsMax: 5, roomIdleMs: 50, changeDebounceMs: 20 }
  })
  await server.listen()
  onTestFinished(() => server.stop())
  return server
}

/** From the socket's own address, or from the one that a proxy on this machine names. */
function headersOf(address: string): Record<string, string> {
  return address === '127.0.0.1' ? {} : { 'x-forwarded-for': `198.51.100.1, ${address}` }
}

/** An open connection from there whose owner has signed in. */
async function from(server: Server, address: string, path: string, token = 'ann'): Promise<Raw> {
  const raw = await openRaw({ url: server.url, path: `${path}?token=${token}`, headers: headersOf(address) })
  await raw.ask()
  return raw
}

/** What somebody there does, well and badly, that leaves something in the store or in the log. */
async function liveThrough(server: Server, address: string): Promise<void> {
  const { url } = server
  const headers = headersOf(address)
  const typist = await from(server, address, 'typed')
  typist.send(updateFrame(textUpdate(`by ann at some address ${addresses.indexOf(address)}`)))
  await typist.ask()
  const provider = await openHocuspocus(url, '', headers)
  await provider.join('typed', 'bob')
  provider.raw.send(updateFrameOf('typed', textUpdate('by bob')))
  await until(() => provider.heard('typed').filter(what => what === 'saved').length > 1, 'it to be saved')

  for (const [path, frame] of [
    ['refused?token=guest', updateFrame(malformed)],
    ['refused?token=ann', Uint8Array.of(0, 9)],
    ['refused', updateFrame(malformed)]
  ] as const) {
    const raw = await openRaw({ url, path, headers })
    raw.send(frame)
    await raw.closed()
  }
  provider.raw.send(authFrame('refused', ''))
  await until(() => provider.heard('refused').length > 0, 'the denial')
  typist.send(updateFrame(malformed))
  await typist.closed()
}

/** A document is deleted, and somebody comes back with a copy of it. */
async function bringBack(server: Server, address: string): Promise<void> {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'of a document that is gone')
  await server.apply('gone', Y.encodeStateAsUpdate(doc))
  await server.delete('gone')
  const raw = await openRaw({
    url: server.url,
    path: 'gone?token=guest',
    headers: headersOf(address)
  })
  raw.send(updateFrame(Y.encodeStateAsUpdate(doc)))
  expect(await raw.closed()).toBe(4410)
}

/** Everything that the database holds, uncompressed, and every file of the directory as it is. */
async function storedBytes(directory: string): Promise<Buffer[]> {
  const database = await createLevelBackend(join(directory, 'log')).open()
  const stored: Buffer[] = []
  for await (const page of database.range(everything)) stored.push(...page.flat())
  await database.close()
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name)
    if (statSync(path).isFile()) stored.push(readFileSync(path))
  }
  return stored
}

test('the address of a client is in no stored byte and in no line of the log above debug', async () => {
  const { log, lines } = logged('info')
  const data = join(temporaryDirectory(), 'data')
  const changes: Change[] = []
  const server = await start(data, log, change => void changes.push(change))

  for (const address of addresses) {
    await liveThrough(server, address)
    await bringBack(server, address)
  }
  await until(() => changes.length > 0, 'the change to be told of')
  const answers = await setAsideOf(server, data)
  await server.stop()

  const stored = await storedBytes(data)
  expect(stored.some(bytes => bytes.includes('by bob'))).toBe(true)
  expect(lines.length).toBeGreaterThan(addresses.length)
  expect(lines.join('')).toContain('nobody at ')
  for (const address of [...addresses, '198.51.100.1']) {
    expect(stored.filter(bytes => bytes.includes(address))).toEqual([])
    expect(lines.filter(line => line.includes(address))).toEqual([])
    expect(JSON.stringify([answers, changes])).not.toContain(address)
  }
})

test('what is set aside, the log and onChange name the person and the connection', async () => {
  const { log, lines } = logged('info')
  const data = join(temporaryDirectory(), 'data')
  const changes: Change[] = []
  const server = await start(data, log, change => void changes.push(change))
  const connection = expect.stringMatching(/^[\w-]{8}-\d+$/)

  await liveThrough(server, '203.0.113.7')
  await until(() => changes.length > 0, 'the change to be told of')

  expect(changes.flatMap(({ authors }) => authors)).toEqual([
    { user: 'ann', connection, origin: 'client' },
    { user: 'bob', connection, origin: 'client' }
  ])
  expect(await setAsideOf(server, data)).toMatchObject([
    { document: 'refused', author: { user: null, connection, origin: 'client' } },
    { document: 'typed', author: { user: 'ann', connection, origin: 'client' } }
  ])
  const refused = lines
    .map(line => JSON.parse(line))
    .filter(({ msg }) => msg === 'update refused and set aside')
  expect(refused).toMatchObject([
    { document: 'refused', user: null, connection },
    { document: 'typed', user: 'ann', connection }
  ])
})

test('the level debug says which connection came from where, in a field of its own', async () => {
  const { log, lines } = logged('debug')
  const server = await start(join(temporaryDirectory(), 'data'), log)

  const raw = await from(server, '203.0.113.7', 'room')
  raw.send(Uint8Array.of(0, 9))
  await raw.closed()

  const ofConnection = lines.map(line => JSON.parse(line)).filter(line => line.connection !== undefined)
  expect(ofConnection.map(({ msg, address }) => [msg, address])).toEqual([
    ['connection opened', '203.0.113.7'],
    ['connection ended', '203.0.113.7']
  ])
  for (const { connection } of ofConnection) expect(connection).toMatch(/^[\w-]{8}-1$/)
})

/** What the operator is shown, once it is all there. */
async function setAsideOf(server: Server, data: string): Promise<unknown[]> {
  const { token } = JSON.parse(readFileSync(join(data, 'control.json'), 'utf8')) as { token: string }
  const list = async () => {
    const response = await fetch(`${server.url}/api/set-aside/list`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: '{}'
    })
    return ((await response.json()) as { entries: unknown[] }).entries
  }
  await untilAsync(async () => (await list()).length > 1, 'something to be set aside')
  return list()
}
