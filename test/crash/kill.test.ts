/**
 * A server that is killed while people type. What was acknowledged by a SyncStep1, and what anybody else has seen, must
 * be on the disk; the authors are gone before it starts again. CHORUS_LONG=1 does it twenty times.
 */
import { expect, onTestFinished, test } from 'vitest'
import { barrier, type Client, connect, disconnect, synced, until } from '../support/clients.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, spawnServer, temporaryDirectory } from '../support/server.ts'
import { randomFrom } from '../support/trace.ts'

const rounds = process.env.CHORUS_LONG === '1' ? 20 : 3
const roomCount = 20

type Desk = {
  readonly room: string
  readonly writer: Client
  readonly reader: Client
  typed: number
  acknowledged: number
}

test(`[RM1] ${rounds} kills under load lose nothing acknowledged or seen (SEED=${seed})`, {
  timeout: 60_000 + rounds * 20_000
}, async () => {
  const random = randomFrom(seed)
  const data = temporaryDirectory()
  const figures = { typed: 0, acknowledged: 0, seen: 0 }
  let server = await start(data)
  for (let round = 0; round < rounds; round++) {
    const desks = await Promise.all(
      Array.from({ length: roomCount }, (_, i) => openDesk(server.url, `room ${i}`))
    )
    const stop = { isSet: false }
    const work = desks.map(desk => typeUntil(desk, round, stop))
    await new Promise(resolve => setTimeout(resolve, 400 + random() * 800))
    await server.kill()
    stop.isSet = true
    await Promise.all(work)
    const expected = desks.map(desk => ({
      room: desk.room,
      acknowledged: keysOf(desk.writer, round).filter(n => n < desk.acknowledged),
      seen: keysOf(desk.reader, round)
    }))
    for (const { writer, reader } of desks) {
      writer.destroy()
      reader.destroy()
    }

    server = await start(data)
    for (const { room, acknowledged, seen } of expected) {
      const fresh = join(server.url, room)
      await synced(fresh)
      const present = new Set(keysOf(fresh, round))
      expect(
        acknowledged.filter(n => !present.has(n)),
        `SEED=${seed} ${room}, acknowledged`
      ).toEqual([])
      expect(
        seen.filter(n => !present.has(n)),
        `SEED=${seed} ${room}, seen`
      ).toEqual([])
      figures.acknowledged += acknowledged.length
      figures.seen += seen.length
      fresh.destroy()
    }
    figures.typed += desks.reduce((sum, desk) => sum + desk.typed, 0)
  }

  console.log(`${rounds} kills, ${roomCount} rooms:`, figures)
  expect(figures.acknowledged).toBeGreaterThan(100)
  expect(figures.seen).toBeGreaterThan(100)
})

test('clients that were typing when the server was killed bring what they hold', async () => {
  const data = temporaryDirectory()
  const first = await start(data)
  const port = new URL(first.url).port
  const [a, b] = [join(first.url, 'room'), join(first.url, 'room')]
  await Promise.all([synced(a), synced(b)])
  a.doc.getText('t').insert(0, 'before ')
  await until(() => b.doc.getText('t').length > 0, 'the text')

  await first.kill()
  a.doc.getText('t').insert(7, 'while down ')
  b.doc.getText('t').insert(7, 'both ')
  const second = await start(data, port)
  await until(() => a.doc.getText('t').length === 23 && b.doc.getText('t').length === 23, 'both edits')
  await Promise.all([disconnect(a), disconnect(b)])
  await second.kill()
  const third = await start(data)
  const fresh = join(third.url, 'room')
  await synced(fresh)

  expect(fresh.doc.getText('t').toString()).toBe(a.doc.getText('t').toString())
})

test('[RM6] SIGTERM under load: exit code 0, all on disk, clients come back', async () => {
  const data = temporaryDirectory()
  const first = await start(data)
  const port = new URL(first.url).port
  const desks = await Promise.all(
    Array.from({ length: roomCount }, (_, i) => openDesk(first.url, `room ${i}`))
  )
  const stop = { isSet: false }
  const work = desks.map(desk => typeUntil(desk, 0, stop))
  await new Promise(resolve => setTimeout(resolve, 500))

  const exitCode = await first.terminate()
  stop.isSet = true
  await Promise.all(work)
  const seen = desks.map(desk => keysOf(desk.reader, 0))
  for (const { writer } of desks) writer.provider.disconnect()
  for (const { reader } of desks) reader.provider.disconnect()
  const second = await start(data, port)
  for (const [i, { room }] of desks.entries()) {
    const fresh = join(second.url, room)
    await synced(fresh)
    const present = new Set(keysOf(fresh, 0))
    expect(seen[i]?.filter(n => !present.has(n))).toEqual([])
    fresh.destroy()
  }
  for (const { writer, reader } of desks) {
    writer.provider.connect()
    reader.provider.connect()
  }
  const isWhole = ({ reader, typed }: Desk) => keysOf(reader, 0).length === typed
  await until(() => desks.every(isWhole), 'everything at the others')

  expect(exitCode).toBe(0)
})

function start(data: string, port = '0'): Promise<ServerProcess> {
  return spawnServer(['--port', port, '--data', data, '--log-level', 'error'])
}

function join(url: string, room: string): Client {
  const client = connect(url, room)
  onTestFinished(client.destroy)
  return client
}

async function openDesk(url: string, room: string): Promise<Desk> {
  const [writer, reader] = [join(url, room), join(url, room)]
  await Promise.all([synced(writer), synced(reader)])
  return { room, writer, reader, typed: 0, acknowledged: 0 }
}

/** Types numbers, and asks now and then what is durable, until told to stop. */
async function typeUntil(desk: Desk, round: number, stop: { isSet: boolean }): Promise<void> {
  const text = desk.writer.doc.getText('t')
  while (!stop.isSet) {
    for (let i = 0; i < 5; i++) text.insert(text.length, `${round}:${desk.typed++};`)
    const sent = desk.typed
    if (sent % 20 === 0 && desk.writer.provider.wsconnected) {
      // It rejects when the server was killed in between: then nothing was acknowledged.
      const isDurable = await barrier(desk.writer).then(
        () => true,
        () => false
      )
      if (isDurable) desk.acknowledged = sent
    }
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** The numbers of this round in a client's text. */
function keysOf({ doc }: Client, round: number): number[] {
  const entries = doc
    .getText('t')
    .toString()
    .split(';')
    .filter(each => each.startsWith(`${round}:`))
  return entries.map(each => Number(each.split(':')[1]))
}
