/** A room's end of a log that other nodes write to: which life of a document it believes in. */
import { expect, test } from 'vitest'
import { createMemoryStore } from '../../persistence/index.ts'
import { type DocumentHead, type HeadQuery, singleWriter } from '../../persistence/store.ts'
import { Fault } from '../../src/base/errors.ts'
import { withLimits } from '../../src/base/limits.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { SharedLog } from '../../src/room/shared-log.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { quietLog } from '../support/server.ts'

/** The log of a document that is not stored yet, over a store that says what the test wants. */
function place() {
  const clock = new VirtualClock()
  const time = clock.scope()
  const shown: string[] = []
  const heads: { query: HeadQuery; answer: (head: DocumentHead) => void }[] = []
  const nodes = {
    node: 'a',
    follow: () => () => {},
    announce: () => {},
    announceChange: () => {},
    freshHead: (query: HeadQuery) => new Promise<DocumentHead>(answer => void heads.push({ query, answer })),
    sharePresence: () => ({ send() {}, stands() {}, renew() {}, close() {} })
  }
  const parts = {
    store: createMemoryStore(),
    nodes,
    time,
    limits: withLimits({}),
    metrics: createMetrics(),
    log: quietLog
  }
  const life = { incarnation: null as string | null, isPlanting: false, floor: 0 }
  const log = new SharedLog<string>({ name: 'x', life, start: null }, parts, {
    isAppending: () => false,
    showOwn: (own, sequence) => void shown.push(`${own} ${sequence}`),
    showForeign: (_, sequence) => {
      shown.push(`foreign ${sequence}`)
      return null
    },
    isOver: why => void shown.push(why),
    checkpointIs: () => {}
  })
  return { clock, time, store: parts.store, log, life, shown, heads }
}

const nothing: DocumentHead = { incarnation: null, generation: 0, head: 0, identity: null, floor: 0 }

test('a question that is answered after the end leaves no timer', async () => {
  const { clock, time, log, heads } = place()
  const caughtUp = expect(log.caughtUp()).rejects.toThrow('over')

  log.close(new Fault('ERR_GOING_DOWN', 'over'))
  heads[0]?.answer({ ...nothing, incarnation: 'new', head: 1 })
  await clock.runFor(0)

  expect(time.pending).toBe(0)
  await caughtUp
})

test('a late notice of a life that is over is not believed: the store says which life there is', async () => {
  const { clock, log, life, shown, heads } = place()
  const says = async (head: DocumentHead) => {
    await clock.runFor(100)
    for (const { answer } of heads.splice(0)) answer(head)
    await clock.runFor(100)
  }
  const notice = (incarnation: string) => ({
    incarnation,
    sequence: 1,
    identity: { node: 'b', batch: 1 },
    record: new Uint8Array(3)
  })

  log.heard(notice('dead'))
  await says(nothing)
  const late = { shown: [...shown], life: life.incarnation }
  log.heard(notice('new'))
  await says({ ...nothing, incarnation: 'new' })
  log.heard(notice('new'))
  await says({ ...nothing, incarnation: 'new' })

  expect(late).toEqual({ shown: [], life: null })
  expect(life.incarnation).toBe('new')
  expect(shown).toEqual(['foreign 1'])
})

test('an answer that was asked for before a life began here does not end it', async () => {
  const { log, life, shown, heads } = place()
  // Whatever is no record.
  const over = () => shown.filter(each => !/ \d+$/.test(each))
  const { known } = log
  const asked = log.caughtUp()

  // The first append of the room is answered before the question is.
  life.incarnation = 'begun'
  log.appended({ sequence: 1, identity: { node: 'a', batch: 1 }, record: new Uint8Array(3), own: 'first' })
  heads[0]?.answer(nothing)
  log.headIs(nothing, known)
  await asked
  expect(over()).toEqual([])

  log.headIs({ ...nothing, floor: 1 }, log.known)
  expect(over()).toEqual(['deleted'])
})

test('who joins is not answered by a store that went back and has come as far again', async () => {
  const { log, life, shown, heads } = place()
  life.incarnation = 'begun'
  const appended = { sequence: 1, identity: { node: 'a', batch: 1 }, record: new Uint8Array(3), own: 'first' }
  log.appended(appended)

  void log.caughtUp().catch(() => {})
  const identity = { node: 'b', batch: 1 }
  heads[0]?.answer({ ...nothing, incarnation: 'begun', head: 1, identity })
  await Promise.resolve()

  expect(heads[0]?.query).toEqual({ document: 'x', at: 1 })
  expect(shown).toEqual(['first 1', 'went-back'])
})

test('an answer about a life in which an append has taken part since says how far that has come', async () => {
  const { clock, store, log, life, shown, heads } = place()
  const caughtUp = log.caughtUp()

  // Another node has written to it as well, and the bus has lost that.
  const record = new Uint8Array(3)
  await store.append([{ document: 'x', record }])
  await store.append([{ document: 'x', record }])
  const [head = nothing] = await store.heads([{ document: 'x' }])
  life.incarnation = head.incarnation
  log.appended({ sequence: 1, identity: singleWriter, record, own: 'first' })
  heads[0]?.answer(head)
  await clock.runFor(100)

  expect(shown).toEqual(['first 1', 'foreign 2'])
  await caughtUp
})

test.each([
  ['no life', null],
  ['another life', 'later']
])(
  'with %s in the store, the document was deleted if the store knows the numbers that were given here',
  (_, incarnation) => {
    const ends = (floor: number | null) => {
      const { log, life, shown } = place()
      life.incarnation = 'begun'
      log.appended({
        sequence: 1,
        identity: { node: 'a', batch: 1 },
        record: new Uint8Array(3),
        own: 'first'
      })
      // Told of and not shown yet.
      log.heard({ incarnation: 'begun', sequence: 3, identity: { node: 'b', batch: 2 }, record: null })
      log.headIs({ ...nothing, incarnation, head: incarnation === null ? 0 : 9, floor }, log.known)
      return shown.at(-1)
    }

    expect([null, 0, 2, 3, 4].map(ends)).toEqual(['deleted', 'went-back', 'went-back', 'deleted', 'deleted'])
  }
)

test('an append to a life that is not there is one to a deleted document, or to one that the store has lost', () => {
  const ends = (floor: number | null) => {
    const { log, life, shown } = place()
    life.incarnation = 'begun'
    log.appended({ sequence: 1, identity: { node: 'a', batch: 1 }, record: new Uint8Array(3), own: 'first' })
    log.isOver(floor)
    return shown.at(-1)
  }

  expect([0, 1, null].map(ends)).toEqual(['went-back', 'deleted', 'deleted'])
})

test('a room of which nothing is stored is over when a life has come and gone that it never heard of', async () => {
  const { clock, log, shown, heads } = place()
  const asking = log.caughtUp()
  await clock.runFor(1)

  heads.shift()?.answer({ ...nothing, floor: 6 })
  await clock.runFor(1)

  expect(shown).toEqual(['behind'])
  log.close(new Fault('ERR_ROOM_RESTARTS'))
  await asking.catch(() => {})
})

test('a room of which nothing is stored is over when the life that it hears of is not the next one', async () => {
  const { clock, log, shown, heads } = place()
  const asking = log.caughtUp()
  await clock.runFor(1)

  heads.shift()?.answer({ ...nothing, incarnation: '4', head: 7, floor: 6 })
  await clock.runFor(1)

  expect(shown).toEqual(['behind'])
  log.close(new Fault('ERR_ROOM_RESTARTS'))
  await asking.catch(() => {})
})
