/** A node's questions to the store that it shares: what a room is told when the store fails. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { type Store, StoreError } from '../../persistence/store.ts'
import { withLimits } from '../../src/base/limits.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Cluster } from '../../src/cluster/cluster.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { quietLog } from '../support/server.ts'

test('a store that fails to say where a document stands is a fault of the store, and no bug', async () => {
  const failure = new StoreError('STORE_FAILED', 'the database does not answer')
  const memory = createMemoryStore()
  const store: Store = Object.assign(Object.create(memory), { heads: () => Promise.reject(failure) })
  const time = new VirtualClock().scope()
  const metrics = createMetrics()
  const cluster = new Cluster({ store, bus: null, time, limits: withLimits(), metrics, log: quietLog })

  const asked = cluster.freshHead({ document: 'room' })

  await expect(asked).rejects.toMatchObject({ code: 'ERR_STORE', cause: failure })
  cluster.close()
})
