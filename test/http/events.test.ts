/** Documents watched with EventSource's protocol: what is told, to whom, and that nothing is missed after a cut or a crash. */
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../src/index.ts'
import { barrier, connect, synced, until } from '../support/clients.ts'
import { EventReader } from '../support/event-stream.ts'
import { spawnServer, startServer, temporaryDirectory } from '../support/server.ts'
import { admin, grantOf } from './operations.ts'

const room = 'team/board'
const path = `/api/documents/${encodeURIComponent(room)}/events?types=body:text,meta:map`

function reading(url: () => string, query = '', headers: Record<string, string> = {}): EventReader {
  const reader = new EventReader(() => `${url()}${path}${query}`, headers)
  onTestFinished(() => reader.close())
  return reader
}

async function started(options: ServerOptions = {}) {
  const server = await startServer(options)
  const client = connect(server.url, room)
  onTestFinished(() => client.destroy())
  await synced(client)
  return { server, client, body: client.doc.getText('body') }
}

test('a reader gets what there is, then each change, of texts and of maps', async () => {
  const { server, client, body } = await started()
  body.insert(0, 'one')
  await barrier(client)
  const reader = reading(() => server.url)
  await reader.until(({ events }) => events.length > 0, 'the document')

  body.insert(3, ' two')
  client.doc.getMap('meta').set('title', { a: [1] })
  body.delete(0, 1)

  await reader.until(each => each.text('body') === 'ne two', 'the text')
  expect(reader.events[0]).toMatchObject({ event: 'document', data: { body: [{ insert: 'one' }], meta: {} } })
  const changes = reader.events.flatMap(({ event, data }) =>
    event === 'change' ? (data as { changes: unknown[] }).changes : []
  )
  expect(changes).toContainEqual({ type: 'meta', path: [], keys: { title: { value: { a: [1] } } } })
})

test('the id of an event is the version that the document has at that moment', async () => {
  const { server, client, body } = await started()
  body.insert(0, 'one')
  await barrier(client)
  const reader = reading(() => server.url)
  await reader.until(({ events }) => events.length > 0, 'the document')

  const response = await fetch(`${server.url}/api/documents/${encodeURIComponent(room)}`)

  expect(response.headers.get('etag')).toBe(`"${reader.lastEventId}"`)
})

test('after a cut a reader goes on where it was, without the whole document', async () => {
  const { server, body } = await started()
  const [reader, other] = [reading(() => server.url), reading(() => server.url)]
  await Promise.all(
    [reader, other].map(each => each.until(({ events }) => events.length > 0, 'the document'))
  )

  for (let i = 0; i < 5; i++) {
    body.insert(0, `${i}`)
    await other.until(each => each.text('body') === body.toString(), 'the other one')
    reader.cut()
  }

  await reader.until(each => each.text('body') === '43210', 'all of it')
  await reader.until(each => each.statuses.length > 1, 'to come back')
  expect(reader.events.filter(({ event }) => event === 'document')).toHaveLength(1)
})

test('a server that is killed again and again: each reader ends with what there is', {
  timeout: 180_000
}, async () => {
  const args = ['--data', join(temporaryDirectory(), 'data'), '--auth', 'none']
  let server = await spawnServer([...args, '--port', '0'])
  const { url } = server
  const port = new URL(url).port
  const reader = reading(() => url)
  const client = connect(url, room)
  onTestFinished(() => client.destroy())
  const body = client.doc.getText('body')
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) body.insert(body.length, `${i} `)
    await reader.until(each => each.text('body').length > 20 * round, 'some of it')
    await server.kill()
    body.insert(0, 'while it was away ')
    server = await spawnServer([...args, '--port', port])
  }
  await until(() => client.provider.synced, 'the client')
  await barrier(client)

  await reader.until(each => each.text('body') === body.toString(), body.toString())
  expect(reader.statuses.length).toBeGreaterThan(1)
})

test('presence is told to who asks for it', async () => {
  const { server, client } = await started()
  const [with_, without] = [reading(() => server.url, '&presence=true'), reading(() => server.url)]

  client.provider.awareness.setLocalState({ name: 'ada' })

  const isTold = ({ events }: EventReader) =>
    events.some(({ event, data }) => event === 'presence' && JSON.stringify(data).includes('"ada"'))
  await with_.until(isTold, 'presence')
  expect(without.events.some(({ event }) => event === 'presence')).toBe(false)
  const presence = await fetch(`${server.url}/api/documents/${encodeURIComponent(room)}/presence`)
  const { people, states } = (await presence.json()) as { people: unknown[]; states: unknown[] }
  // The client, and the two readers.
  expect(people).toHaveLength(3)
  expect(states).toEqual([{ clientId: client.doc.clientID, state: { name: 'ada' } }])
})

test('who may not read may not watch; a right that is taken away ends it', async () => {
  const server = await startServer({ adminToken: admin, authorize: grantOf })
  const as = (token: string) => reading(() => server.url, '', { authorization: `Bearer ${token}` })
  const [reader, operator, nobody] = [as('reader'), as(admin), as('nobody')]
  await Promise.all(
    [reader, operator].map(each => each.until(({ events }) => events.length > 0, 'the document'))
  )
  await nobody.until(({ statuses }) => statuses.length > 0, 'an answer')
  expect(nobody.statuses).toEqual([403])

  await server.revoke({ user: 'reader', document: room })

  await reader.until(({ statuses }) => statuses.length > 1, 'to come back')
  expect(reader.statuses).toEqual([200, 403])
  expect(operator.statuses).toEqual([200])
})

test('a deletion ends it, and the document is gone until somebody creates it', async () => {
  const { server, client, body } = await started()
  body.insert(0, 'one')
  await barrier(client)
  client.destroy()
  const reader = reading(() => server.url)
  await reader.until(({ events }) => events.length > 0, 'the document')

  await server.delete(room)

  await reader.until(({ statuses }) => statuses.length > 1, 'to come back')
  expect(reader.statuses).toEqual([200, 410])
})

test('a reader that does not read is given up, and the others go on', async () => {
  const { server, body } = await started({ limits: { eventQueueBytesMax: 100_000 } })
  const reader = reading(() => server.url)
  await reader.until(({ events }) => events.length > 0, 'the document')
  const { hostname, port } = new URL(server.url)
  const slow = connectTcp({ host: hostname, port: Number(port) })
  onTestFinished(() => void slow.destroy())
  slow.pause()
  slow.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`)
  const people = async () => {
    const answer = await fetch(`${server.url}/api/documents/${encodeURIComponent(room)}/presence`)
    return ((await answer.json()) as { people: unknown[] }).people.length
  }
  while ((await people()) < 3) await new Promise(resolve => setTimeout(resolve, 20))

  let length = 0
  while ((await people()) === 3) {
    body.insert(0, 'x'.repeat(200_000))
    length += 200_000
    await reader.until(each => each.text('body').length === length, 'the text')
  }

  expect(await people()).toBe(2)
  body.insert(0, 'y')
  await reader.until(each => each.text('body').startsWith('y'), 'y')
})

test('readers are counted, and one too many is told so', async () => {
  const { server } = await started({ limits: { eventReadersMax: 1 } })
  const reader = reading(() => server.url)
  await reader.until(({ events }) => events.length > 0, 'the document')

  const refused = await fetch(`${server.url}${path}`)

  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  reader.close()
  let status = 503
  while (status === 503) {
    const next = new AbortController()
    const answer = await fetch(`${server.url}${path}`, { signal: next.signal })
    status = answer.status
    next.abort()
  }
  expect(status).toBe(200)
})
