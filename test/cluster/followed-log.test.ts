/** A room's view of a log that several nodes write to, over a bus that loses and a store that fails, in virtual time. */
import { expect, test } from 'vitest'
import type { RecordsAfter } from '../../persistence/store.ts'
import { createLog } from '../../src/base/log.ts'
import { FollowedLog, type LogHost } from '../../src/room/followed-log.ts'
import type { Position } from '../../src/room/log-order.ts'
import { VirtualClock } from '../simulation/virtual-time.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

const limits = { foreignBytesMax: 200, gapWaitMs: 20, gapRetryMs: 250 }
const log = createLog('silent', process.stderr)

type Entry = { readonly position: Position; readonly record: Uint8Array }

/** A store that this node reads, and the room that shows what is read. */
function place({ chance = () => false }: { chance?: (likelihood: number) => boolean } = {}) {
  const clock = new VirtualClock()
  const time = clock.scope()
  const entries: Entry[] = []
  const shown: string[] = []
  const over: string[] = []
  const state = {
    reads: 0,
    underWay: 0,
    isGone: false,
    floor: 0,
    throws: null as 'own' | 'foreign' | 'later' | null
  }
  const source = {
    async after(sequence: number): Promise<RecordsAfter> {
      state.reads++
      await time.delay(chance(0.1) ? 400 : 3)
      if (chance(0.2)) throw new Error('the store does not answer')
      if (state.isGone) return { outcome: 'gone', floor: state.floor }
      const records = entries
        .slice(sequence, sequence + 5)
        .map(({ position, record }) => ({ ...position, record }))
      return { outcome: 'records', records, head: entries.length }
    }
  }
  const host: LogHost<string> = {
    isAppending: () => state.underWay > 0,
    showOwn: (own, sequence) => {
      if (state.throws === 'own') throw new Error('cannot be shown')
      shown.push(`${own}@${sequence}`)
    },
    showForeign: (record, sequence) => {
      if (state.throws === 'foreign') throw new Error('cannot be shown')
      if (state.throws === 'later')
        return time.delay(5).then(() => Promise.reject(new Error('cannot be shown')))
      shown.push(`${record[0]}@${sequence}`)
      return chance(0.2) ? time.delay(5) : null
    },
    isOver: why => void over.push(why)
  }
  const followed = new FollowedLog<string>(null, { node: 'a', source, host, time, limits, log })
  /** What the store says now. */
  const look = () => followed.headIs({ head: entries.length, visible: followed.visible, identity: null })
  const add = (node: string): Entry => {
    const sequence = entries.length + 1
    const entry = {
      position: { sequence, identity: { node, batch: sequence } },
      record: Uint8Array.of(sequence, 0, 0, 0, 0, 0, 0, 0)
    }
    entries.push(entry)
    return entry
  }
  return { clock, time, entries, shown, over, state, followed, look, add }
}

test('a record that the bus brings is shown at once and nothing is read', async () => {
  const { clock, followed, shown, state, add } = place()
  const { position, record } = add('b')

  followed.heard(position, record)
  const atOnce = [...shown]
  await clock.runFor(1_000)

  expect(atOnce).toEqual(['1@1'])
  expect(state.reads).toBe(0)
})

test('what the bus has lost is read from the store, and what came after it is shown behind it', async () => {
  const { clock, followed, shown, state, add } = place()
  add('b')
  const later = add('b')

  followed.heard(later.position, later.record)
  await clock.runFor(19)
  const early = [...shown]
  await clock.runFor(10)

  expect(early).toEqual([])
  expect(shown).toEqual(['1@1', '2@2'])
  expect(state.reads).toBe(1)
})

test('a last record that the bus has lost is found by the head of the store', async () => {
  const { clock, shown, look, add } = place()
  add('b')

  look()
  await clock.runFor(5)

  expect(shown).toEqual(['1@1'])
})

test('a record too large for the bus is announced and read', async () => {
  const { clock, followed, shown, add } = place()
  const { position } = add('b')

  followed.heard(position, null)
  await clock.runFor(30)

  expect(shown).toEqual(['1@1'])
})

test('an own record that is read while its append is not answered is shown as the own one', async () => {
  const { clock, followed, shown, state, look, add } = place()
  const own = add('a')
  add('b')

  state.underWay = 1
  look()
  await clock.runFor(50)
  const early = [...shown]
  state.underWay = 0
  followed.appended(own.position, 'mine')
  await clock.runFor(500)

  expect(early).toEqual([])
  expect(shown).toEqual(['mine@1', '2@2'])
})

test.each(['own', 'foreign', 'later'] as const)(
  'a record that cannot be shown (%s) ends it, and does not count as shown',
  async throws => {
    const { clock, followed, shown, over, state, add } = place()
    const first = add(throws === 'own' ? 'a' : 'b')
    const waiting = expect(followed.reached(1)).rejects.toThrow('over')
    state.throws = throws

    if (throws === 'own') followed.appended(first.position, 'mine')
    else followed.heard(first.position, first.record)
    await clock.runFor(10)

    expect(over).toEqual(['broken'])
    expect(shown).toEqual([])
    followed.close(new Error('over'))
    await waiting
  }
)

test('a record of this node that no append waits for is shown, however busy the room is', async () => {
  const { clock, followed, shown, state, look, add } = place()
  // By an append that was given up before this log was opened, and was carried out late.
  add('a')
  const own = add('a')
  state.underWay = 1
  look()
  await clock.runFor(50)
  const early = [...shown]

  // The next batch is on its way at once.
  followed.appended(own.position, 'mine')
  await clock.runFor(limits.gapRetryMs + 10)

  expect(early).toEqual([])
  expect(shown).toEqual(['1@1', 'mine@2'])
})

test('who waits for a number is told when everything up to it is shown', async () => {
  const { clock, followed, shown, look, add } = place()
  const told: string[] = []
  add('b')
  add('b')

  void followed.reached(2).then(() => told.push(shown.join()))
  look()
  await clock.runFor(10)

  expect(told).toEqual(['1@1,2@2'])
})

test('whoever waits is told when it is closed, and nothing is shown any more', async () => {
  const { clock, followed, shown, add } = place()
  const { position, record } = add('b')
  const waiting = expect(followed.reached(1)).rejects.toThrow('over')

  followed.close(new Error('over'))
  followed.heard(position, record)
  await clock.runFor(500)

  await waiting
  expect(shown).toEqual([])
})

test('a document that was deleted, and a store that went back, end it', async () => {
  const deleted = place()
  Object.assign(deleted.state, { isGone: true, floor: 1 })
  deleted.followed.heard(deleted.add('b').position, null)
  await deleted.clock.runFor(30)

  const back = place()
  const first = back.add('b')
  back.followed.heard(first.position, first.record)
  back.followed.headIs({ head: 0, visible: 1, identity: null })
  const other = place()
  const known = other.add('b')
  other.followed.heard(known.position, known.record)
  other.followed.headIs({ head: 1, visible: 1, identity: { node: 'b', batch: 99 } })

  const before = place()
  before.state.isGone = true
  before.followed.heard(before.add('b').position, null)
  await before.clock.runFor(30)

  expect(deleted.over).toEqual(['deleted'])
  expect(before.over, 'the store has never given out this number').toEqual(['went-back'])
  expect(back.over).toEqual(['went-back'])
  expect(other.over).toEqual(['went-back'])
})

test('[seeded] with a bus that loses, doubles and reorders and a store that fails, all is shown once and in order', async () => {
  for (let run = 0; run < 40; run++) {
    expect(await history(seed + run), `SEED=${seed + run}`).toEqual([])
  }
})

/** What is wrong with one life of a log that three nodes write to. */
async function history(start: number): Promise<string[]> {
  const random = randomOf(start)
  const chance = (likelihood: number) => random() < likelihood
  const { clock, time, entries, shown, over, state, followed, look, add } = place({ chance })
  const wrong: string[] = []
  for (let i = 0; i < 80; i++) {
    const node = 'abc'[Math.floor(random() * 3)] as string
    if (node !== 'a') {
      const { position, record } = add(node)
      const times = chance(0.2) ? 0 : chance(0.2) ? 2 : 1
      for (let copy = 0; copy < times; copy++) {
        time.after(random() * 40, () => followed.heard(position, chance(0.1) ? null : record))
      }
    } else if (state.underWay === 0) {
      // One batch of a document is under way at a time, and its record is there before its answer.
      state.underWay = 1
      time.after(random() * 5, () => {
        const { position } = add('a')
        time.after(random() * 60, () => {
          state.underWay = 0
          followed.appended(position, 'own')
        })
      })
    }
    if (chance(0.1)) look()
    await clock.runFor(random() * 15)
  }
  await clock.runFor(200)
  let isThere = false
  look()
  void followed.reached(entries.length).then(() => {
    isThere = true
  })
  await clock.runFor(20_000)
  if (!isThere) wrong.push(`stopped at ${followed.visible} of ${entries.length}`)
  if (over.length > 0) wrong.push(`ended: ${over}`)
  const expected = entries.map(({ position: { identity, sequence } }) =>
    identity.node === 'a' ? `own@${sequence}` : `${sequence}@${sequence}`
  )
  if (shown.join() !== expected.join()) wrong.push(`shown ${shown}`)
  return wrong
}
