/** What a room promises, through real sockets: RM1–RM6 of PROTOCOL.md. */
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, StoreError } from '../../persistence/index.ts'
import { defaultLimits } from '../../src/base/limits.ts'
import { systemTime } from '../../src/base/time.ts'
import { createServer, type Server } from '../../src/server.ts'
import { type Client, connect, converged, synced, until } from '../support/clients.ts'
import { holdAppends } from '../support/disk.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { inOnePacket, openRaw, updateFrame, updatesOf } from '../support/raw.ts'
import { quietLog, spawnServer, startServer, temporaryDirectory } from '../support/server.ts'
import { textOf } from '../support/text.ts'

test('[RM1] nothing is broadcast before its append is durable', async () => {
  const store = createMemoryStore()
  const gate = holdAppends(store)
  const { url } = await startServer({ store })
  const [a, b] = [await openRaw({ url, path: 'room' }), await openRaw({ url, path: 'room' })]
  await Promise.all([a.ask(), b.ask()])

  a.send(updateFrame(textUpdate('x')))
  await until(() => gate.waiting() === 1, 'the append')
  await b.ask()
  const early = updatesOf(b).filter(isContent).length
  const late = await openRaw({ url, path: 'room' })
  await late.ask()
  gate.open()
  await until(() => updatesOf(b).some(isContent), 'the update')
  await until(() => updatesOf(late).some(isContent), 'the update')

  expect(early).toBe(0)
  // Who joined meanwhile was told what was durable then: an empty document.
  expect(late.received()[0]).toEqual({ type: 'sync-step-1', payload: Uint8Array.of(0) })
})

test('[RM2] a failed append closes the members with 1013, and nothing is lost', async () => {
  const store = createMemoryStore()
  const append = store.append.bind(store)
  let failures = 0
  const { url } = await startServer({ store })
  const [a, b] = [join(url), join(url)] as const
  await Promise.all([synced(a), synced(b)])
  a.doc.getText('t').insert(0, 'before ')
  await converged([a, b])
  const codes: number[] = []
  for (const { provider } of [a, b]) provider.on('connection-close', event => codes.push(event?.code ?? 0))

  store.append = async () => {
    failures++
    throw new StoreError('STORE_FAILED', 'planted')
  }
  a.doc.getText('t').insert(7, 'during')
  await until(() => codes.length >= 2, 'both closed')
  const seen = b.doc.getText('t').toString()
  store.append = append
  await until(() => b.doc.getText('t').toString() === 'before during', 'the edit at the other')

  expect(failures).toBeGreaterThan(0)
  expect(new Set(codes)).toEqual(new Set([1013]))
  expect(seen).toBe('before ')
})

test('[RM2] an append that failed and exists all the same is read again, not written twice', async () => {
  const store = createMemoryStore()
  const append = store.append.bind(store)
  const { url } = await startServer({ store })
  const a = join(url)
  await synced(a)

  let hasFailed = false
  store.append = async entries => {
    const sequences = await append(entries)
    if (hasFailed) return sequences
    hasFailed = true
    throw new StoreError('STORE_FAILED', 'planted: it was written')
  }
  a.doc.getText('t').insert(0, 'once')
  await until(() => hasFailed && !a.provider.wsconnected, 'the failure')
  await until(() => a.provider.synced, 'the return')
  const b = join(url)
  await synced(b)

  expect(b.doc.getText('t').toString()).toBe('once')
  expect((await store.load('room')).records).toHaveLength(1)
})

test('[RM2] a checkpoint that cannot be read for a join closes the joiner with 1013, and it comes again', async () => {
  const store = createMemoryStore()
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'stored')
  for (const room of ['room', 'other']) {
    await storeDocument(store, room, doc)
    await compacted(store, room)
  }
  // The document that was used last has its checkpoint in memory, and no other.
  const { url } = await startServer({ store, limits: { checkpointCacheBytesMax: 0 } })
  for (const room of ['room', 'other']) await synced(join(url, room))
  const segments = store.segments.bind(store)
  let failures = 0
  store.segments = async () => {
    failures++
    throw new StoreError('STORE_FULL', 'planted')
  }

  const b = join(url)
  const codes: number[] = []
  b.provider.on('connection-close', event => {
    codes.push(event?.code ?? 0)
    store.segments = segments
  })
  await synced(b)

  expect([failures, codes]).toEqual([1, [1013]])
  expect(b.doc.getText('t').toString()).toBe('stored')
})

test('[RM3] a slow consumer is closed with 1013, the others notice nothing, and it catches up', async () => {
  const server = await startServer({ limits: { outboxBytesMax: 1024 * 1024 } })
  const { url } = server
  const [a, b] = [join(url), join(url)] as const
  const slow = await openRaw({ url, path: 'room' })
  await Promise.all([synced(a), synced(b), slow.ask()])
  const closes: unknown[] = []
  for (const { provider } of [a, b]) provider.on('connection-close', event => closes.push(event))

  slow.socket.pause()
  const text = a.doc.getText('t')
  // The kernel takes some megabytes before the outbox begins to fill.
  while (!(await server.metrics()).includes('ERR_SLOW_CONSUMER')) {
    text.insert(text.length, 'x'.repeat(256 * 1024))
    await until(() => b.doc.getText('t').length === text.length, 'the others keep up')
    expect(text.length).toBeLessThan(50_000_000)
  }
  slow.socket.resume()
  const code = await slow.closed()
  const back = join(url)
  await synced(back)

  expect(code).toBe(1013)
  expect(closes).toEqual([])
  expect(back.doc.getText('t').length).toBe(text.length)
})

test('[RM4] concurrent opens share one load', async () => {
  const store = createMemoryStore()
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'stored')
  await storeDocument(store, 'room', doc)
  const load = store.load.bind(store)
  let loads = 0
  store.load = async name => {
    loads++
    await new Promise(resolve => setTimeout(resolve, 50))
    return load(name)
  }
  const { url } = await startServer({ store })

  const all = Array.from({ length: 20 }, () => join(url))
  await Promise.all(all.map(synced))

  expect(loads).toBe(1)
  expect(all.map(each => each.doc.getText('t').toString())).toEqual(Array(20).fill('stored'))
})

test('[RM5] an idle room closes, frees its memory and is read again', async () => {
  const server = await startServer({ limits: { roomIdleMs: 50 } })
  const a = join(server.url)
  await synced(a)
  a.doc.getText('t').insert(0, 'kept')
  const other = join(server.url)
  await until(() => other.doc.getText('t').toString() === 'kept', 'the text')
  const open = await roomsOf(server)

  a.destroy()
  other.destroy()
  await untilAsync(async () => (await roomsOf(server)) === 0)
  const back = join(server.url)
  await synced(back)

  expect(open).toBe(1)
  expect(back.doc.getText('t').toString()).toBe('kept')
})

test('[RM5] a room somebody is in stays, and one that somebody enters in time', async () => {
  const store = createMemoryStore()
  const load = store.load.bind(store)
  let loads = 0
  store.load = name => {
    loads++
    return load(name)
  }
  const { url } = await startServer({ store, limits: { roomIdleMs: 200 } })
  const a = join(url)
  await synced(a)

  for (let i = 0; i < 10; i++) {
    const visitor = join(url)
    await synced(visitor)
    visitor.destroy()
    await new Promise(resolve => setTimeout(resolve, 40))
  }

  expect(loads).toBe(1)
})

test('[RM6] SIGTERM closes with 1012, ends with exit code 0, and loses nothing', async () => {
  const data = temporaryDirectory()
  const server = await spawnServer(['--port', '0', '--data', data])
  const { url } = server
  const rooms = Array.from({ length: 10 }, (_, i) => join(url, `room ${i}`))
  await Promise.all(rooms.map(synced))
  const codes: number[] = []
  for (const { provider } of rooms) {
    provider.on('connection-close', event => {
      codes.push(event?.code ?? 0)
      provider.shouldConnect = false
    })
  }
  for (const { doc } of rooms) for (let i = 0; i < 20; i++) doc.getText('t').insert(0, `${i % 10}`)

  const exitCode = await server.terminate()
  await until(() => codes.length === rooms.length, 'all closed')
  const restarted = await spawnServer(['--port', '0', '--data', data])
  const readers = rooms.map((_, i) => join(restarted.url, `room ${i}`))
  await Promise.all(readers.map(synced))

  expect(exitCode).toBe(0)
  expect(new Set(codes)).toEqual(new Set([1012]))
  // What was sent before the close was accepted, so it is there, whatever its author knew of it.
  expect(readers.map(({ doc }) => doc.getText('t').length)).toEqual(Array(rooms.length).fill(20))
})

test('[RM6] what waits for its turn when the server stops is taken first, several messages in a frame too', async () => {
  const store = createMemoryStore()
  const limits = { roomMessagesPerSecondMax: 0.001, roomMessagesBurstMax: 1 }
  const server = await startServer({ store, limits })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(updateFrame(update)))
  for (const letter of 'abcdefghij') doc.getText('t').insert(doc.getText('t').length, letter)

  // One packet: whatever the room lets pass, the rest has been read and waits.
  const frames = [[0, 1], [2], [3, 4], [5], [6], [7, 8, 9]]
  raw.send(...frames.map(frame => Buffer.concat(frame.map(i => updates[i] ?? new Uint8Array()))))
  const received = updates.reduce((sum, { length }) => sum + length, 0)
  await untilAsync(async () => {
    const counted = /^chorus_received_bytes_total (\d+)$/m.exec(await server.metrics())?.[1]
    return Number(counted) >= received
  })
  await server.stop()

  const restarted = await startServer({ store })
  expect(textOf(await restarted.read('room'))).toBe('abcdefghij')
})

test('[RM6] what waits when the server stops is taken in turns, so that nobody waits for all of it', async () => {
  const store = createMemoryStore()
  let turns = 0
  const soon = (run: () => void) => {
    turns++
    return systemTime.soon(run)
  }
  // A turn handles one message of a connection, and the budget lets two of them pass.
  const limits = { messagesPerSecondMax: 0.001, messagesBurstMax: 2, messagesShareMs: 0 }
  const server = await startServer({ store, limits, time: { ...systemTime, soon } })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(updateFrame(update)))
  for (let i = 0; i < 400; i++) doc.getText('t').insert(0, 'x')
  // In one packet: what comes in a later one is not read from a socket that is paused.
  inOnePacket(raw, () => raw.send(...updates))
  const received = updates.reduce((sum, { length }) => sum + length, 0)
  await untilAsync(async () => {
    const counted = /^chorus_received_bytes_total (\d+)$/m.exec(await server.metrics())?.[1]
    return Number(counted) >= received
  })

  turns = 0
  await server.stop()

  expect(turns).toBeGreaterThan(390)
  const restarted = await startServer({ store })
  expect(textOf(await restarted.read('room'))?.length).toBe(400)
})

test('[RM6] what a client sent before it read that the server stops is taken', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))

  // It does not read, so it has not seen the close yet.
  raw.socket.pause()
  const stopped = server.stop()
  await untilAsync(async () => /going_down/i.test(await server.metrics()))
  for (const letter of 'abc') doc.getText('t').insert(doc.getText('t').length, letter)
  raw.socket.resume()
  await stopped

  expect(raw.closeCode()).toBe(1012)
  const restarted = await startServer({ store })
  expect(textOf(await restarted.read('room'))).toBe('abc')
})

test('[RM6] who sent and left before a stop loses nothing, whatever had to wait for its turn', async () => {
  const store = createMemoryStore()
  const limits = { messagesPerSecondMax: 0.001, messagesBurstMax: 2 }
  const server = await startServer({ store, limits })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))
  for (const letter of 'abcde') doc.getText('t').insert(doc.getText('t').length, letter)
  raw.socket.close()
  await raw.closed()

  await server.stop()

  const restarted = await startServer({ store })
  expect(textOf(await restarted.read('room'))).toBe('abcde')
})

test('[RM6] nothing overtakes a large update when the server stops, and it is not lost', async () => {
  const store = createMemoryStore()
  const server = await startServer({ store, limits: { sliceMs: 0.02 } })
  const raw = await openRaw({ url: server.url, path: 'room' })
  await raw.ask()
  const doc = new Y.Doc()
  doc.getArray('a').insert(0, [1])
  for (let i = 0; i < 20_000; i++) doc.getArray('a').insert(i % 2, [i])
  raw.send(updateFrame(Y.encodeStateAsUpdate(doc)))
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))
  doc.getText('t').insert(0, 'behind it')

  await server.stop()

  const restarted = await startServer({ store })
  const stored = new Y.Doc()
  Y.applyUpdate(stored, (await restarted.read('room')) ?? Uint8Array.of(0, 0))
  // What had not arrived is the client's still; what is there is there in order.
  const length = stored.getArray('a').length
  expect([0, doc.getArray('a').length]).toContain(length)
  if (stored.getText('t').length > 0) expect(length).toBe(doc.getArray('a').length)
})

test('[RM6] a room that opens after the stop has begun still takes what its clients sent', async () => {
  const store = createMemoryStore()
  const load = store.load.bind(store)
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  store.load = async name => {
    await opened
    return load(name)
  }
  const server = await startServer({ store })
  const raw = await openRaw({ url: server.url, path: 'room' })
  const doc = new Y.Doc()
  // Of five bytes: else one in sixteen is shorter, and all three letters are fewer bytes than are waited for.
  doc.clientID = 2 ** 31
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))
  raw.send(Buffer.from([0, 0, 1, 0]))
  for (const letter of 'abc') doc.getText('t').insert(doc.getText('t').length, letter)
  await untilAsync(
    async () => Number(/^chorus_received_bytes_total (\d+)$/m.exec(await server.metrics())?.[1]) > 60
  )

  const stopped = server.stop()
  await raw.closed()
  open()
  await stopped

  const restarted = await startServer({ store })
  expect(textOf(await restarted.read('room'))).toBe('abc')
})

test('[I6] an author faster than the disk is not read from until it has caught up', async () => {
  const store = createMemoryStore()
  const gate = holdAppends(store)
  const { url } = await startServer({ store, limits: { uncommittedBytesMax: 1024 * 1024 } })
  const raw = await openRaw({ url, path: 'room' })
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))
  for (let i = 0; i < 300; i++) doc.getText('t').insert(0, 'x'.repeat(100_000))

  await until(() => gate.waiting() === 1, 'the first append')
  const readBytes = async () =>
    Number(/^chorus_received_bytes_total (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1])
  await new Promise(resolve => setTimeout(resolve, 300))
  const taken = await readBytes()
  await new Promise(resolve => setTimeout(resolve, 300))
  const takenLater = await readBytes()
  gate.open()
  await raw.ask()
  const fresh = join(url)
  await synced(fresh)

  expect(taken).toBeLessThan(5_000_000)
  expect(takenLater).toBe(taken)
  expect(fresh.doc.getText('t').length).toBe(30_000_000)
})

test('[I6] the limits on how a document is laid out hold for compaction', async () => {
  const store = createMemoryStore()
  const doc = new Y.Doc()
  for (let i = 0; i < 20; i++) doc.getText(`t${i}`).insert(0, 'x'.repeat(10_000))
  const limits = {
    wholeFrameBytesMax: 10_000,
    heldBackBytesMax: 50_000,
    segmentBytes: 20_000,
    compactionBytesMin: 1_000,
    roomIdleMs: 10
  }
  const server = await startServer({ store, limits })
  const client = connect(server.url, 'room', { doc })
  onTestFinished(client.destroy)
  await synced(client)
  await untilAsync(async () => (await store.load('room')).checkpoint !== null)

  const segments = (await store.load('room')).checkpoint?.segments.map(each => each.length) ?? []

  expect(segments.length).toBeGreaterThan(5)
  expect(Math.max(...segments)).toBeLessThan(40_000)
})

test('[I6] the largest frame of a join reaches the slowest reader that counts before clients give up', () => {
  // y-websocket closes a connection on which no whole message came for 30 s, and starts over: for ever, on such a line.
  const clientPatienceMs = 30_000
  const { wholeFrameBytesMax, heldBackFrameBytes, segmentBytes, joinBytesPerSecondMin } = defaultLimits

  const slowestMs =
    (Math.max(wholeFrameBytesMax, heldBackFrameBytes, segmentBytes) / joinBytesPerSecondMin) * 1_000

  expect(slowestMs).toBeLessThan(clientPatienceMs)
})

test('[YW6] holds for large updates too, which are scanned in slices: nothing overtakes them', async () => {
  const store = createMemoryStore()
  const { url } = await startServer({ store })
  const raw = await openRaw({ url, path: 'room' })
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array) => raw.send(updateFrame(update)))

  doc.transact(() => {
    for (let i = 0; i < 30_000; i++) doc.getArray('a').insert(0, [`item number ${i} of a large paste`])
  })
  doc.getText('t').insert(0, 'then a key')
  doc.getArray('a').delete(5, 1)
  await raw.ask()
  const other = await openRaw({ url, path: 'room' })
  await other.ask()

  const copy = new Y.Doc()
  for (const update of updatesOf(other)) Y.applyUpdate(copy, update)
  expect(copy.getArray('a').length).toBe(29_999)
  expect(copy.getText('t').toString()).toBe('then a key')
  // It was asked for what it has at the beginning, and never for a gap.
  expect(raw.received().filter(each => each.type === 'sync-step-1')).toHaveLength(1)
})

test('[I10] stop ends all connections, and a client comes back to the next server', async () => {
  const store = createMemoryStore()
  const first = createServer({ store, log: quietLog, pages: null })
  const url = await first.listen()
  const a = join(url)
  await synced(a)
  a.doc.getText('t').insert(0, 'x')
  await first.stop()

  await startServer({ store, port: Number(new URL(url).port) })
  const b = join(url)
  await converged([a, b])

  expect(b.doc.getText('t').toString()).toBe('x')
})

function join(url: string, room = 'room'): Client {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  return client
}

function textUpdate(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

function isContent(update: Uint8Array): boolean {
  return update.length > 2
}

async function roomsOf(server: Server): Promise<number> {
  return Number(/^chorus_rooms (\d+)$/m.exec(await server.metrics())?.[1])
}

async function untilAsync(condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('waited 30 s')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
