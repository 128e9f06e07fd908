/** The table of routes, asked over a real HTTP server. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { createLog } from '../../src/base/log.ts'
import { answer } from '../../src/http/answer.ts'
import { checkBearer } from '../../src/http/bearer.ts'
import { json } from '../../src/http/message.ts'
import { type Route, route } from '../../src/http/route.ts'
import { type Rights, routed } from '../../src/http/router.ts'

const token = 'x'.repeat(32)
const visitor = () => ({ address: '127.0.0.1', headers: {}, url: '/', barred: null })

const rights: Rights = request => {
  checkBearer(request.header('authorization'), [token])
  return null
}

async function serve(routes: readonly Route[]): Promise<string> {
  const handlers = [routed(routes, rights)]
  const log = createLog('silent')
  const server = createServer((request, response) => {
    void answer(handlers, { request, response, url: request.url ?? '/', visitor, log })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.closeAllConnections())
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const said = { id: 'thing', group: 'Things', says: 'Does a thing.', answers: {}, who: 'anyone' } as const

function get(path: string, reply: Route['reply'], who: Route['who'] = 'anyone'): Route {
  const names = [...path.matchAll(/[:*](\w+)/g)].map(([, name]) => [name, z.string()] as const)
  return route({ ...said, method: 'GET', path, who, parameters: Object.fromEntries(names), reply } as Route)
}

test('a part of a path is decoded, and a slash in it does not end it', async () => {
  const url = await serve([get('/documents/:name/parts/:part', ({ parameters }) => json(200, parameters))])

  const response = await fetch(`${url}/documents/${encodeURIComponent('a/b 50%')}/parts/ü`)

  expect(await response.json()).toEqual({ name: 'a/b 50%', part: 'ü' })
  expect((await fetch(`${url}/documents/a/b/parts/c`)).status).toBe(404)
  expect((await fetch(`${url}/documents/%FF/parts/c`)).status).toBe(400)
})

test('the rest of a path is one parameter, and the query is apart from it', async () => {
  const url = await serve([
    get('/files/*rest', ({ request: { query }, parameters: { rest } }) =>
      json(200, { rest, limit: query.get('limit') })
    )
  ])

  expect(await (await fetch(`${url}/files/a/b.txt?limit=3&x=/`)).json()).toEqual({
    rest: 'a/b.txt',
    limit: '3'
  })
})

test('what a pattern says literally is taken literally', async () => {
  const url = await serve([get('/a.b+c', () => json(200, 'here'))])

  expect((await fetch(`${url}/a.b+c`)).status).toBe(200)
  expect((await fetch(`${url}/aXb+c`)).status).toBe(404)
})

test('another method is answered with 405 and the ones that are taken; HEAD is GET without a body', async () => {
  const url = await serve([
    get('/thing', () => json(200, 'here')),
    route({ ...said, method: 'DELETE', path: '/thing', reply: () => json(200, 'gone') })
  ])

  const refused = await fetch(`${url}/thing`, { method: 'POST' })
  const head = await fetch(`${url}/thing`, { method: 'HEAD' })

  expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, DELETE'])
  expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '7'])
})

test('rights are checked before a body is read', async () => {
  let asked = 0
  const reply = () => {
    asked++
    return json(200, 'here')
  }
  const url = await serve([get('/secret', reply, 'operator')])

  const without = await fetch(`${url}/secret`)
  const wrong = await fetch(`${url}/secret`, { headers: { authorization: 'Bearer y' } })
  const right = await fetch(`${url}/secret`, { headers: { authorization: `Bearer ${token}` } })

  expect([without.status, wrong.status, right.status, asked]).toEqual([401, 401, 200, 1])
})

test('a body is taken as it comes, and an answer is sent as it is made', async () => {
  const url = await serve([
    route({
      ...said,
      method: 'POST',
      path: '/echo',
      reply: ({ request: { body } }) => ({
        status: 200,
        headers: { 'content-type': 'application/octet-stream' },
        body
      })
    })
  ])
  const bytes = new Uint8Array(3_000_000).map((_, at) => at % 251)

  const response = await fetch(`${url}/echo`, { method: 'POST', body: bytes })

  expect(response.headers.get('content-length')).toBeNull()
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
})

test('a streamed answer that fails ends the connection: nobody takes a part for all', async () => {
  async function* failing() {
    yield 'a part'
    await new Promise(resolve => setImmediate(resolve))
    throw new Error('no more')
  }
  const url = await serve([get('/half', () => ({ status: 200, headers: {}, body: failing() }))])

  await expect(fetch(`${url}/half`).then(response => response.text())).rejects.toThrow()
})

test('who leaves in the middle of a streamed answer ends what makes it', async () => {
  let resolve = () => {}
  const ended = new Promise<void>(done => {
    resolve = done
  })
  async function* endless() {
    try {
      for (;;) yield new Uint8Array(65_536)
    } finally {
      resolve()
    }
  }
  const url = await serve([get('/endless', () => ({ status: 200, headers: {}, body: endless() }))])
  const leave = new AbortController()

  const response = await fetch(`${url}/endless`, { signal: leave.signal })
  await response.body?.getReader().read()
  leave.abort()

  await ended
})
