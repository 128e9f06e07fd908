/** Threats over the HTTP of Durable Streams: who never ends, never reads, or sends whatever comes to mind. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { connect, converged, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import { bodyOf, rawStream, streamBase, typed } from '../support/streams.ts'
import { randomFrom } from '../support/trace.ts'

const mebibyte = 2 ** 20

test('bodies that do not end have a bound, and whoever keeps most is told to come back later', async () => {
  const { url } = await startServer({ limits: { unfinishedBytesMax: 8 * mebibyte } })
  const stream = rawStream(url, 'room')
  await stream.ask('PUT')
  const statuses: (number | undefined)[] = []
  const begun = Array.from({ length: 12 }, () => {
    const sent = request(stream.address, { method: 'POST' })
    onTestFinished(() => void sent.destroy())
    sent.on('response', ({ statusCode }) => statuses.push(statusCode))
    sent.on('error', () => {})
    sent.write(Buffer.alloc(mebibyte))
    return sent
  })

  await until(() => statuses.length > 0, 'some to be refused')
  const update = typed(new Y.Doc(), 'in between')
  expect((await stream.post([update])).status).toBe(204)
  expect(new Set(statuses)).toEqual(new Set([503]))
  expect(statuses.length).toBeLessThan(begun.length)
})

test('a reader who reads nothing is cut off, and nobody waits for it', async () => {
  const { url } = await startServer({ limits: { outboxBytesMax: mebibyte } })
  const stream = rawStream(url, 'room')
  await stream.ask('PUT')
  const { port, pathname } = new URL(stream.address)
  const deaf = connectTcp(Number(port), '127.0.0.1')
  onTestFinished(() => void deaf.destroy())
  await once(deaf, 'connect')
  deaf.write(`GET ${pathname}?offset=-1&live=sse HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await once(deaf, 'readable')
  deaf.read()
  deaf.pause()
  const writer = connect(url, 'room')
  const other = await stream.follow('?offset=-1&live=sse')
  onTestFinished(writer.destroy)
  await synced(writer)

  let isCut = false
  deaf.once('close', () => {
    isCut = true
  })
  deaf.on('error', () => {})
  const text = writer.doc.getText('t')
  for (let i = 0; i < 14; i++) {
    text.insert(0, 'x'.repeat(mebibyte))
    const events = other.events.length
    await until(() => other.events.length > events, 'the other reader to be sent it')
  }
  deaf.resume()

  await until(() => isCut, 'the end of its socket')
  expect(other.isOver()).toBe(false)
})

test('a name writes no headers', async () => {
  const { url } = await startServer()
  const name = 'a\r\nset-cookie: x=1'

  const created = await rawStream(url, name).ask('PUT')
  const found = await rawStream(url, name).ask('GET', '?offset=snapshot')

  expect(created.status).toBe(201)
  expect(created.headers.get('location')).toContain('a%0D%0Aset-cookie')
  for (const response of [created, found]) expect(response.headers.get('set-cookie')).toBe(null)
})

test('whatever comes is answered, and nobody else is touched', async () => {
  const seed = Number(process.env.SEED ?? 40)
  console.log(`SEED=${seed}`)
  const random = randomFrom(seed)
  const whole = (below: number) => Math.floor(random() * below)
  const { url } = await startServer({ limits: { streamMs: 20, refusalDelayMs: 0 } })
  const people = [connect(url, 'room'), connect(url, 'room')]
  onTestFinished(() => people.forEach(each => void each.destroy()))
  await Promise.all(people.map(synced))
  const stream = rawStream(url, 'room')
  await stream.ask('PUT')
  const good = bodyOf(typed(new Y.Doc(), 'good'))
  const texts = [
    '-1',
    'now',
    'snapshot',
    '_snapshot',
    '0000000000000001',
    '9'.repeat(16),
    '\u0000',
    'sse',
    '1e9'
  ]
  const any = () => encodeURIComponent(texts[whole(texts.length)] ?? '')

  for (let i = 0; i < 200; i++) {
    const body = Uint8Array.from(good)
    for (let n = whole(4); n > 0; n--) body[whole(body.length)] = whole(256)
    const query = [
      '',
      `?offset=${any()}`,
      `?offset=${any()}&live=${any()}`,
      `?awareness=default&offset=${any()}`
    ]
    const number = () => String([0, 1, -1, 1e300, 'x'][whole(5)])
    const headers = { 'producer-id': 'p', 'producer-epoch': number(), 'producer-seq': number() }
    const method = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'][whole(5)] ?? 'GET'
    const isRead = method === 'GET' || method === 'HEAD'
    const response = await stream.ask(method, query[whole(query.length)], isRead ? {} : { body, headers })
    await response.arrayBuffer()
    expect(response.status).not.toBe(500)
  }
  people[0]?.doc.getText('t').insert(0, 'still here ')
  await converged(people)

  expect(people[1]?.doc.getText('t').toString()).toContain('still here ')
  expect((await fetch(`${streamBase(url)}/docs/room?offset=-1`)).status).toBe(200)
})
