/**
 * Floods: what one side sends without measure must not be felt in a room that behaves. The figures of a long run are in
 * docs/performance.md (`node bench/floods.js`); these are short ones, which ask whether others are served meanwhile.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { connect, converged, synced, until } from '../support/clients.ts'
import { awarenessFrame, openRaw, updateFrame } from '../support/raw.ts'
import { authFrame, openHocuspocus, step1Frame } from '../support/raw-hocuspocus.ts'
import { spawnServer, startServer } from '../support/server.ts'

/** Two people who write to each other while `flood` runs; resolves to how many deliveries they had meanwhile. */
async function deliveriesBeside(url: string, flood: () => Promise<void>): Promise<number> {
  const [a, b] = [connect(url, 'calm'), connect(url, 'calm')]
  onTestFinished(a.destroy)
  onTestFinished(b.destroy)
  await Promise.all([synced(a), synced(b)])
  let deliveries = 0
  let isOver = false
  const writing = (async () => {
    for (let i = 0; !isOver; i++) {
      a.doc.getText('t').insert(0, `${i},`)
      await until(() => b.doc.getText('t').toString().startsWith(`${i},`), 'the delivery')
      if (!isOver) deliveries++
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  })()
  await flood()
  isOver = true
  await writing
  await converged([a, b])
  return deliveries
}

function openSockets(url: string, count: number, first: string): Promise<Socket[]> {
  const { hostname, port } = new URL(url)
  const sockets = Array.from({ length: count }, () => {
    const socket = connectTcp({ host: hostname, port: Number(port) }, () => void socket.write(first))
    socket.on('error', () => {})
    // Otherwise its end would wait to be read.
    socket.resume()
    onTestFinished(() => void socket.destroy())
    return socket
  })
  return Promise.all(
    sockets.map(
      socket =>
        new Promise<Socket>(resolve => {
          socket.once('connect', () => resolve(socket))
          socket.once('close', () => resolve(socket))
        })
    )
  )
}

test('half-open connections beyond handshakesMax make room for others, the oldest first', async () => {
  const { url } = await startServer({ limits: { handshakesMax: 100 } })

  const sockets = await openSockets(url, 300, '')
  const gone = () => sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length
  await until(() => gone() >= 200, 'the oldest to be closed')
  const client = connect(url, 'room')
  await synced(client)
  client.destroy()

  expect(gone()).toBeGreaterThanOrEqual(200)
})

test('10,000 half-open connections are not felt in a room that behaves', async () => {
  const { url } = await spawnServer(['--port', '0', '--data', ':memory:', '--log-level', 'silent'])
  let gone = 0

  const deliveries = await deliveriesBeside(url, async () => {
    const sockets = await openSockets(url, 10_000, '')
    for (const socket of sockets) socket.once('close', () => gone++)
    await until(() => gone >= 4_000, 'the oldest to be closed')
  })

  expect(gone).toBeGreaterThanOrEqual(4_000)
  // Opening them costs this process more than the server: bench/floods.js measures how little is felt.
  expect(deliveries).toBeGreaterThan(0)
})

test('an upgrade that arrives a byte at a time is given up', async () => {
  const { url } = await startServer({ limits: { requestTimeoutMs: 600 } })
  const [socket] = await openSockets(url, 1, 'GET /room HTTP/1.1\r\nHost: x\r\n')
  let answer = ''
  socket?.on('data', (chunk: Buffer) => {
    answer += chunk
  })
  const dripping = setInterval(() => socket?.write('X'), 50)
  onTestFinished(() => clearInterval(dripping))

  await until(() => socket?.destroyed === true || socket?.readableEnded === true, 'the end')

  expect(answer).toMatch(/^(HTTP\/1\.1 408|$)/)
})

test('[AC6] a flood of tiny frames is read slowly: nothing of it is lost, and nobody else feels it', async () => {
  const limits = { messagesPerSecondMax: 2_000, messagesBurstMax: 1_000 }
  const { url } = await startServer({ limits })
  const flooder = await openRaw({ url, path: 'flooded' })
  const doc = new Y.Doc()
  const frames: Uint8Array[] = []
  doc.on('update', update => frames.push(updateFrame(update)))
  for (let i = 0; i < 4_000; i++) doc.getText('t').insert(0, 'x')
  const startMs = performance.now()

  const deliveries = await deliveriesBeside(url, async () => {
    flooder.send(...frames)
    await flooder.ask()
  })

  expect(performance.now() - startMs).toBeGreaterThan(1_000)
  expect(deliveries).toBeGreaterThan(0)
  const reader = connect(url, 'flooded')
  await synced(reader)
  expect(reader.doc.getText('t').length).toBe(4_000)
  reader.destroy()
})

test('[AC6] pings and pongs count as well', async () => {
  const { url } = await startServer({ limits: { messagesPerSecondMax: 500, messagesBurstMax: 100 } })
  const raw = await openRaw({ url, path: 'room' })
  const startMs = performance.now()

  // ws itself ends a connection that has more than 60 pings waiting for their answers.
  for (let i = 0; i < 50; i++) raw.socket.ping()
  for (let i = 0; i < 550; i++) raw.socket.pong()
  await raw.ask()

  expect(performance.now() - startMs).toBeGreaterThan(800)
})

test('[AC6] many connections to one document share what it takes', async () => {
  const limits = { roomMessagesPerSecondMax: 1_000, roomMessagesBurstMax: 200 }
  const { url } = await startServer({ limits })
  const writers = await Promise.all([0, 1, 2, 3].map(() => openRaw({ url, path: 'flooded' })))
  const startMs = performance.now()

  await Promise.all(
    writers.map(async writer => {
      const doc = new Y.Doc()
      doc.on('update', update => writer.send(updateFrame(update)))
      for (let i = 0; i < 300; i++) doc.getText('t').insert(0, 'x')
      await writer.ask()
    })
  )

  expect(performance.now() - startMs).toBeGreaterThan(700)
  const reader = connect(url, 'flooded')
  await synced(reader)
  expect(reader.doc.getText('t').length).toBe(1_200)
  reader.destroy()
})

test('[AC6] cursors beyond their budget become fewer, the last one is seen, and text goes on', async () => {
  const limits = { awarenessPerSecondMax: 5, awarenessBurstMax: 2 }
  const { url } = await startServer({ limits })
  const [mover, viewer] = [await openRaw({ url, path: 'room' }), await openRaw({ url, path: 'room' })]
  viewer.send(awarenessFrame({ clientID: 2, clock: 1, state: '{}' }))
  await Promise.all([mover.ask(), viewer.ask()])
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', update => updates.push(update))

  for (let i = 1; i <= 200; i++) {
    mover.send(awarenessFrame({ clientID: 1, clock: i, state: `{"at":${i}}` }))
    if (i % 50 !== 0) continue
    doc.getText('t').insert(0, 'x')
    mover.send(updateFrame(updates.at(-1) as Uint8Array))
    await mover.ask()
  }
  await until(() => viewer.entriesOf(1).at(-1)?.state === '{"at":200}', 'the last cursor')

  expect(viewer.entriesOf(1).length).toBeLessThan(30)
  expect(viewer.received().filter(({ type }) => type === 'update').length).toBeGreaterThan(0)
})

test('[AC7] a flood of rooms keeps nobody out: rooms that nobody is in give way', async () => {
  const { url } = await startServer({ limits: { roomsMax: 50 } })
  const flooder = await openHocuspocus(url)

  const deliveries = await deliveriesBeside(url, async () => {
    for (let i = 0; i < 200; i++) {
      const address = `flood ${i}`
      flooder.raw.send(authFrame(address, ''), step1Frame(address))
      await until(() => flooder.heard(address).includes('sync-step-2'), 'a room')
      flooder.raw.send(Uint8Array.from([address.length, ...Buffer.from(address), 7]))
    }
    const late = connect(url, 'late')
    await synced(late)
    late.destroy()
  })

  expect(deliveries).toBeGreaterThan(0)
})

test('[AC7] a document that as many have open as may: 1013, and the others go on', async () => {
  const { url } = await startServer({ limits: { membersPerRoomMax: 2 } })
  const first = await openRaw({ url, path: 'room' })
  const second = await openRaw({ url, path: 'room' })
  await Promise.all([first.ask(), second.ask()])

  const third = await openRaw({ url, path: 'room' })
  third.send(Uint8Array.of(0, 0, 1, 0))

  expect(await third.closed()).toBe(1013)
  first.socket.close()
  await first.closed()
  const fourth = await openRaw({ url, path: 'room' })
  await fourth.ask()
  await second.ask()
})

test('[AC6] what was sent before a connection was closed is not lost because others came first', async () => {
  const { url } = await startServer({ limits: { messagesShareMs: 0 } })
  const raw = await openRaw({ url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  doc.on('update', update => raw.send(updateFrame(update)))

  for (let i = 0; i < 2_000; i++) doc.getText('t').insert(0, 'x')
  raw.socket.close()
  await raw.closed()

  const reader = connect(url, 'room')
  onTestFinished(reader.destroy)
  await until(() => reader.doc.getText('t').length === 2_000, 'all of it')
})
