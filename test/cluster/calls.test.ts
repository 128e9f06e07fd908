/** Calls that go to every node: what is told over the bus, and what it does there. */
import { expect, test } from 'vitest'
import { createMemoryBroker, sealBus } from '../../bus/index.ts'
import { Calls, type Disconnection, type Whom } from '../../src/cluster/calls.ts'
import { until } from '../support/clients.ts'
import { quietLog } from '../support/server.ts'

const key = new Uint8Array(32).fill(1)

function node(broker: ReturnType<typeof createMemoryBroker>, nodeId: string) {
  const bus = sealBus({ bus: broker.connect(nodeId), clusterId: 'c', nodeId, key })
  const heard = { whoms: [] as (readonly Whom[])[], stateless: [] as string[], ended: [] as Disconnection[] }
  let answer = async () => {}
  const calls = new Calls(
    { bus, log: quietLog },
    {
      rightsChanged: whoms => {
        heard.whoms.push(whoms)
        return answer()
      },
      stateless: (document, payload) => void heard.stateless.push(`${document}: ${payload}`),
      disconnect: disconnection => void heard.ended.push(disconnection)
    }
  )
  const answerWith = (next: () => Promise<void>) => {
    answer = next
  }
  return { bus, calls, heard, answerWith }
}

test('a call reaches the other nodes as it was made, and not the one that makes it', async () => {
  const broker = createMemoryBroker()
  const [one, two, three] = ['1', '2', '3'].map(name => node(broker, name)) as [Node, Node, Node]
  const whoms: Whom[] = [{ user: 'ädä' }, { document: 'a/b' }, { user: 'x', document: 'y' }, {}]

  const ended = [
    { user: 'ädä', document: 'a', connection: 'c', reason: 'wöhl' },
    { connection: 'c' },
    { document: 'b', reason: '' }
  ]

  for (const whom of whoms) one.calls.rightsChanged(whom)
  for (const each of ended) one.calls.disconnect(each)
  one.calls.stateless('doc', 'hellö')

  for (const { heard } of [two, three]) {
    await until(() => heard.stateless.length === 1 && heard.whoms.flat().length === 4, 'the calls')
    expect(heard).toMatchObject({ stateless: ['doc: hellö'], ended })
    expect(heard.whoms.flat()).toEqual(whoms)
  }
  expect(one.heard).toEqual({ whoms: [], stateless: [], ended: [] })
})

test('calls that come while one is carried out go together, and too many become one about everybody', async () => {
  const broker = createMemoryBroker()
  const [one, two] = ['1', '2'].map(name => node(broker, name)) as [Node, Node]
  let carryOn = () => {}
  two.answerWith(() => {
    return new Promise(resolve => {
      carryOn = resolve
    })
  })

  one.calls.rightsChanged({ user: 'first' })
  await until(() => two.heard.whoms.length === 1, 'the first')
  for (let i = 0; i < 500; i++) one.calls.rightsChanged({ user: `u${i}` })
  one.calls.stateless('doc', 'after 500')
  await until(() => two.heard.stateless.length === 1, 'what came after them')
  carryOn()
  await until(() => two.heard.whoms.length === 2, 'the others')
  expect(two.heard.whoms[1]).toHaveLength(500)

  for (let i = 0; i < 1_001; i++) one.calls.rightsChanged({ user: `v${i}` })
  one.calls.stateless('doc', 'after 1001')
  await until(() => two.heard.stateless.length === 2, 'what came after them')
  carryOn()
  await until(() => two.heard.whoms.length === 3, 'the one')
  expect(two.heard.whoms[2]).toEqual([{}])
})

test('what cannot be read, and what a later version says, does nothing; and a failure does not keep the next one away', async () => {
  const broker = createMemoryBroker()
  const [one, two] = ['1', '2'].map(name => node(broker, name)) as [Node, Node]
  two.answerWith(() => Promise.reject(new Error('the store is away')))
  for (const bytes of [
    [],
    [1],
    [1, 9],
    [1, 1, 5],
    [2],
    [2, 1, 97],
    [3],
    [3, 0],
    [3, 8, 0],
    [3, 16],
    [77, 1, 2, 3]
  ]) {
    one.bus.publish('calls', Uint8Array.from(bytes))
  }

  one.calls.rightsChanged({ user: 'a' })
  await until(() => two.heard.whoms.length === 1, 'the first')
  one.calls.rightsChanged({ user: 'b' })
  await until(() => two.heard.whoms.length === 2, 'the second')

  expect(two.heard).toEqual({ whoms: [[{ user: 'a' }], [{ user: 'b' }]], stateless: [], ended: [] })
})

test('after its end nothing is heard', async () => {
  const broker = createMemoryBroker()
  const [one, two, three] = ['1', '2', '3'].map(name => node(broker, name)) as [Node, Node, Node]
  two.calls.close()

  one.calls.stateless('doc', 'x')

  await until(() => three.heard.stateless.length === 1, 'the other node')
  expect(two.heard.stateless).toEqual([])
})

type Node = ReturnType<typeof node>
