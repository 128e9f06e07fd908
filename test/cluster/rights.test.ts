/** Rights that are changed on one of several servers on a store: who is told, what stands in the store, and how soon. */
import { describe, expect, test } from 'vitest'
import { createMemoryBroker } from '../../bus/index.ts'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { Revocations } from '../../src/access/revocations.ts'
import { Refusal } from '../../src/base/errors.ts'
import { withLimits } from '../../src/base/limits.ts'
import { systemTime } from '../../src/base/time.ts'
import type { Server } from '../../src/server.ts'
import { untilAsync } from '../support/clients.ts'
import { startNodes } from '../support/nodes.ts'
import { openRaw } from '../support/raw.ts'

const authorize = ({ token }: { token: string | null }) =>
  ({ user: { id: token ?? '' }, access: 'write' }) as const

async function enter(server: Server, user: string) {
  const raw = await openRaw({ url: server.url, path: `room?token=${user}` })
  await raw.ask()
  return raw
}

/** Why the user is not let in, or null. */
async function codeOf(server: Server, user: string): Promise<number | null> {
  const raw = await openRaw({ url: server.url, path: `room?token=${user}` })
  await Promise.race([raw.ask().catch(() => {}), raw.closed()])
  return raw.closeCode()
}

const never = 2 ** 31 - 1

const kinds = {
  'a bus alone, without looks into the store': () => ({
    broker: createMemoryBroker(),
    limits: { headsPollMs: never, headsPollAwayMs: never }
  }),
  'a bus that loses everything': () => ({ broker: createMemoryBroker({ faults: { loss: 1 } }) }),
  'a bus that looks well, and does not bring what one says': () => {
    const broker = createMemoryBroker()
    broker.cut('a', 'b')
    return { broker }
  },
  'a bus that is away': () => {
    const broker = createMemoryBroker()
    broker.leave()
    return { broker }
  }
}

describe.each(Object.entries(kinds))('with %s', (_, make) => {
  test('a revocation on one server closes who is connected to another', async () => {
    const { broker, ...options } = make()
    const { nodes } = await startNodes(broker, { authorize, ...options })
    const ada = await enter(nodes[1], 'ada')
    const ben = await enter(nodes[1], 'ben')

    await nodes[0].revoke({ user: 'ada' })

    expect(await ada.closed()).toBe(4403)
    expect(ben.closeCode()).toBeNull()
    expect(await codeOf(nodes[1], 'ada')).toBe(4403)
  })

  test('a recheck on one server asks about who is connected to another', async () => {
    const barred = new Set<string>()
    const { broker, ...options } = make()
    const { nodes } = await startNodes(broker, {
      ...options,
      authorize: attempt => {
        if (barred.has(attempt.token ?? '')) throw new Refusal('barred')
        return authorize(attempt)
      }
    })
    const ada = await enter(nodes[1], 'ada')
    const ben = await enter(nodes[1], 'ben')
    barred.add('ada')
    barred.add('ben')

    await nodes[0].recheck({ user: 'ada' })

    expect(await ada.closed()).toBe(4403)
    expect(ben.closeCode()).toBeNull()
  })
})

test('a server that comes later knows of a revocation, and of one that was given back elsewhere', async () => {
  const { start, nodes } = await startNodes(createMemoryBroker(), { authorize })
  await Promise.all([nodes[0].revoke({ user: 'ada' }), nodes[1].revoke({ user: 'ben' })])

  const late = await start('late')
  expect(await codeOf(late, 'ada')).toBe(4403)

  await nodes[1].revoke({ user: 'ada', access: 'write' })
  await untilAsync(async () => (await codeOf(late, 'ada')) === null, 'the right to be back')
  expect(await codeOf(late, 'ben')).toBe(4403)
})

describe('what the store keeps', () => {
  const limits = withLimits({ recheckNotesMax: 3 })
  async function servers(count: number, store: Store = createMemoryStore()) {
    const all = Array.from({ length: count }, () => new Revocations(systemTime, limits))
    for (const each of all) await each.restore(store)
    return { store, all: all as [Revocations, Revocations] }
  }

  test('of servers that revoke at once, none overwrites what another has stored', async () => {
    const { store, all } = await servers(8)
    await Promise.all(
      all.flatMap((each, i) =>
        [0, 1, 2].map(n => {
          each.add({ user: `${i} ${n}` })
          return each.save()
        })
      )
    )

    const {
      all: [late]
    } = await servers(1, store)
    for (let i = 0; i < 8; i++) {
      for (let n = 0; n < 3; n++) expect(late.ceiling(`${i} ${n}`, 'd')).toBe('none')
    }
  })

  test('changes are those of others since the last look, and concern whom they name', async () => {
    const {
      all: [one, two]
    } = await servers(2)
    one.add({ user: 'ada', document: 'd', access: 'read' })
    one.add({ document: 'e' })
    await one.save()

    expect(await one.changes()).toBeNull()
    const changed = await two.changes()
    const asked = [
      ['ada', 'd'],
      ['ada', 'x'],
      ['ben', 'd'],
      ['ben', 'e'],
      [null, 'e'],
      [null, 'd']
    ] as const
    expect(asked.map(([user, document]) => changed?.(user, document))).toEqual([
      true,
      false,
      false,
      true,
      true,
      false
    ])
    expect([two.ceiling('ada', 'd'), two.ceiling('ben', 'e'), two.ceiling('ben', 'd')]).toEqual([
      'read',
      'none',
      'write'
    ])
    expect(await two.changes()).toBeNull()

    two.add({ user: 'ada', document: 'd', access: 'write' })
    await two.save()
    expect((await one.changes())?.('ada', 'd')).toBe(true)
    expect(one.ceiling('ada', 'd')).toBe('write')
  })

  test('what is changed while a save is under way is not lost', async () => {
    const { store, all } = await servers(2)
    const [one, two] = all
    const swap = store.swapMetadata.bind(store)
    let isFirst = true
    store.swapMetadata = async (...call) => {
      if (isFirst) {
        isFirst = false
        one.add({ user: 'late' })
        void one.save()
        two.add({ user: 'other' })
        await two.save()
      }
      return swap(...call)
    }
    one.add({ user: 'ada' })
    await one.save()
    await one.save()

    await two.changes()
    for (const user of ['ada', 'late', 'other']) {
      expect([user, one.ceiling(user, 'd'), two.ceiling(user, 'd')]).toEqual([user, 'none', 'none'])
    }
  })

  test('one that is added while another is being stored holds from its beginning on', async () => {
    const { store, all } = await servers(1)
    const [one] = all
    const swap = store.swapMetadata.bind(store)
    store.swapMetadata = async (...call) => {
      const isSwapped = await swap(...call)
      one.add({ user: 'late' })
      return isSwapped
    }
    one.add({ user: 'ada' })
    await one.save()

    expect([one.ceiling('ada', 'd'), one.ceiling('late', 'd')]).toEqual(['none', 'none'])
  })

  test('one that could not be stored is stored with a later look', async () => {
    const { store, all } = await servers(2)
    const swap = store.swapMetadata
    store.swapMetadata = () => Promise.reject(new Error('away'))
    all[0].add({ user: 'ada' })
    await expect(all[0].save()).rejects.toThrow('away')
    store.swapMetadata = swap

    await all[0].changes()

    expect((await all[1].changes())?.('ada', 'd')).toBe(true)
  })

  test('notes of rechecks are heard once, and too many become one about everybody', async () => {
    const { store, all } = await servers(2)
    const [one, two] = all
    one.noteRecheck({ user: 'ada' })
    await one.save()
    const changed = await two.changes()
    expect([changed?.('ada', 'd'), changed?.('ben', 'd')]).toEqual([true, false])
    expect(await two.changes()).toBeNull()
    expect(await one.changes()).toBeNull()

    for (const user of ['a', 'b', 'c']) one.noteRecheck({ user })
    await one.save()
    expect((await two.changes())?.('anybody', 'd')).toBe(true)
    const {
      all: [late]
    } = await servers(1, store)
    expect(await late.changes()).toBeNull()
  })
})
