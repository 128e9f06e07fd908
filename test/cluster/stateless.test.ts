/** Stateless messages between the clients of several servers. */
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import type { Server, ServerOptions } from '../../src/server.ts'
import { until } from '../support/clients.ts'
import { startNodes } from '../support/nodes.ts'
import { openHocuspocus, type RawHocuspocus, statelessFrame } from '../support/raw-hocuspocus.ts'

async function startJoined(options: ServerOptions = {}) {
  const { nodes } = await startNodes(createMemoryBroker(), options)
  const join = async (server: Server, room: string) => {
    const client = await openHocuspocus(server.url)
    onTestFinished(() => client.raw.socket.terminate())
    await client.join(room)
    return client
  }
  const [here, there, elsewhere] = await Promise.all([
    join(nodes[0], 'room'),
    join(nodes[1], 'room'),
    join(nodes[1], 'other')
  ])
  return { nodes, here, there, elsewhere }
}

const told = (client: RawHocuspocus, room: string) =>
  client.heard(room).filter(each => each.startsWith('stateless'))

test('what a server broadcasts reaches the clients that other servers have, of that document alone', async () => {
  const { nodes, here, there, elsewhere } = await startJoined()

  nodes[0].broadcastStateless('room', 'hello')
  await until(() => told(there, 'room').length === 1, 'the message on the other server')
  nodes[1].broadcastStateless('other', 'and this')
  await until(() => told(elsewhere, 'other').length === 1, 'the other message')

  expect(told(here, 'room')).toEqual(['stateless: hello'])
  expect(told(there, 'room')).toEqual(['stateless: hello'])
  expect(told(elsewhere, 'other')).toEqual(['stateless: and this'])
})

test('what a client says is relayed to the others of its document on every server, and the hook is called on its own', async () => {
  const called: string[] = []
  const { here, there } = await startJoined({
    statelessRelay: true,
    onStateless: ({ payload, broadcast }) => {
      called.push(payload)
      broadcast(`heard ${payload}`)
    }
  })

  here.raw.send(statelessFrame('room', 'x'))

  await until(() => told(there, 'room').length === 2, 'both messages on the other server')
  expect(told(there, 'room')).toEqual(['stateless: x', 'stateless: heard x'])
  expect(told(here, 'room')).toEqual(['stateless: heard x'])
  expect(called).toEqual(['x'])
})

test('[HP12] one that is longer than the bus takes reaches the other servers whole, and those after it as well', async () => {
  const { nodes, here, there } = await startJoined()
  const long = 'löng, '.repeat(140_000)

  nodes[0].broadcastStateless('room', long)
  nodes[0].broadcastStateless('room', 'short')

  await until(() => told(there, 'room').length === 2, 'both on the other server')
  expect(told(there, 'room').toSorted()).toEqual([`stateless: ${long}`, 'stateless: short'].toSorted())
  expect(told(here, 'room')).toHaveLength(2)
  expect(await nodes[0].metrics()).toContain('chorus_bus_messages_total{fate="droppedLarge"} 0')
})
