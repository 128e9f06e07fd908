/** Presence when the room of one node ends alone: whoever was in it comes back, and knows clocks of those who stayed. */
import { afterAll, beforeAll, describe, onTestFinished, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { openStore, type Store } from '../../persistence/index.ts'
import { connect, synced, until } from '../support/clients.ts'
import { awarenessFrame, openRaw } from '../support/raw.ts'
import { startNode } from '../support/sealed-nodes.ts'
import { type Postgres, postgresMissing, startPostgres } from '../support/services/postgres.ts'

/** Nobody is renewed by their node while the test runs. */
const limits = { presenceBeatMs: 50, awarenessLateMs: 1_000_000 }

/** A store whose next append fails. */
function failing(store: Store): { readonly store: Store; fail(): void } {
  let fails = false
  const append: Store['append'] = entries => {
    if (!fails) return store.append(entries)
    fails = false
    return Promise.reject(new Error('the disk is on fire'))
  }
  const proxy = new Proxy(store, {
    get: (target, name) => {
      if (name === 'append') return append
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  return {
    store: proxy,
    fail: () => {
      fails = true
    }
  }
}

describe.skipIf(postgresMissing !== null)('presence when a room ends on one of two nodes', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres.stop())

  test('[AW12] who comes back to the node sees who has stayed on the other, and has not moved since', async () => {
    const broker = createMemoryBroker()
    const address = postgres.url('returns')
    const place = (name: string) => ({ broker, name, clusterId: 'returns' })
    const one = await startNode(await openStore(address), place('one'), { limits })
    const disk = failing(await openStore(address))
    const two = await startNode(disk.store, place('two'), { limits })
    // By hand: it says its state once.
    const stays = await openRaw({ url: one.url, path: 'room' })
    await stays.ask()
    stays.send(awarenessFrame({ clientID: 77, clock: 1, state: '{"name":"ada"}' }))
    const returns = connect(two.url, 'room')
    onTestFinished(returns.destroy)
    await synced(returns)
    const isSeen = () => returns.provider.awareness.getStates().get(77)?.name === 'ada'
    await until(isSeen, 'ada to be seen')

    const ended = new Promise(resolve => returns.provider.once('connection-close', resolve))
    disk.fail()
    returns.doc.getText('t').insert(0, 'x')
    await ended
    await until(() => !isSeen(), 'the client to forget whom it saw')

    await synced(returns)
    await until(isSeen, 'ada to be seen again')
  })
})
