/** The parts of a server, built as a server builds them, for tests of what only its other parts call. */

import { onTestFinished } from 'vitest'
import type { MemoryBroker } from '../../bus/index.ts'
import { type SealedBus, sealBus } from '../../bus/index.ts'
import type { Store } from '../../persistence/index.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { build, type Running, takeDown } from '../../src/running.ts'
import type { ServerOptions } from '../../src/server.ts'
import { proxyList } from '../../src/transport/addresses.ts'
import { quietLog } from './server.ts'

const key = new Uint8Array(32).fill(7)

/** Taken down after the test, and the store closed. `bus`: what it is one of several nodes on. */
export function buildParts(store: Store, options: ServerOptions, bus: SealedBus | null = null): Running {
  const running = build(store, {
    ...{ bus, name: bus === null ? null : store.node, options: { authorize: 'none', ...options } },
    ...{ host: '127.0.0.1', demo: [], trustedProxies: proxyList([]), isDraining: () => false },
    ...{ metrics: createMetrics(), log: quietLog, outlets: [] }
  })
  onTestFinished(async () => {
    await takeDown(running)
    await store.close()
  })
  return running
}

/** A bus of the broker for a node on this store. */
export function busFor(store: Store, broker: MemoryBroker, clusterId: string): SealedBus {
  const bus = broker.connect(store.node)
  onTestFinished(() => bus.close())
  return sealBus({ bus, clusterId, nodeId: store.node, key })
}
