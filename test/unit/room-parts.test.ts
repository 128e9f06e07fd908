/** The small parts of a room on their own: journal, refusals, checkpoint cache, departed clocks. */
import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/memory.ts'
import { type Store, StoreError } from '../../persistence/store.ts'
import { createCheckpoint } from '../../src/document/checkpoint.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { Document } from '../../src/document/document.ts'
import { withLimits } from '../../src/limits.ts'
import { createMetrics } from '../../src/metrics.ts'
import { CheckpointCache } from '../../src/room/checkpoint-cache.ts'
import { Departed } from '../../src/room/departed.ts'
import { type BatchWriter, Journal } from '../../src/room/journal.ts'
import type { Member } from '../../src/room/member.ts'
import { createPresence, isConfirmation, type SharedState } from '../../src/room/presence.ts'
import { Refusals } from '../../src/room/refusals.ts'
import { systemTime, type Time } from '../../src/time.ts'

/** A clock that stands still until it is moved. */
function handClock(): Time & { nowIs: number } {
  const clock = { ...systemTime, nowIs: 0, nowMs: () => clock.nowIs }
  return clock
}

/** A store of which only `append` is called. */
function appendingBy(append: Store['append']): Store {
  return new Proxy(createMemoryStore(), {
    get: (store, name) => (name === 'append' ? append : Reflect.get(store, name))
  })
}

function journalOf(store: Store, spacingMs = 0): Journal {
  return new Journal(store, { time: systemTime, metrics: createMetrics(), spacingMs })
}

type Recorded = BatchWriter & { readonly events: string[]; offer(bytes: number[]): void }

function writer(name: string): Recorded {
  const gathered: number[] = []
  const events: string[] = []
  return {
    name,
    events,
    offer: bytes => void gathered.push(...bytes),
    takeBatch: () => (gathered.length === 0 ? null : Uint8Array.from(gathered.splice(0))),
    batchDurable: sequence => void events.push(`durable ${sequence}`),
    batchFailed: cause => void events.push(`failed ${(cause as StoreError).code}`)
  }
}

describe('the journal', () => {
  test('writes what all rooms have gathered as one batch, one record a room', async () => {
    const batches: string[][] = []
    const store = createMemoryStore()
    const counting = appendingBy(entries => {
      batches.push(entries.map(entry => `${entry.document}:${entry.record.join('')}`))
      return store.append(entries)
    })
    const journal = journalOf(counting)
    const [a, b] = [writer('a'), writer('b')]

    for (const each of [a, b, a]) {
      each.offer([1])
      journal.enqueue(each)
    }
    await journal.idle()

    expect(batches).toEqual([['a:11', 'b:1']])
    expect([a.events, b.events]).toEqual([['durable 1'], ['durable 1']])
  })

  test('gathers while a batch is being written', async () => {
    let release: () => void = () => {}
    const sizes: number[] = []
    const store = appendingBy(async entries => {
      sizes.push(entries[0]?.record.length ?? 0)
      await new Promise<void>(resolve => {
        release = resolve
      })
      return entries.map(() => sizes.length)
    })
    const journal = journalOf(store)
    const room = writer('a')
    const offer = () => {
      room.offer([1])
      journal.enqueue(room)
    }

    offer()
    while (sizes.length < 1) await new Promise(resolve => setImmediate(resolve))
    offer()
    offer()
    release()
    while (sizes.length < 2) await new Promise(resolve => setImmediate(resolve))
    release()
    await journal.idle()

    expect(sizes).toEqual([1, 2])
    expect(room.events).toEqual(['durable 1', 'durable 2'])
  })

  test('keeps a distance between batches while there is much to write', async () => {
    const startsMs: number[] = []
    const store = appendingBy(async entries => {
      startsMs.push(performance.now())
      return entries.map(() => startsMs.length)
    })
    const journal = journalOf(store, 30)
    const room = writer('a')

    for (let i = 0; i < 3; i++) {
      room.offer([1])
      journal.enqueue(room)
      await journal.idle()
    }

    const gapsMs = startsMs.slice(1).map((startMs, i) => startMs - (startsMs[i] as number))
    expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(28)
  })

  test('hands a failed write to each room it concerned, and remembers it until one succeeds', async () => {
    let isFull = true
    const memory = createMemoryStore()
    const store = appendingBy(entries =>
      isFull ? Promise.reject(new StoreError('STORE_FULL', 'full')) : memory.append(entries)
    )
    const journal = journalOf(store)
    const room = writer('a')
    const write = async () => {
      room.offer([1])
      journal.enqueue(room)
      await journal.idle()
    }

    await write()
    expect(journal.lastFailureMs).not.toBe(null)
    isFull = false
    await write()

    expect(room.events).toEqual(['failed STORE_FULL', 'durable 1'])
    expect(journal.lastFailureMs).toBe(null)
  })
})

describe('refusals', () => {
  test('are counted within ten minutes, and slow the next answer down up to a bound', () => {
    const clock = handClock()
    const refusals = new Refusals(clock, withLimits({ refusalDelayMs: 100, refusalDelayMsMax: 300 }))

    expect([refusals.add('a'), refusals.add('a'), refusals.add('b')]).toEqual([1, 2, 1])
    expect([1, 2, 3, 4, 5].map(count => refusals.delayMs(count))).toEqual([0, 100, 200, 300, 300])
    clock.nowIs += 600_001
    expect(refusals.add('a')).toBe(1)
  })

  test('are forgotten from the oldest on when there are too many', () => {
    const refusals = new Refusals(handClock(), withLimits({ refusalsMax: 2 }))

    for (const who of ['a', 'b', 'c']) refusals.add(who)

    expect(['c', 'a'].map(who => refusals.add(who))).toEqual([2, 1])
  })
})

test('the checkpoint cache drops the segments of the least recently used document', () => {
  const cache = new CheckpointCache(25)
  const documents = ['a', 'b', 'c'].map(name => {
    const document = new Document(name)
    const none = new ClockRuns()
    const meta = { layout: 'whole' as const, structs: none, deletes: none, bytes: 10, segmentEnds: [] }
    document.restore(createCheckpoint(1, meta, [new Uint8Array(10)]), none, none)
    return document
  })
  const [a, b, c] = documents as [Document, Document, Document]

  for (const document of [a, b, a, c]) cache.used(document)

  expect(documents.map(document => document.checkpoint?.segments === null)).toEqual([false, true, false])
})

test('a departed clientID is known for a minute, and only so many of them', () => {
  const clock = handClock()
  const departed = new Departed(clock, withLimits({ awarenessDepartedMax: 2, awarenessDepartedMs: 60_000 }))

  departed.add(1, 10)
  departed.add(2, 20)
  departed.add(3, 30)
  expect([departed.clock(1), departed.clock(2), departed.clock(3)]).toEqual([null, 20, 30])
  clock.nowIs = 60_001
  departed.add(4, 40)
  expect([departed.clock(2), departed.clock(3), departed.clock(4)]).toEqual([null, null, 40])
})

describe('an entry that changes nothing', () => {
  const shared: SharedState = {
    clientID: 1,
    owner: createPresence({} as Member),
    state: new Uint8Array(),
    received: 15,
    published: 18,
    publishedState: null,
    publishedAtMs: 1_000,
    changedAtMs: 0,
    isFirst: false,
    notBefore: 0
  }

  test('[AW2] confirms the clock its owner was sent, however long ago', () => {
    expect(isConfirmation(shared, 16, 2_000)).toBe(true)
  })

  test('[AW2] confirms any clock published if that was a moment ago: publishing again would leave the owner behind', () => {
    expect(isConfirmation(shared, 17, 1_000)).toBe(true)
    expect(isConfirmation(shared, 18, 1_000)).toBe(true)
  })

  test('[AW2] is a renewal above what was published, or when nobody has heard of the state for a while', () => {
    expect(isConfirmation(shared, 19, 1_000)).toBe(false)
    expect(isConfirmation(shared, 17, 1_001)).toBe(false)
  })
})
