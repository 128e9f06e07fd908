/** Connections that are closed because the application says so, on every server, and come back. */
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import type { Server } from '../../src/server.ts'
import { connect, synced, until } from '../support/clients.ts'
import { startNodes } from '../support/nodes.ts'
import { openRaw } from '../support/raw.ts'
import { openHocuspocus, statelessFrame } from '../support/raw-hocuspocus.ts'

const authorize = ({ token }: { token: string | null }) =>
  ({ user: { id: token ?? '' }, access: 'write' }) as const

const adminToken = 'a token of more than sixteen bytes'

async function start() {
  const { nodes } = await startNodes(createMemoryBroker(), { authorize, adminToken })
  return nodes
}

async function enter(server: Server, user: string, document = 'room') {
  const raw = await openRaw({ url: server.url, path: `${document}?token=${user}` })
  await raw.ask()
  return raw
}

test('[RM9] the connections of a user end on every server, others stay, and the user may come back at once', async () => {
  const [here, there] = await start()
  const [ada, alsoAda, ben] = await Promise.all([
    enter(here, 'ada'),
    enter(there, 'ada', 'other'),
    enter(there, 'ben')
  ])

  expect(await here.disconnect({ user: 'ada', reason: 'please sign in again' })).toEqual({ ended: 1 })

  expect(await Promise.all([ada.closed(), alsoAda.closed()])).toEqual([4505, 4505])
  await ben.ask()
  await (await enter(there, 'ada')).ask()
  expect(ben.closeCode()).toBeNull()
})

test('all that are named must fit: a user in a document, a document', async () => {
  const [here, there] = await start()
  const [inBoth, elsewhere, ben] = await Promise.all([
    enter(there, 'ada'),
    enter(there, 'ada', 'other'),
    enter(there, 'ben', 'other')
  ])

  await here.disconnect({ user: 'ada', document: 'room' })
  expect(await inBoth.closed()).toBe(4505)
  await elsewhere.ask()
  await here.disconnect({ document: 'other' })

  expect(await Promise.all([elsewhere.closed(), ben.closed()])).toEqual([4505, 4505])
})

test('one connection is named as in the authors of what it writes', async () => {
  const connections: string[] = []
  const { nodes } = await startNodes(createMemoryBroker(), {
    authorize: 'none',
    onStateless: ({ connection }) => void connections.push(connection)
  })
  const [here, there] = nodes
  const clients = await Promise.all([openHocuspocus(there.url), openHocuspocus(there.url)])
  for (const client of clients) {
    onTestFinished(() => client.raw.socket.terminate())
    await client.join('room')
  }
  clients[0]?.raw.send(statelessFrame('room', 'who am I?'))
  await until(() => connections.length === 1, 'the hook')

  await here.disconnect({ connection: connections[0] ?? '' })

  // A provider does nothing about a room that is closed to it: its socket ends.
  expect(await clients[0]?.raw.closed()).toBe(4505)
  expect(clients[1]?.raw.closeCode()).toBeNull()
})

test('a real client comes back by itself, with what it typed meanwhile', async () => {
  const { nodes } = await startNodes(createMemoryBroker(), { authorize: 'none' })
  const [, there] = nodes
  const client = connect(there.url, 'room')
  onTestFinished(client.destroy)
  await synced(client)
  const codes: (number | undefined)[] = []
  client.provider.on('connection-close', event => codes.push(event?.code))

  expect(await there.disconnect({ document: 'room' })).toEqual({ ended: 1 })
  await until(() => codes.length === 1, 'the close')
  client.doc.getText('t').insert(0, 'meanwhile')

  await synced(client)
  const other = connect(there.url, 'room')
  onTestFinished(other.destroy)
  await until(() => other.doc.getText('t').toString() === 'meanwhile', 'what was typed meanwhile')
  expect(codes).toEqual([4505])
})

test('the admin token asks for it over HTTP; nobody named, or something else, is refused', async () => {
  const [here, there] = await start()
  const ada = await enter(there, 'ada')
  const ask = async (body: unknown, token = adminToken) => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${here.url}/api/disconnect`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body)
    })
    return response.status
  }

  expect(await ask({ user: 'ada' }, 'another token of the same length')).toBe(401)
  expect(await ask({})).toBe(400)
  expect(await ask({ reason: 'nobody' })).toBe(400)
  expect(await ask({ user: 5 })).toBe(400)
  await ada.ask()
  expect(await ask({ user: 'ada', reason: 'x'.repeat(500) })).toBe(200)
  expect(await ada.closed()).toBe(4505)
  await expect(here.disconnect({})).rejects.toThrow('server.disconnect: whose connections?')
  await expect(here.disconnect({ user: 'ada', code: 4000 } as never)).rejects.toThrow('has no option "code"')
})
