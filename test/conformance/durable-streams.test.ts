/** The rules DS1–DS14 of PROTOCOL.md, spoken by hand: documents as logs over HTTP. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore } from '../../persistence/index.ts'
import { until } from '../support/clients.ts'
import { compacted, storeDocument } from '../support/documents.ts'
import { openRaw } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import {
  bodyOf,
  documentOf,
  messagesIn,
  type RawStream,
  rawStream,
  typed,
  updatesIn
} from '../support/streams.ts'

const next = (response: Response) => response.headers.get('stream-next-offset') ?? ''
const codeOf = async (response: Response) =>
  ((await response.json()) as { error: { code: string } }).error.code
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())
const textOf = (doc: Y.Doc) => doc.getText('t').toString()

/** A document that was created, on a server of its own. */
async function created(document = 'room'): Promise<{ url: string; stream: RawStream; doc: Y.Doc }> {
  const { url } = await startServer()
  const stream = rawStream(url, document)
  expect((await stream.ask('PUT')).status).toBe(201)
  return { url, stream, doc: new Y.Doc() }
}

async function read(stream: RawStream, query: string): Promise<{ text: string; offset: string }> {
  const response = await stream.ask('GET', query)
  expect(response.status).toBe(200)
  return { text: textOf(documentOf(messagesIn(await bytesOf(response)))), offset: next(response) }
}

describe('addresses', () => {
  test('[DS1] the name is what follows the first /docs/, decoded once, and the document that of the others', async () => {
    const { url } = await startServer()
    const doc = new Y.Doc()
    const name = 'a/docs/b 50%25é'
    const stream = rawStream(url, name)
    await stream.ask('PUT')
    await stream.post([typed(doc, 'hello')])
    const plain = await fetch(`${url}/v1/yjs/a/long/service/docs/a/docs/b%2050%2525é?offset=-1`)

    const socket = await openRaw({ url, path: encodeURIComponent(name) })
    await socket.ask()

    expect(textOf(documentOf(messagesIn(await bytesOf(plain))))).toBe('hello')
    const updates = socket.received().flatMap(each => (each.type === 'update' ? [each.payload] : []))
    expect(textOf(documentOf(updates))).toBe('hello')
  })

  test('[DS1] other methods are 405, names that are none 400, errors JSON, and other paths nobody knows', async () => {
    const { url } = await startServer()

    const patch = await rawStream(url, 'room').ask('PATCH')
    const blank = await rawStream(url, ' ').ask('PUT')

    expect([patch.status, patch.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST, PUT, DELETE'])
    expect(await codeOf(patch)).toBe('METHOD_NOT_ALLOWED')
    expect([blank.status, await codeOf(blank)]).toEqual([400, 'INVALID_REQUEST'])
    for (const path of ['/v1/yjs/docs/room', '/v1/yjs/test/docs/', '/v1/yjs/test/room']) {
      expect((await fetch(`${url}${path}`)).status).toBe(404)
    }
  })
})

describe('writing', () => {
  test('[DS2] a document is created once, and what others wrote is there already; before, all else is 404', async () => {
    const { url } = await startServer()
    const stream = rawStream(url, 'room')
    const asks = [
      ['GET', ''],
      ['GET', '?offset=snapshot'],
      ['GET', '?live=sse&offset=-1'],
      ['POST', '']
    ] as const
    for (const [method, query] of asks) {
      const response = await stream.ask(
        method,
        query,
        method === 'POST' ? { body: bodyOf(new Uint8Array(2)) } : {}
      )
      expect([method, query, response.status, await codeOf(response)]).toEqual([
        method,
        query,
        404,
        'DOCUMENT_NOT_FOUND'
      ])
    }
    expect((await stream.ask('HEAD')).status).toBe(404)

    const [first, second] = [await stream.ask('PUT'), await stream.ask('PUT')]
    const socket = await openRaw({ url, path: 'other' })
    await socket.ask()
    const doc = new Y.Doc()
    const update = typed(doc, 'by a socket')
    socket.send(Uint8Array.of(0, 2, update.length, ...update))
    await socket.ask()
    const other = await rawStream(url, 'other').ask('PUT')

    expect([first.status, first.headers.get('location')]).toEqual([201, new URL(stream.address).pathname])
    expect(next(first)).toMatch(/^\d{16}$/)
    expect([second.status, other.status]).toEqual([200, 200])
    const body = bodyOf(typed(new Y.Doc(), 'at once'))
    expect((await rawStream(url, 'third').ask('PUT', '', { body })).status).toBe(201)
    expect((await read(rawStream(url, 'third'), '')).text).toBe('at once')
  })

  test('[DS2] that it was created outlives the server', async () => {
    const store = createMemoryStore()
    const first = await startServer({ store })
    await rawStream(first.url, 'room').ask('PUT')
    await first.stop()
    const { url } = await startServer({ store })

    expect((await rawStream(url, 'room').post([typed(new Y.Doc(), 'later')])).status).toBe(204)
    expect((await rawStream(url, 'room').ask('PUT')).status).toBe(200)
  })

  test('[DS3] a POST with several updates is answered with the offset behind them', async () => {
    const { stream, doc } = await created()
    const [one, two] = [typed(doc, 'one '), typed(doc, 'two ')]

    const response = await stream.post([one, two])

    expect(response.status).toBe(204)
    expect(await read(stream, '')).toEqual({ text: 'two one ', offset: next(response) })
  })

  test('[DS3] an empty body is 400 unless its sender leaves, and one that is cut short is not taken at all', async () => {
    const { stream, doc } = await created()
    const whole = bodyOf(typed(doc, 'a'), typed(doc, 'b'))

    const empty = await stream.ask('POST')
    const farewell = await stream.ask('POST', '', { headers: { 'stream-closed': 'true' } })
    const cut = await stream.ask('POST', '', { body: whole.slice(0, -1) })

    expect([empty.status, farewell.status, cut.status]).toEqual([400, 204, 400])
    expect((await read(stream, '')).text).toBe('')
    expect((await stream.post([typed(doc, 'c')])).status).toBe(204)
  })
})

describe('offsets', () => {
  test('[DS4] they sort as texts, and each read goes on where the one before ended', async () => {
    const { stream, doc } = await created()
    const offsets: string[] = []
    for (let i = 0; i < 12; i++) offsets.push(next(await stream.post([typed(doc, `${i} `)])))

    const all = await read(stream, '?offset=-1')
    const rest = await stream.ask('GET', `?offset=${offsets[10]}`)
    const now = await stream.ask('GET', '?offset=now')

    expect([...offsets].sort()).toEqual(offsets)
    expect(new Set(offsets).size).toBe(12)
    expect([all.offset, next(rest), next(now)]).toEqual([offsets[11], offsets[11], offsets[11]])
    expect(messagesIn(await bytesOf(rest))).toHaveLength(1)
    expect(await bytesOf(now)).toHaveLength(0)
    for (const offset of [
      '1',
      'x',
      '-2',
      '00000000000000001',
      '9999999999999999_snapshot',
      '000000000000000x'
    ]) {
      expect((await stream.ask('GET', `?offset=${offset}`)).status).toBe(400)
    }
    expect((await stream.ask('GET', '?offset=-1&live=often')).status).toBe(400)
  })

  test('[DS4] they mean the same after a restart and a compaction', async () => {
    const store = createMemoryStore()
    const first = await startServer({ store })
    const doc = new Y.Doc()
    await rawStream(first.url, 'room').ask('PUT')
    const early = next(await rawStream(first.url, 'room').post([typed(doc, 'early ')]))
    const late = next(await rawStream(first.url, 'room').post([typed(doc, 'late ')]))
    await first.stop()
    await compacted(store, 'room')
    const { url } = await startServer({ store })
    const stream = rawStream(url, 'room')

    const last = next(await stream.post([typed(doc, 'last ')]))

    const behindLate = documentOf(messagesIn(await bytesOf(await stream.ask('GET', `?offset=${late}`))))
    expect(last > late).toBe(true)
    expect(textOf(behindLate)).toBe('')
    expect(behindLate.store.pendingStructs).not.toBe(null)
    // A checkpoint has passed it: all there is.
    expect(await read(stream, `?offset=${early}`)).toEqual({ text: 'last late early ', offset: last })
    // It was never given out.
    expect(await read(stream, '?offset=0000000000099999')).toEqual({ text: 'last late early ', offset: last })
  })

  test('[DS4] one of a deleted life is no offset of the next', async () => {
    const server = await startServer()
    const stream = rawStream(server.url, 'room')
    await stream.ask('PUT')
    const old = next(await stream.post([typed(new Y.Doc(), 'old')]))
    await server.delete('room')
    await stream.ask('PUT')
    const young = next(await stream.post([typed(new Y.Doc(), 'young')]))

    expect(young > old).toBe(true)
    expect((await read(stream, `?offset=${old}`)).text).toBe('young')
  })
})

describe('reading', () => {
  test('[DS5] what is read is said to be all, and to be private; HEAD says the same and waits for nothing', async () => {
    const { stream, doc } = await created()
    const offset = next(await stream.post([typed(doc, 'text')]))

    const get = await stream.ask('GET', '?offset=-1')
    const head = await stream.ask('HEAD', `?offset=${offset}&live=long-poll`)

    for (const response of [get, head]) {
      expect(response.status).toBe(200)
      expect([next(response), response.headers.get('stream-up-to-date')]).toEqual([offset, 'true'])
      expect(response.headers.get('cache-control')).toBe('private, no-cache')
      expect(response.headers.get('content-type')).toBe('application/octet-stream')
    }
    expect(await bytesOf(head)).toHaveLength(0)
  })

  test('[DS6] without a checkpoint the beginning is where to read; with one, its snapshot and what follows', async () => {
    const store = createMemoryStore()
    const doc = new Y.Doc()
    typed(doc, 'stored ')
    await storeDocument(store, 'room', doc)
    const before = await startServer({ store })
    const none = await rawStream(before.url, 'room').ask('GET', '?offset=snapshot&more=1')
    await before.stop()
    await compacted(store, 'room')
    const { url } = await startServer({ store })
    const stream = rawStream(url, 'room')

    const found = await stream.ask('GET', '?offset=snapshot&token=a%20b')
    const location = new URL(found.headers.get('location') ?? '', stream.address)
    const stored = await fetch(location, { redirect: 'manual' })
    await stream.post([typed(doc, 'and more ')])
    const rest = await stream.ask('GET', `?offset=${next(stored)}`)

    expect([none.status, none.headers.get('location')]).toEqual([
      307,
      `${new URL(stream.address).pathname}?offset=-1&more=1`
    ])
    expect([found.status, found.headers.get('cache-control')]).toEqual([307, 'private, max-age=5'])
    expect(location.searchParams.get('offset')).toMatch(/^\d{16}_snapshot$/)
    expect(location.searchParams.get('token')).toBe('a b')
    expect(stored.status).toBe(200)
    const both = documentOf([await bytesOf(stored), ...messagesIn(await bytesOf(rest))])
    expect(textOf(both)).toBe('and more stored ')
    const other = await stream.ask('GET', '?offset=0000000000000999_snapshot')
    expect([other.status, await codeOf(other)]).toEqual([404, 'SNAPSHOT_NOT_FOUND'])
  })

  test('[DS7] a long-poll is answered by the next update, and by none when its time is over', async () => {
    const server = await startServer({ limits: { streamMs: 300 } })
    const stream = rawStream(server.url, 'room')
    const doc = new Y.Doc()
    const offset = next(await stream.ask('PUT'))

    const idle = await stream.ask('GET', `?offset=${offset}&live=long-poll&cursor=5`)
    const waiting = stream.ask('GET', `?offset=${offset}&live=long-poll`)
    const posted = next(await stream.post([typed(doc, 'news')]))
    const news = await waiting
    const behind = await stream.ask('GET', `?offset=${offset}&live=long-poll`)

    expect([idle.status, next(idle), idle.headers.get('stream-up-to-date')]).toEqual([204, offset, 'true'])
    expect(idle.headers.get('stream-cursor')).toMatch(/^\d+$/)
    for (const response of [news, behind]) {
      expect([response.status, next(response), response.headers.get('cache-control')]).toEqual([
        200,
        posted,
        'no-store'
      ])
      expect(textOf(documentOf(messagesIn(await bytesOf(response))))).toBe('news')
    }
  })

  test('[DS8] an event stream brings what there is, then each batch, and ends after its time', async () => {
    const server = await startServer({ limits: { streamMs: 1_500 } })
    const stream = rawStream(server.url, 'room')
    const doc = new Y.Doc()
    await stream.ask('PUT')
    await stream.post([typed(doc, 'before ')])

    const reader = await stream.follow('?offset=-1&live=sse')
    const upToDate = () => reader.events.filter(event => event.type === 'control' && event.upToDate === true)
    await until(() => upToDate().length === 1, 'it to have read all')
    const posted = next(await stream.post([typed(doc, 'after ')]))
    await until(() => upToDate().length === 2, 'what is new')
    await until(reader.isOver, 'the end of the stream')

    expect(reader.response.headers.get('content-type')).toBe('text/event-stream')
    expect(reader.response.headers.get('stream-sse-data-encoding')).toBe('base64')
    expect(textOf(documentOf(updatesIn(reader)))).toBe('after before ')
    expect(upToDate().at(-1)).toMatchObject({ streamNextOffset: posted })
  })

  test('[DS8] a cursor that is echoed is not the next one', async () => {
    const { stream } = await created()
    const cursorOf = (response: Response) => response.headers.get('stream-cursor') ?? ''

    const first = cursorOf(await stream.ask('GET', '?offset=now'))
    const second = cursorOf(await stream.ask('GET', `?offset=now&cursor=${first}`))

    expect(Number(second)).toBeGreaterThan(Number(first))
    expect(cursorOf(await stream.ask('GET', '?offset=now&cursor=nonsense'))).toMatch(/^\d+$/)
  })
})
