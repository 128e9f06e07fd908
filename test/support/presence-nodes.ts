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

/** On a schema of their own, named `node 0` and so on. Stopped after the test. */
export async function startNodes(
  count: number,
  broker: MemoryBroker,
  { postgres, ...options }: ServerOptions & { readonly postgres: Postgres }
): Promise<TestNode[]> {
  const address = postgres.url(`presence_${++made}`)
  const nodes: TestNode[] = []
  for (let i = 0; i < count; i++) {
    const name = `node ${i}`
    const store = await openStore(address)
    const bus = broker.connect(name)
    const sealed = sealBus({ bus, clusterId: `cluster ${made}`, nodeId: store.node, key })
    const server = createNode({ store, log: quietLog, pages: null, authorize: 'none', ...options }, sealed)
    nodes.push({ name, server, store, sealed, url: await server.listen() })
    onTestFinished(async () => {
      await server.stop()
      await bus.close()
      await store.close()
    })
  }
  return nodes
}
