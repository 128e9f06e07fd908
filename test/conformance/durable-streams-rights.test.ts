/** The rules DS9–DS18 of PROTOCOL.md, spoken by hand: who writes how often, who may, and who is there. */
import { createEncoder, toUint8Array, writeVarString, writeVarUint } from 'lib0/encoding'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Awareness, applyAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import type { ServerOptions } from '../../src/options.ts'
import { connect, synced, until } from '../support/clients.ts'
import { startServer } from '../support/server.ts'
import {
  bodyOf,
  documentOf,
  type EventReader,
  messagesIn,
  type RawStream,
  rawStream,
  typed,
  updatesIn
} from '../support/streams.ts'

type Claim = readonly [epoch: number, seq: number]

async function created(options: ServerOptions = {}) {
  const server = await startServer(options)
  const stream = rawStream(server.url, 'room')
  await stream.ask('PUT', '', { headers: bearer('writer') })
  return { server, stream, doc: new Y.Doc() }
}

const bearer = (name: string) => ({ authorization: `Bearer ${name}` })
const producer = ([epoch, seq]: Claim, id = 'p') => ({
  'producer-id': id,
  'producer-epoch': String(epoch),
  'producer-seq': String(seq)
})
const codeOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code

async function textOf(stream: RawStream, headers: Record<string, string> = {}): Promise<string> {
  const response = await stream.ask('GET', '?offset=-1', { headers })
  return documentOf(messagesIn(new Uint8Array(await response.arrayBuffer())))
    .getText('t')
    .toString()
}

/** Everybody is whom their token names; `reader…` may read, `nobody` nothing. */
const byName: ServerOptions = {
  authorize: ({ token }) => {
    if (token === null) return { user: null, access: 'none' }
    const access = token.startsWith('reader') ? 'read' : token === 'nobody' ? 'none' : 'write'
    return { user: { id: token }, access }
  }
}

describe('producers', () => {
  test('[DS9] numbers are answered as the protocol says, and what was repeated is taken all the same', async () => {
    const { stream, doc } = await created()
    const send = async (claim: Claim, text: string) => {
      const response = await stream.post([typed(doc, text)], producer(claim))
      const header = (name: string) => response.headers.get(`producer-${name}`)
      return [response.status, header('epoch'), header('seq'), header('expected-seq'), header('received-seq')]
    }

    expect(await send([0, 0], 'a')).toEqual([200, '0', '0', null, null])
    expect(await send([0, 1], 'b')).toEqual([200, '0', '1', null, null])
    expect(await send([0, 0], 'c')).toEqual([204, '0', '1', null, null])
    expect(await send([0, 3], 'not taken')).toEqual([409, null, null, '2', '3'])
    expect(await send([2, 0], 'd')).toEqual([200, '2', '0', null, null])
    expect(await send([1, 0], 'not taken')).toEqual([403, '2', null, null, null])
    expect(await send([3, 1], 'not taken')).toEqual([400, null, null, null, null])
    expect(await textOf(stream)).toBe('cba')
  })

  test('[DS9] part of the three headers, and what is no number, is 400', async () => {
    const { stream, doc } = await created()
    const update = typed(doc, 'a')
    const { 'producer-seq': _, ...part } = producer([0, 0])
    const all = [part, { ...part, 'producer-seq': '-1' }, { ...part, 'producer-seq': '1e3' }]

    for (const headers of [...all, producer([0, 0], 'x'.repeat(2_001))]) {
      expect((await stream.post([update], headers)).status).toBe(400)
    }
    expect(await textOf(stream)).toBe('')
  })

  test('[DS9] requests that arrive together are each answered for their own number', async () => {
    const { stream, doc } = await created()
    const sends = ['a', 'b', 'c', 'd', 'e'].map((text, seq) =>
      stream.post([typed(doc, text)], producer([0, seq]))
    )

    const statuses = (await Promise.all(sends)).map(({ status }) => status)

    // Which one comes first is up to the network; none is answered as if it were another.
    expect(statuses.every(status => status === 200 || status === 409)).toBe(true)
    expect(statuses.filter(status => status === 200).length).toBeGreaterThan(0)
  })

  test('[DS9] users who give their producers one name do not stand in each other’s way', async () => {
    const { stream, doc } = await created(byName)
    const send = (name: string, claim: Claim) =>
      stream.post([typed(doc, name)], { ...producer(claim), ...bearer(name) })

    expect((await send('ann', [9, 0])).status).toBe(200)
    expect((await send('ben', [0, 0])).status).toBe(200)
  })

  test('[DS10] one that nobody remembers is taken with any number', async () => {
    const { stream, doc } = await created({ limits: { producersMax: 1 } })
    expect((await stream.post([typed(doc, 'a')], producer([4, 17], 'old'))).status).toBe(200)
    await stream.post([typed(doc, 'b')], producer([0, 0], 'new'))

    expect((await stream.post([typed(doc, 'c')], producer([1, 3], 'old'))).status).toBe(200)
    expect(await textOf(stream)).toBe('cba')
  })
})

describe('rights', () => {
  test('[DS11] without a right there is 401 or 403, for reads, writes and streams', async () => {
    const { stream } = await created(byName)
    for (const [method, query] of [
      ['GET', ''],
      ['GET', '?offset=-1&live=sse'],
      ['PUT', ''],
      ['POST', '']
    ] as const) {
      expect((await stream.ask(method, query)).status).toBe(401)
      expect((await stream.ask(method, query, { headers: bearer('nobody') })).status).toBe(403)
    }
    expect((await stream.ask('GET', '?awareness=default&offset=now')).status).toBe(401)
  })

  test('[DS11] who may only read reads, and creates and writes nothing', async () => {
    const { server, stream, doc } = await created(byName)
    const update = typed(doc, 'a')
    const headers = bearer('reader')

    expect((await stream.ask('PUT', '', { headers })).status).toBe(200)
    expect((await rawStream(server.url, 'other').ask('PUT', '', { headers })).status).toBe(403)
    expect((await stream.post([update], headers)).status).toBe(403)
    expect((await stream.post([update], { ...headers, ...producer([0, 0]) })).status).toBe(401)
    expect(await textOf(stream, headers)).toBe('')
  })

  test('[DS11] a right that is taken away ends what is being read, and the next request is 403', async () => {
    const { server, stream } = await created(byName)
    const reader = await stream.follow('?offset=-1&live=sse', bearer('ann'))
    const watcher = await stream.follow('?awareness=default&offset=now&live=sse', bearer('ann'))
    await until(() => reader.events.length > 0 && watcher.events.length > 0, 'both to read')

    await server.revoke({ user: 'ann' })
    await until(() => reader.isOver() && watcher.isOver(), 'both to end')

    expect((await stream.ask('GET', '?offset=-1&live=sse', { headers: bearer('ann') })).status).toBe(403)
  })

  test('[DS11] what is read ends with its token', async () => {
    const authorize = () => ({ user: { id: 'ann' }, access: 'write' as const, expiresAt: Date.now() + 1_000 })
    const { stream } = await created({ authorize })

    const reader = await stream.follow('?offset=-1&live=sse', bearer('short'))

    await until(reader.isOver, 'the stream to end')
    expect(reader.response.status).toBe(200)
  })

  test('[DS12] only the operator deletes; then all is 404, and an old copy is not taken', async () => {
    const { stream, doc } = await created({ adminToken: 'the-token-of-the-operator-of-this-server' })
    const old = typed(doc, 'old')
    await stream.post([old])
    const reader = await stream.follow('?offset=-1&live=sse')
    const headers = bearer('the-token-of-the-operator-of-this-server')

    expect((await stream.ask('DELETE')).status).toBe(403)
    expect((await stream.ask('DELETE', '', { headers })).status).toBe(204)
    expect((await stream.ask('DELETE', '', { headers })).status).toBe(404)

    await until(reader.isOver, 'the stream to end')
    expect((await stream.ask('GET')).status).toBe(404)
    expect((await stream.post([old])).status).toBe(404)
    expect((await stream.ask('PUT')).status).toBe(201)
    const refused = await stream.post([old])
    expect([refused.status, await codeOf(refused)]).toEqual([410, 'OLD_COPY'])
    expect(await textOf(stream)).toBe('')
  })
})

describe('limits', () => {
  test('[DS13] an update that cannot be read is set aside; what was before it stays', async () => {
    const store = createMemoryStore()
    const { stream, doc } = await created({ store })
    const unreadable = Uint8Array.of(1, 2, 3)

    const response = await stream.post([typed(doc, 'good'), unreadable])
    const aside = await store.listSetAside('room')

    expect([response.status, await codeOf(response)]).toEqual([400, 'INVALID_REQUEST'])
    expect(await textOf(stream)).toBe('good')
    expect(aside.map(({ bytes }) => bytes)).toEqual([unreadable])
  })

  test('[DS14] what is too much is 413, whether its length was said or not', async () => {
    const { stream } = await created({
      limits: { frameBytesMax: 1_000, streamUpdatesMax: 3, documentBytesMax: 1_000 }
    })
    const large = bodyOf(new Uint8Array(1_200))
    const chunks = new ReadableStream({
      start: controller => {
        for (let i = 0; i < 4; i++) controller.enqueue(new Uint8Array(400))
        controller.close()
      }
    })
    const chunked = { body: chunks, duplex: 'half' } as RequestInit

    for (const init of [{ body: large }, chunked, { body: bodyOf(...Array(4).fill(Uint8Array.of(0, 0))) }]) {
      const response = await stream.ask('POST', '', init)
      expect([response.status, await codeOf(response)]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
    }
  })

  test('[DS14] who sends more than is taken is told to come back later', async () => {
    const { stream, doc } = await created({
      limits: { receivedBytesPerSecondMax: 10, receivedBytesBurstMax: 10, requestWaitMsMax: 1 }
    })
    await stream.post([typed(doc, 'a rather long text for this server')])

    const response = await stream.post([typed(doc, 'more')])

    expect([response.status, await codeOf(response)]).toEqual([429, 'TOO_MANY_REQUESTS'])
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('[DS14] streams are bounded, and one that ends makes room', async () => {
    const { stream } = await created({ limits: { streamReadersMax: 1 } })
    const reader = await stream.follow('?offset=-1&live=sse')

    const response = await stream.ask('GET', '?offset=-1&live=sse')
    reader.stop()
    const again = async () => (await stream.follow('?offset=-1&live=sse')).response.status
    let status = 503
    while (status === 503) status = await again()

    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(status).toBe(200)
  })
})

/** One state as the body of a POST. */
function stateBody(clientID: number, clock: number, state: unknown): Uint8Array<ArrayBuffer> {
  const encoder = createEncoder()
  for (const number of [1, clientID, clock]) writeVarUint(encoder, number)
  writeVarString(encoder, JSON.stringify(state))
  return bodyOf(toUint8Array(encoder))
}

/** What somebody sees who follows the stream. */
function seen(reader: EventReader): Map<number, unknown> {
  const awareness = new Awareness(new Y.Doc())
  onTestFinished(() => awareness.destroy())
  awareness.setLocalState(null)
  for (const update of updatesIn(reader)) applyAwarenessUpdate(awareness, update, 'server')
  return awareness.getStates()
}

describe('presence', () => {
  const query = '?awareness=default'
  const live = `${query}&offset=now&live=sse`

  test('[DS15] a posted state is seen by all dialects, and is gone with null, and with its time', async () => {
    const { server, stream } = await created({ limits: { awarenessLeaseMs: 1_500 } })
    const socket = connect(server.url, 'room')
    onTestFinished(socket.destroy)
    await synced(socket)
    const sees = (id: number) => socket.provider.awareness.getStates().get(id)

    for (const id of [71, 72]) await stream.ask('POST', query, { body: stateBody(id, 1, { name: `n${id}` }) })
    await until(() => sees(71) !== undefined && sees(72) !== undefined, 'both to be seen')
    await stream.ask('POST', query, { body: stateBody(71, 2, null) })
    await until(() => sees(71) === undefined, 'the one to be gone')
    expect(sees(72)).toEqual({ name: 'n72' })

    await until(() => sees(72) === undefined, 'the other to be gone')
    await stream.ask('POST', query, { body: stateBody(72, 9, { name: 'back' }) })
    await until(() => sees(72) !== undefined, 'it to be back')
    expect((await stream.ask('DELETE', query)).status).toBe(204)
    await until(() => sees(72) === undefined, 'it to be removed')
  })

  test('[DS15] a state is its user’s: another one’s posts change nothing of it', async () => {
    const { stream } = await created(byName)
    const reader = await stream.follow(live, bearer('eve'))
    await stream.ask('POST', query, { body: stateBody(5, 1, { name: 'ann' }), headers: bearer('ann') })
    await until(() => seen(reader).has(5), 'it to be seen')

    const body = stateBody(5, 50, { name: 'eve' })
    expect((await stream.ask('POST', query, { body, headers: bearer('eve') })).status).toBe(204)
    await stream.ask('POST', query, { body: stateBody(5, 2, { name: 'ann, too' }), headers: bearer('ann') })

    await until(() => JSON.stringify(seen(reader).get(5)) === '{"name":"ann, too"}', 'the change')
    expect(updatesIn(reader).some(update => Buffer.from(update).includes('eve'))).toBe(false)
  })

  test('[DS15] a state that is none is 400, an empty body too, and presence of no document 404', async () => {
    const { server, stream } = await created()
    const encoder = createEncoder()
    for (const number of [1, 5, 1]) writeVarUint(encoder, number)
    writeVarString(encoder, '{')

    expect((await stream.ask('POST', query, { body: bodyOf(toUint8Array(encoder)) })).status).toBe(400)
    expect((await stream.ask('POST', query, { body: Uint8Array.of(9) })).status).toBe(400)
    expect((await stream.ask('POST', query)).status).toBe(400)
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect((await rawStream(server.url, 'other').ask(method, query)).status).toBe(404)
    }
    expect((await stream.ask('PUT', query)).status).toBe(200)
  })

  test('[DS16] who begins to follow is sent who is there; who goes on is sent no higher clocks', async () => {
    const { server, stream } = await created({ limits: { awarenessRestMs: 10, awarenessRenewalMs: 10 } })
    const socket = connect(server.url, 'room')
    onTestFinished(socket.destroy)
    await synced(socket)
    socket.provider.awareness.setLocalState({ name: 'here' })
    const begun = await stream.ask('GET', `${query}&offset=now`)
    const offset = begun.headers.get('stream-next-offset')

    const first = await stream.follow(`${query}&offset=${offset}&live=sse`)
    await until(() => seen(first).get(socket.doc.clientID) !== undefined, 'the state')
    // It is told at once, and again with a clock that nobody can know.
    await until(() => updatesIn(first).length >= 2, 'a higher clock')
    const last = first.events.at(-1)
    const before = socket.provider.awareness.meta.get(socket.doc.clientID)?.clock
    const going = last?.type === 'control' ? last.streamNextOffset : ''
    const second = await stream.follow(`${query}&offset=${going}&live=sse`)
    await until(() => seen(second).get(socket.doc.clientID) !== undefined, 'the state again')

    expect(await begun.arrayBuffer()).toHaveProperty('byteLength', 0)
    expect(updatesIn(second)).toHaveLength(1)
    expect(socket.provider.awareness.meta.get(socket.doc.clientID)?.clock).toBe(before)
  })

  test('[DS16] a long-poll tells what is new, and waits when it is not', async () => {
    const { stream } = await created({ limits: { streamMs: 400 } })
    const poll = async (offset: string) => {
      const response = await stream.ask('GET', `${query}&offset=${offset}&live=long-poll`)
      const bytes = new Uint8Array(await response.arrayBuffer())
      return { status: response.status, bytes, next: response.headers.get('stream-next-offset') ?? '' }
    }
    await stream.ask('POST', query, { body: stateBody(5, 1, { name: 'ann' }) })
    let told = await poll('now')
    while (told.status === 204) told = await poll('now')

    expect(Buffer.from(told.bytes).includes('ann')).toBe(true)
    // Again what is there, until it is known to have heard of it.
    let idle = await poll(told.next)
    while (idle.status === 200) idle = await poll(idle.next)
    expect(idle.status).toBe(204)
    const waiting = poll(idle.next)
    await stream.ask('POST', query, { body: stateBody(5, 2, { name: 'ann, moved' }) })
    let news = await waiting
    while (!Buffer.from(news.bytes).includes('moved')) news = await poll(news.next)
    expect(news.status).toBe(200)
    expect((await poll('nonsense')).status).toBe(400)
  })

  test('[DS17] there is no other awareness stream', async () => {
    const { stream } = await created()
    for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
      const response = await stream.ask(method, '?awareness=cursors')
      expect([response.status, await codeOf(response)]).toEqual([404, 'STREAM_NOT_FOUND'])
    }
  })
})

test('[DS18] pages of listed origins may read the answers, and others get nothing', async () => {
  const { stream } = await created({ ...byName, origins: ['https://notes.example'] })
  const from = (origin: string) => ({ ...bearer('ann'), origin })
  const headers = { origin: 'https://notes.example', 'access-control-request-method': 'POST' }

  const own = await stream.ask('GET', '?offset=-1', { headers: from('https://notes.example') })
  const other = await stream.ask('GET', '?offset=-1', { headers: from('https://evil.example') })
  const preflight = await stream.ask('OPTIONS', '', { headers })

  expect([own.status, own.headers.get('access-control-allow-origin')]).toEqual([200, 'https://notes.example'])
  expect(own.headers.get('access-control-expose-headers')).toContain('stream-next-offset')
  expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([403, null])
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('access-control-allow-headers')).toContain('producer-seq')
  expect((await stream.ask('OPTIONS')).status).toBe(405)
})
