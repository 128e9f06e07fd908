/** Opening a bus by its address: what is wrong is said, and never with a password. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseAddress } from '../../bus/address.ts'
import type { Bus, BusStatus } from '../../bus/bus.ts'
import { loadClient, reasonOf } from '../../bus/client.ts'
import { openNatsBus } from '../../bus/nats.ts'
import { openBus } from '../../bus/open.ts'
import { openRabbitBus } from '../../bus/rabbitmq.ts'
import { openRedisBus } from '../../bus/redis.ts'

const secret = 'hunter%2F2'

test('an address is a scheme, credentials, hosts, a path and parameters', () => {
  expect(parseAddress('Redis+Sentinel://ada:hunter%2F2@[::1]:1,b,c:3/my%20master?x=1', 26_379)).toEqual({
    scheme: 'redis+sentinel',
    user: 'ada',
    password: 'hunter/2',
    hosts: [
      { host: '::1', port: 1 },
      { host: 'b', port: 26_379 },
      { host: 'c', port: 3 }
    ],
    path: 'my master',
    parameters: new Map([['x', '1']])
  })
  expect(parseAddress('nats://token@h', 4222)).toMatchObject({ user: 'token', password: null, path: null })
  expect(parseAddress('redis://:p:q@h', 6379)).toMatchObject({ user: null, password: 'p:q' })
})

test.each([
  `redis://ada:${secret}@`,
  `redis://ada:${secret}@h:0`,
  `redis://ada:${secret}@h:99999`,
  `redis://ada:${secret}@h:1:2`,
  `redis://ada:${secret}%@h`,
  `redis://ada:${secret}@h/3`,
  `redis://ada:${secret}@h,i`,
  `redis://ada:${secret}@h?cluster=yes`,
  `redis://ada:${secret}@h?db=1`,
  `redis+sentinel://ada:${secret}@h`,
  `redis+sentinel://ada:${secret}@h/m?cluster=sharded`,
  `nats://ada:${secret}@h/x`,
  `nats://ada:${secret}@h?tls=no`,
  `amqp://ada:${secret}@h?heartbeat=1`,
  `kafka://ada:${secret}@h`,
  `ada:${secret}@h`,
  ''
])('%j is refused, without its password', async address => {
  const error = await openBus(address).catch((reason: unknown) => reason as Error & { code: string })

  expect(error).toMatchObject({ name: 'BusError', code: 'BUS_ARGUMENT' })
  expect(`${error}${JSON.stringify(error)}${'stack' in error ? error.stack : ''}`).not.toMatch(/hunter/)
})

test('a client that is not installed is asked for by its name', async () => {
  // Not literally, so that the compiler does not look for it.
  const name = 'chorus-has-no-such-package'
  const missing = loadClient(name, () => import(name))

  await expect(missing).rejects.toMatchObject({
    code: 'BUS_CLIENT_MISSING',
    message: expect.stringContaining(`npm install ${name}`)
  })
  const broken = new Error("Cannot find package 'another'")
  await expect(loadClient(name, () => Promise.reject(broken))).rejects.toBe(broken)
})

test('a reason is a code or a kind, never a message', () => {
  const withCode = Object.assign(new Error(`redis://ada:${secret}@h`), { code: 'ECONNREFUSED' })

  expect(reasonOf(withCode)).toBe('ECONNREFUSED')
  expect(reasonOf(new Error(`WRONGPASS invalid ${secret}`))).toBe('WRONGPASS')
  expect(reasonOf(new TypeError(`Invalid URL ${secret}`))).toBe('TypeError')
  expect(reasonOf(new Error('outer', { cause: withCode }))).toBe('ECONNREFUSED')
  expect(reasonOf(secret)).toBe('unknown')
})

test(':memory: is a bus of this process', async () => {
  const bus = await openBus(':memory:')
  onTestFinished(() => bus.close())

  const heard = new Promise(resolve => bus.subscribe('t', bytes => resolve([...bytes])))
  bus.publish('t', new Uint8Array([1, 2]))

  expect(bus.status()).toEqual({ state: 'connected' })
  expect(await heard).toEqual([1, 2])
})

describe.each([
  ['redis', openRedisBus],
  ['nats', openNatsBus],
  ['amqp', openRabbitBus]
] as const)('%s:', (scheme, open) => {
  test('a broker that accepts and says nothing is given up, and tried again', async () => {
    const { port, sockets, server } = await silentServer()
    const bus = await open(parseAddress(`${scheme}://ada:secret@127.0.0.1:${port}`, port), {
      dialMs: 100,
      redialMs: 5
    })
    onTestFinished(() => bus.close())

    while (sockets.size < 4) await once(server, 'connection')

    // Redis has two connections at a time.
    expect(bus.status()).toMatchObject({ state: 'away' })
    expect(bus.publish('t', new Uint8Array(1))).toBe(false)
    await bus.close()
    for (const socket of sockets) if (!socket.closed) await once(socket, 'close')
  })

  test('nobody is there: it says so in a word, and stays ready to be closed', async () => {
    const { port, server } = await silentServer()
    server.close()
    await once(server, 'close')
    const bus = await open(parseAddress(`${scheme}://ada:secret@127.0.0.1:${port}`, port), { redialMs: 5 })
    onTestFinished(() => bus.close())

    const status = await changedReason(bus)

    expect(status).toEqual({ state: 'away', reason: 'ECONNREFUSED' })
  })
})

/** Takes connections, reads, and never answers. */
async function silentServer(): Promise<{ port: number; server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, server, sockets }
}

/** Watchers hear of other states, not of other reasons: so it is looked at. */
async function changedReason(bus: Bus): Promise<BusStatus> {
  const first = JSON.stringify(bus.status())
  while (JSON.stringify(bus.status()) === first) await new Promise(resolve => setImmediate(resolve))
  return bus.status()
}
