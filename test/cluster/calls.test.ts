/** Calls that go to every node: what is told over the bus, and what it does there. */
import { expect, test } from 'vitest'
import { createMemoryBroker, sealBus } from '../../bus/index.ts'
import { Calls, type Disconnection, type Whom } from '../../src/cluster/calls.ts'
import { MessageParts } from '../../src/cluster/message-parts.ts'
import { until } from '../support/clients.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
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

test('a long message of which the bus has lost a part is dropped, and others are heard whole in whatever order their parts come', async () => {
  const random = randomOf(seed)
  const faults = { loss: 0.02, repetition: 0.2, delayMinMs: 0, delayMaxMs: 20 }
  const broker = createMemoryBroker({ random, faults })
  const [one, two] = ['1', '2'].map(name => node(broker, name)) as [Node, Node]
  const payloads = Array.from({ length: 40 }, (_, i) => `${i} `.repeat(60_000 + i))

  for (const payload of payloads) one.calls.stateless('doc', payload)
  await until(() => {
    one.calls.stateless('doc', 'the end')
    return two.heard.stateless.includes('doc: the end')
  }, 'the end')
  await until(() => two.heard.stateless.length > 5, `SEED=${seed}: several of the long ones`)

  const whole = new Set(payloads.map(payload => `doc: ${payload}`))
  const long = two.heard.stateless.filter(each => each !== 'doc: the end')
  expect(
    long.filter(each => !whole.has(each)),
    `SEED=${seed}`
  ).toEqual([])
  expect(new Set(long).size, `SEED=${seed}: none twice`).toBe(long.length)
})

test('parts without an end do not fill the memory: the oldest message is given up', () => {
  const parts = new MessageParts()
  const part = (number: number, index: number) => ({ number, index, count: 2, bytes: new Uint8Array(65_000) })

  for (let number = 1; number <= 1_000; number++) parts.take('1', part(number, 0))

  expect(parts.bytes).toBeLessThanOrEqual(16 * 2 ** 20)
  expect(parts.take('1', part(1_000, 1))).toHaveLength(130_000)
  expect(parts.take('1', part(1, 1))).toBeNull()
  expect(parts.take('2', { ...part(3, 2), count: 2 })).toBeNull()
  expect(parts.take('2', { ...part(3, 0), count: 1e9 })).toBeNull()
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
