/** What is remembered of documents that could not be compacted, by hand-driven clocks. */
import { describe, expect, test } from 'vitest'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { type Limits, withLimits } from '../../src/base/limits.ts'
import { createLog } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { systemTime } from '../../src/base/time.ts'
import { Uncompacted } from '../../src/room/uncompacted.ts'

function clock() {
  let nowMs = 1_000_000
  const time = { ...systemTime, wallMs: () => nowMs }
  return {
    time,
    pass: (ms: number) => {
      nowMs += ms
    }
  }
}

type Begun = { keys?: 'one' | 'each'; store?: Store; time?: typeof systemTime; limits?: Partial<Limits> }

async function begun({
  keys = 'one',
  store = createMemoryStore(),
  time = systemTime,
  limits = {}
}: Begun = {}) {
  const metrics = createMetrics()
  const uncompacted = new Uncompacted(
    {
      store,
      time,
      limits: withLimits(limits),
      metrics,
      log: createLog('silent')
    },
    { keys }
  )
  await uncompacted.restore()
  const gauge = async () =>
    Number(/^chorus_uncompacted_documents (\d+)$/m.exec((await metrics.expose()).text)?.[1])
  return { uncompacted, gauge }
}

describe('a document that could not be compacted', () => {
  test('is tried again after a while, which doubles with each failure up to a bound', async () => {
    const { time, pass } = clock()
    const limits = { compactionRetryMs: 100, compactionRetryMsMax: 300 }
    const { uncompacted } = await begun({ time, limits })
    const waits: number[] = []

    for (let i = 0; i < 4; i++) {
      uncompacted.failed('room', 'ERR_DEADLINE')
      let waitedMs = 0
      for (; !uncompacted.isDue('room'); waitedMs += 50) pass(50)
      waits.push(waitedMs)
    }

    expect(waits).toEqual([100, 200, 300, 300])
    expect(uncompacted.isDue('another')).toBe(true)
  })

  test('is counted and remembered over a restart, and forgotten when it was compacted', async () => {
    const store = createMemoryStore()
    const { time, pass } = clock()
    const first = await begun({ store, time })
    first.uncompacted.failed('a "name" \ud83d\ude00', 'ERR_DEADLINE')
    first.uncompacted.failed('b', 'ERR_INTERNAL')
    await first.uncompacted.settled()

    const second = await begun({ store, time })
    pass(30_000)

    expect([second.uncompacted.count, await second.gauge()]).toEqual([2, 2])
    expect(second.uncompacted.isDue('a "name" \ud83d\ude00')).toBe(false)
    second.uncompacted.forget('a "name" \ud83d\ude00')
    second.uncompacted.forget('b')
    await second.uncompacted.settled()
    expect([second.uncompacted.isDue('b'), await second.gauge()]).toEqual([true, 0])
    expect(await store.readMetadata('uncompacted')).toBe(null)
  })

  test('waits no longer because the clock was set back', async () => {
    const { time, pass } = clock()
    const { uncompacted } = await begun({ time })
    uncompacted.failed('room', 'ERR_DEADLINE')

    pass(-3_600_000)

    expect(uncompacted.isDue('room')).toBe(true)
  })

  test('is one of a bounded number: the one that failed longest ago is forgotten', async () => {
    const store = createMemoryStore()
    const limits = { uncompactedMax: 2 }
    const { uncompacted, gauge } = await begun({ store, limits })

    for (const name of ['a', 'b', 'a', 'c']) uncompacted.failed(name, 'ERR_DEADLINE')
    await uncompacted.settled()

    expect(['a', 'b', 'c'].map(name => uncompacted.has(name))).toEqual([true, false, true])
    expect(await gauge()).toBe(2)
    expect((await begun({ store, limits: { uncompactedMax: 1 } })).uncompacted.count).toBe(1)
  })

  test('is no reason not to start: what cannot be read counts as none, and what cannot be written comes later', async () => {
    const store = createMemoryStore()
    for (const text of ['{', '{"version":2,"entries":[]}', '{"version":1,"entries":[["a","b",1,"c"]]}']) {
      await store.writeMetadata('uncompacted', Buffer.from(text))
      expect((await begun({ store })).uncompacted.count).toBe(0)
    }
    const { uncompacted } = await begun({ store })
    const write = store.writeMetadata.bind(store)
    store.writeMetadata = () => Promise.reject(new Error('full'))
    uncompacted.failed('a', 'ERR_DEADLINE')
    await uncompacted.settled()

    store.writeMetadata = write
    uncompacted.failed('b', 'ERR_DEADLINE')
    await uncompacted.settled()

    expect((await begun({ store })).uncompacted.count).toBe(2)
  })

  test('has a place of its own in the store where several nodes write, and none loses what another wrote', async () => {
    const store = createMemoryStore()
    const one = await begun({ keys: 'each', store })
    const two = await begun({ keys: 'each', store })
    one.uncompacted.failed('a', 'ERR_DEADLINE')
    two.uncompacted.failed('b', 'ERR_DEADLINE')
    await Promise.all([one.uncompacted.settled(), two.uncompacted.settled()])

    const three = await begun({ keys: 'each', store })
    await three.uncompacted.learn('a')
    await three.uncompacted.learn('b')
    await three.uncompacted.learn('c')
    expect(['a', 'b', 'c'].map(name => three.uncompacted.isDue(name))).toEqual([false, false, true])

    two.uncompacted.forget('b')
    // It was deleted on a node that had never heard that it cannot be compacted.
    const four = await begun({ keys: 'each', store })
    four.uncompacted.deleted('a')
    await Promise.all([two, four].map(({ uncompacted }) => uncompacted.settled()))
    await one.uncompacted.learn('a')
    await three.uncompacted.learn('b')
    expect([one.uncompacted.isDue('a'), three.uncompacted.isDue('b')]).toEqual([true, true])
  })

  test('that another node has compacted is no longer left alone here', async () => {
    const store = createMemoryStore()
    const { uncompacted } = await begun({ keys: 'each', store })
    uncompacted.failed('a', 'ERR_DEADLINE')

    uncompacted.compactedElsewhere('a')

    expect([uncompacted.isDue('a'), uncompacted.count]).toEqual([true, 0])
  })
})
