/** What marks cost: nothing where nobody is to be told, and no write of their own where somebody is. */
import { expect, test } from 'vitest'
import { openOrderedStore } from '../../persistence/ordered-store.ts'
import { createSimulatedDisk } from '../../persistence/simulated.ts'
import type { Store } from '../../persistence/store.ts'

/** Batches of the database, and what was written with them. */
async function counted(work: (store: Store) => Promise<void>) {
  let batches = 0
  const disk = createSimulatedDisk({
    onWrite: () => {
      batches++
      return 'written'
    }
  })
  const store = await openOrderedStore(disk.startProcess(), { schedule: () => () => {} })
  const before = batches
  await work(store)
  const made = batches - before
  const marks = await store.marks?.list()
  await store.close()
  return { batches: made, marks: marks?.length }
}

const documents = ['a', 'b', 'c']

function appends(leavesMark: boolean) {
  return async (store: Store) => {
    for (let round = 0; round < 40; round++) {
      const record = new Uint8Array(20).fill(round)
      await store.append(
        documents.map(document => (leavesMark ? { document, record, leavesMark } : { document, record }))
      )
    }
    await store.delete('c', leavesMark ? { leavesMark } : {})
  }
}

test('as many batches are written with marks as without, and without nothing is left', async () => {
  const [without, withMarks] = [await counted(appends(false)), await counted(appends(true))]

  expect(withMarks.batches).toBe(without.batches)
  expect([without.marks, withMarks.marks]).toEqual([0, 3])
})

test('many marks are told of in one write', async () => {
  const { batches, marks } = await counted(async store => {
    const many = Array.from({ length: 200 }, (_, index) => `d${index}`)
    await store.append(many.map(document => ({ document, record: new Uint8Array(9), leavesMark: true })))
    const present = (await store.marks?.list()) ?? []
    await store.marks?.write(
      present.map(mark => ({ present: mark, next: null, told: { incarnation: mark.incarnation, after: 1 } }))
    )
  })

  expect({ batches, marks }).toEqual({ batches: 2, marks: 0 })
})
