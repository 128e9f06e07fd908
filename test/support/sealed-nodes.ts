/** Several servers in this process on one store of PostgreSQL, with buses of a memory broker, as nodes of a cluster. */
import { onTestFinished } from 'vitest'
import { type MemoryBroker, type SealedBus, sealBus } from '../../bus/index.ts'
import { openStore, type Store } from '../../persistence/index.ts'
import { createNode, type Server, type ServerOptions } from '../../src/server.ts'
import { quietLog } from './server.ts'
import type { Postgres } from './services/postgres.ts'

const key = new Uint8Array(32).fill(7)
let made = 0

/** `name`: how the broker knows it. */
export type TestNode = {
  readonly name: string
  readonly url: string
  readonly server: Server
  readonly store: Store
  readonly sealed: SealedBus
}

type Place = { readonly broker: MemoryBroker; readonly name: string; readonly clusterId: string }

/** A node on the store, which is closed with it after the test. */
export async function startNode(
  store: Store,
  { broker, name, clusterId }: Place,
  options: ServerOptions
): Promise<TestNode> {
  const bus = broker.connect(name)
  const sealed = sealBus({ bus, clusterId, nodeId: store.node, key })
  const server = createNode({ store, log: quietLog, pages: null, authorize: 'none', ...options }, sealed)
  onTestFinished(async () => {
    await server.stop()
    await bus.close()
    await store.close()
  })
  return { name, server, store, sealed, url: await server.listen() }
}

/** On a schema of their own, named `node 0` and so on. */
export async function startNodes(
  count: number,
  broker: MemoryBroker,
  { postgres, ...options }: ServerOptions & { readonly postgres: Postgres }
): Promise<TestNode[]> {
  const address = postgres.url(`presence_${++made}`)
  const nodes: TestNode[] = []
  for (let i = 0; i < count; i++) {
    const place = { broker, name: `node ${i}`, clusterId: `cluster ${made}` }
    nodes.push(await startNode(await openStore(address), place, options))
  }
  return nodes
}
