/** Bytes that are no frames, frames that are no messages: the offender is closed, nobody else notices. */
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startBystanders } from '../support/bystanders.ts'
import { until } from '../support/clients.ts'
import { createRaw, openRaw } from '../support/raw.ts'
import { seed } from '../support/seed.ts'
import { spawnServer, startServer } from '../support/server.ts'
import { maskedFrame, openTcp } from '../support/tcp.ts'
import { randomFrom } from '../support/trace.ts'

const brokenFrames: readonly (readonly [string, number, Buffer])[] = [
  ['six bytes with reserved bits set', 1002, Buffer.from([0xc1, 0x80, 0, 0, 0, 0])],
  ['six bytes of an unknown opcode', 1002, Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
  ['a frame that is not masked', 1002, Buffer.from([0x82, 0x01, 0x03])],
  ['a continuation of nothing', 1002, maskedFrame(0x80, Uint8Array.of(1))],
  ['a ping in fragments', 1002, maskedFrame(0x09, Uint8Array.of(1))],
  ['a close frame with a code that is none', 1002, maskedFrame(0x88, Uint8Array.of(0, 1))],
  ['text that is not UTF-8', 1007, maskedFrame(0x81, Uint8Array.of(0xff, 0xfe))],
  ['a frame that announces 200 MB', 1009, announcing(200 * 1024 * 1024)],
  ['a frame that announces 2^53 bytes', 1009, announcing(2 ** 53)],
  ['a binary frame without bytes', 4400, maskedFrame(0x82, Uint8Array.of())]
]

describe('one process', () => {
  test('[I5] lives through every broken frame, one after the other, and its other clients with it', async () => {
    const server = await spawnServer(['--port', '0', '--data', ':memory:'])
    const bystanders = await startBystanders(server.url)
    const codes: [string, number][] = []

    for (const [what, , bytes] of brokenFrames) {
      const tcp = await openTcp(server.url, 'room')
      tcp.socket.write(bytes)
      codes.push([what, await tcp.closed()])
      await bystanders.unharmed()
    }

    expect(codes).toEqual(brokenFrames.map(([what, code]) => [what, code]))
    expect(server.process.exitCode).toBeNull()
  })
})

test('[I5] a connection that breaks off within a frame leaves nothing behind', async () => {
  const server = await startServer()
  const bystanders = await startBystanders(server.url)

  for (const cut of [1, 3, 7, 9]) {
    const tcp = await openTcp(server.url, 'room')
    tcp.socket.write(maskedFrame(0x82, Uint8Array.of(0, 0, 1, 0)).subarray(0, cut))
    tcp.socket.resetAndDestroy()
  }
  const slow = await openTcp(server.url, 'room')
  slow.socket.write(announcing(1_000_000))
  slow.socket.destroy()

  await bystanders.unharmed()
  await untilCount(() => server.metrics(), 2)
})

test('[I5] HTTP that is no upgrade, and upgrades that are none, are answered and end', async () => {
  const { url } = await startServer()
  const bystanders = await startBystanders(url)
  const requests = [
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    'GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    'POST /room HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    'GET /room HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'GET /__proto__ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    '\u0000\u0001\u0002\r\n\r\n'
  ]

  const statuses: string[] = []
  for (const request of requests) statuses.push(await statusOf(url, request))

  expect(
    statuses.every(status => /^4\d\d$/.test(status)),
    statuses.join()
  ).toBe(true)
  await bystanders.unharmed()
})

test(`[I7] random and mutated messages end with a typed code or are taken (SEED=${seed})`, async () => {
  const random = randomFrom(seed)
  const { url } = await startServer({
    limits: { refusalDelayMs: 1, refusalDelayMsMax: 1, refusalMemoryMs: 1 }
  })
  const bystanders = await startBystanders(url)
  const codes = new Map<number, number>()

  for (let i = 0; i < 300; i++) {
    // Half of them into the bystanders' room.
    const raw = await openRaw({ url, path: i % 2 === 0 ? 'room' : `room ${i}` })
    const frame = randomMessage(random)
    raw.send(frame)
    // A barrier whose answer, or whose end, tells what became of it.
    const outcome = await raw.ask().then(
      () => 0,
      () => raw.closeCode() ?? -1
    )
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
    expect([0, 4400, 4500], `SEED=${seed} message ${i}: ${Buffer.from(frame).toString('hex')}`).toContain(
      outcome
    )
    raw.socket.terminate()
  }

  await bystanders.unharmed()
  expect(codes.get(4400)).toBeGreaterThan(20)
  expect(codes.get(4500)).toBeGreaterThan(5)
})

test('[I6] five hundred connections that come and go at once', async () => {
  const server = await startServer()
  const bystanders = await startBystanders(server.url)

  const all = Array.from({ length: 500 }, (_, i) => createRaw({ url: server.url, path: `room ${i % 7}` }))
  await until(() => all.filter(each => each.socket.readyState === 1).length > 250, 'half of them open')
  for (const each of all) each.socket.terminate()

  await bystanders.unharmed()
  await untilCount(() => server.metrics(), 2)
})

test('connections beyond connectionsMax are refused, and one that goes makes room', async () => {
  const { url } = await startServer({ limits: { connectionsMax: 2 } })
  const [a] = [await openRaw({ url, path: 'a' }), await openRaw({ url, path: 'b' })]

  const refused = await statusOf(
    url,
    'GET /c HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
  )
  a.socket.close()
  await a.closed()
  const next = await openRaw({ url, path: 'c' })
  await next.ask()

  expect(refused).toBe('503')
})

const recorded = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/y-websocket.json'), 'utf8')) as {
    vectors: { from: string; frame: string }[]
  }
).vectors.filter(({ from }) => from === 'client')

function randomMessage(random: () => number): Uint8Array {
  const integer = (below: number) => Math.floor(random() * below)
  if (random() < 0.3) return Uint8Array.from({ length: integer(60) }, () => integer(256))
  const bytes = Buffer.from(recorded[integer(recorded.length)]?.frame ?? '', 'hex')
  for (let mutations = 1 + integer(3); mutations > 0 && bytes.length > 0; mutations--) {
    bytes[integer(bytes.length)] = integer(256)
  }
  return random() < 0.2 ? bytes.subarray(0, integer(bytes.length + 1)) : bytes
}

/** The head of a binary frame of so many bytes, of which none follow. */
function announcing(length: number): Buffer {
  const head = Buffer.alloc(14)
  head[0] = 0x82
  head[1] = 0xff
  head.writeBigUInt64BE(BigInt(length), 2)
  return head
}

function statusOf(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connectTcp(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  socket.write(request)
  return new Promise(resolve => {
    socket.once('data', data => resolve(/^HTTP\/1\.1 (\d+)/.exec(data.toString())?.[1] ?? 'no HTTP'))
    socket.on('error', () => resolve('error'))
    socket.on('close', () => resolve('closed'))
    setTimeout(() => resolve('no answer'), 30_000)
  })
}

/** So many connections are left. */
async function untilCount(metrics: () => Promise<string>, count: number): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!new RegExp(`^chorus_connections ${count}$`, 'm').test(await metrics())) {
    if (performance.now() > endMs) throw new Error(`waited for ${count} connections:\n${await metrics()}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
