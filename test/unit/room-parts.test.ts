/** The small parts of a room on their own: journal, refusals, checkpoint cache, departed clocks. */
import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/memory.ts'
import { type AppendAnswer, type Store, StoreError, singleWriter } from '../../persistence/store.ts'
import { withLimits } from '../../src/base/limits.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { systemTime, type Time } from '../../src/base/time.ts'
import { createCheckpoint } from '../../src/document/checkpoint.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { Document } from '../../src/document/document.ts'
import { CheckpointCache } from '../../src/room/checkpoint-cache.ts'
import { Departed } from '../../src/room/departed.ts'
import { type BatchWriter, Journal } from '../../src/room/journal.ts'
import type { Member } from '../../src/room/member.ts'
import { createPresence, isConfirmation, restsUntilMs, type SharedState } from '../../src/room/presence.ts'
import { Refusals } from '../../src/room/refusals.ts'

/** A clock that stands still until it is moved. */
function handClock(): Time & { nowIs: number } {
  const clock = { ...systemTime, nowIs: 0, nowMs: () => clock.nowIs }
  return clock
}

/** A store of which only `append` is called. */
function appendingBy(append: Store['append'], lanes = 1): Store {
  return { ...createMemoryStore(), append, lanes } as Store
}

function journalOf(store: Store, spacingMs = 0): Journal {
  return new Journal(store, {
    time: systemTime,
    metrics: createMetrics(),
    window: { writingMs: () => spacingMs }
  })
}

function written(sequence: number): AppendAnswer {
  return { outcome: 'written', incarnation: '1', sequence, identity: singleWriter }
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
    takenIfHead: null,
    life: { incarnation: null, isPlanting: false, floor: null },
    batchDurable: sequence => void events.push(`durable ${sequence}`),
    batchRefused: answer => void events.push(answer.outcome),
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
      return entries.map(() => written(sizes.length))
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
      return entries.map(() => written(startsMs.length))
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

describe('the journal over a store with lanes', () => {
  test('writes as many batches at once as there are lanes, and a document is in one of them', async () => {
    const releases: (() => void)[] = []
    const batches: string[][] = []
    const store = appendingBy(async entries => {
      batches.push(entries.map(({ document, record }) => `${document}:${record.join('')}`))
      const number = batches.length
      await new Promise<void>(resolve => releases.push(resolve))
      return entries.map(() => written(number))
    }, 2)
    const journal = journalOf(store)
    const [a, b, c] = [writer('a'), writer('b'), writer('c')]
    const offer = async (each: Recorded, byte: number) => {
      each.offer([byte])
      journal.enqueue(each)
      await turns()
    }

    await offer(a, 1)
    await offer(a, 2)
    await offer(b, 3)
    await offer(c, 4)
    expect(batches).toEqual([['a:1'], ['b:3']])
    const isWritten = journal.written('b').then(() => b.events.length)
    releases[1]?.()
    await turns()
    expect(batches).toEqual([['a:1'], ['b:3'], ['c:4']])
    releases[0]?.()
    await turns()
    expect(batches).toEqual([['a:1'], ['b:3'], ['c:4'], ['a:2']])
    for (const release of releases) release()
    await journal.idle()

    expect([a, b, c].map(({ events }) => events)).toEqual([
      ['durable 1', 'durable 4'],
      ['durable 2'],
      ['durable 3']
    ])
    expect(await isWritten).toBe(1)
  })

  test('says which life it writes to, and hands each room the answer to its own entry', async () => {
    const entries: unknown[] = []
    const store = appendingBy(async asked => {
      entries.push(...asked)
      const cause = new StoreError('STORE_ARGUMENT', 'too large')
      return [
        written(7),
        { outcome: 'gone', floor: 2 },
        { outcome: 'conflict', head: 3 },
        { outcome: 'failed', cause }
      ]
    })
    const journal = journalOf(store)
    const planting = { ...writer('c'), life: { incarnation: null, isPlanting: true, floor: null } }
    const rooms = [
      { ...writer('a'), life: { incarnation: '5', isPlanting: false, floor: null } },
      writer('b'),
      planting,
      writer('d')
    ]
    for (const room of rooms) {
      room.offer([1])
      journal.enqueue(room)
    }
    await journal.idle()

    const record = Uint8Array.of(1)
    expect(entries).toEqual([
      { document: 'a', record, incarnation: '5' },
      { document: 'b', record, incarnation: null },
      { document: 'c', record, ifHead: 0 },
      { document: 'd', record, incarnation: null }
    ])
    expect(rooms.map(({ events }) => events)).toEqual([
      ['durable 7'],
      ['gone'],
      ['conflict'],
      ['failed STORE_ARGUMENT']
    ])
    expect(journal.lastFailureMs).toBe(null)
  })
})

/** Lets everything that is due now happen. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve))
}

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
    document.restore(createCheckpoint(1, meta, [new Uint8Array(10)]), meta)
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
    isRelayed: false,
    ownedAtMs: 0,
    claimedAtMs: 0,
    state: new Uint8Array(),
    firstReceived: 15,
    received: 15,
    published: 18,
    publishedState: null,
    publishedAtMs: 1_000,
    changedAtMs: 0,
    stage: 'settled',
    notBefore: 0
  }

  test('[AW2] confirms the clock its owner was sent, however long ago', () => {
    expect(isConfirmation(shared, 16, 2_000)).toBe(true)
  })

  test('[AW2] confirms any clock published if that was a moment ago: publishing again would leave the owner behind', () => {
    expect(isConfirmation(shared, 17, 1_000)).toBe(true)
    expect(isConfirmation(shared, 18, 1_000)).toBe(true)
  })

  test('[AW4] whose owner may not have heard of what was published rests before it gets one more clock', () => {
    const quiet = { ...shared, changedAtMs: 0, publishedAtMs: 1_000 }

    expect(restsUntilMs({ ...quiet, received: 17 }, 600)).toBe(1_600)
    expect(restsUntilMs({ ...quiet, received: 18 }, 600)).toBe(600)
  })

  test('[AW2] is a renewal above what was published, or when nobody has heard of the state for a while', () => {
    expect(isConfirmation(shared, 19, 1_000)).toBe(false)
    expect(isConfirmation(shared, 17, 1_001)).toBe(false)
  })
})
