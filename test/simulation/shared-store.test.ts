/** The shared store of the simulation is one: it keeps the contract that every store must keep, also over a bad link. */
import { describe, expect, test } from 'vitest'
import { selectCases } from '../../persistence/conformance.ts'
import { systemTime, type Time } from '../../src/base/time.ts'
import { seed } from '../support/seed.ts'
import { Chance } from './chance.ts'
import { DatabaseLink, type LinkPlan } from './database-link.ts'
import { SharedDatabase } from './shared-database.ts'
import { SharedStore } from './shared-store.ts'

const fast = { delayMs: 0, slowness: 0, slowMs: 0, statementMs: 60_000, patienceMs: 60_000 }

/** Ten times as fast as it is, as most of the time is spent on waiting for what was lost. */
const time: Time = {
  ...systemTime,
  after: (ms, run) => (ms < 1 ? systemTime.soon(run) : systemTime.after(ms / 10, run))
}

/** A place for a case: stores on one database. */
function placeWith(plan: LinkPlan) {
  const chance = new Chance(seed)
  const database = new SharedDatabase({ nowMs: systemTime.nowMs, graceMs: 600_000 })
  const weather = { plan, isFaulty: () => true, isAway: () => false, meets: () => true }
  let opened = 0
  const open = async () => {
    const node = `node ${++opened}`
    const link = new DatabaseLink({ time, databaseTime: time, chance, weather })
    return new SharedStore({ database, link, node, lanes: 3 })
  }
  return { open, database }
}

describe('store conformance: the shared store of the simulation', () => {
  test.each(selectCases(['persistence', 'writers', 'history']))('$name', ({ run }) =>
    run(placeWith({ ...fast, loss: 0 }))
  )
})

describe(`the same while one statement in ten is lost, and one answer in ten (seed ${seed})`, () => {
  const bad = { ...fast, loss: 0.1, statementMs: 300 }
  // After a lost answer nobody knows whether a life that is over was ended by this call.
  const isExact = ({ name }: { name: string }) => name.startsWith('a deletion of one life')
  const cases = selectCases(['persistence', 'writers', 'history']).filter(each => !isExact(each))
  test.each(cases)('$name', ({ run }) => run(placeWith(bad)))
})

test('a batch of a store whose database went back is refused, and the next one is written', async () => {
  const { open, database } = placeWith({ ...fast, loss: 0 })
  const store = await open()
  const entry = { document: 'a', record: Uint8Array.of(1) }
  await store.append([entry])
  const before = database.stateNow()
  await store.append([entry])

  database.goBack(before)

  await expect(store.append([entry])).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(await store.append([entry])).toMatchObject([{ outcome: 'written', sequence: 2 }])
})
