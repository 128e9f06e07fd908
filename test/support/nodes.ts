/** Several servers on one store of this process, with a memory broker between them: for what needs no PostgreSQL. */
import { onTestFinished } from 'vitest'
import type { MemoryBroker } from '../../bus/index.ts'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { createServer, type Server, type ServerOptions } from '../../src/server.ts'
import { quietLog } from './server.ts'

export type Nodes = {
  readonly store: Store
  readonly nodes: readonly [Server, Server]
  /** One more. Its name is that of its bus at the broker; the first two are `a` and `b`. */
  start(name: string): Promise<Server>
}

/** Two servers, stopped after the test. Nobody writes: a store in memory does not tell whose records are whose. */
export async function startNodes(broker: MemoryBroker, options: ServerOptions): Promise<Nodes> {
  const store = createMemoryStore()
  const start = async (name: string) => {
    const bus = broker.connect(name)
    const own = { store: asNode(store, name), bus, nodeName: name, log: quietLog, pages: null }
    const server = createServer({ ...own, ...options })
    await server.listen()
    onTestFinished(async () => {
      await server.stop()
      await bus.close()
    })
    return server
  }
  return { store, start, nodes: [await start('a'), await start('b')] }
}

function asNode(store: Store, node: string): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'node') return node
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
}
