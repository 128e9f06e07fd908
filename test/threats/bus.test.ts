/** A broker that strangers may write to: what they say to the nodes of a cluster. */
import { expect, test } from 'vitest'
import { createMemoryBroker, sealBus } from '../../bus/index.ts'
import { Calls } from '../../src/cluster/calls.ts'
import { clusterIdentity } from '../../src/cluster/identity.ts'
import { until, untilAsync } from '../support/clients.ts'
import { startNodes } from '../support/nodes.ts'
import { openHocuspocus } from '../support/raw-hocuspocus.ts'
import { quietLog } from '../support/server.ts'

test('what a stranger says at the broker is dropped and counted, and what is repeated is heard once', async () => {
  const broker = createMemoryBroker({ faults: { repetition: 1 } })
  const { nodes, store } = await startNodes(broker, {})
  const { id } = await clusterIdentity(store)
  const stranger = (clusterId: string) => {
    const bus = sealBus({ bus: broker.connect('x'), clusterId, nodeId: 'b', key: new Uint8Array(32) })
    return new Calls(
      { bus, log: quietLog },
      { rightsChanged: async () => {}, stateless: () => {}, disconnect: () => {} }
    )
  }
  const client = await openHocuspocus(nodes[0].url)
  await client.join('room')

  stranger(id).stateless('room', 'forged')
  stranger('another').stateless('room', 'of another cluster')
  nodes[1].broadcastStateless('room', 'true')

  const told = () => client.heard('room').filter(each => each.startsWith('stateless'))
  await until(() => told().length > 0, 'the true message')
  const count = async (fate: string) =>
    Number(new RegExp(`fate="${fate}"} (\\d+)`).exec(await nodes[0].metrics())?.[1])
  await untilAsync(async () => (await count('replayed')) > 0, 'the repeated message')
  expect(told()).toEqual(['stateless: true'])
  expect(await count('forged')).toBe(2)
})
