/** The log of one document as a node learns of it: whichever way records come, once each and in order. */
import { expect, test } from 'vitest'
import { LogOrder, type Position } from '../../src/room/log-order.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'

const heldBytesMax = 100
const at = (sequence: number, node = 'b', batch = sequence): Position => ({
  sequence,
  identity: { node, batch }
})
const bytes = (...values: number[]) => Uint8Array.from(values)

/** The numbers that come out now, own ones as their names. */
function drain(order: LogOrder<string>): (number | string)[] {
  const given: (number | string)[] = []
  for (let next = order.next(); next !== null; next = order.next()) {
    given.push(next.type === 'own' ? next.own : next.position.sequence)
  }
  return given
}

test('an own record waits for the records of other nodes before it', () => {
  const order = new LogOrder<string>(at(4), { heldBytesMax })

  order.appended(at(7, 'a', 1), 'mine')
  const early = drain(order)
  const missing = order.missing
  order.learned(at(6), bytes(6))
  const still = order.missing
  order.learned(at(5), bytes(5))

  expect(early).toEqual([])
  expect(missing).toEqual({ first: 5, last: 6 })
  expect(still).toEqual({ first: 5, last: 5 })
  expect(drain(order)).toEqual([5, 6, 'mine'])
  expect(order.visible).toBe(7)
  expect(order.missing).toBeNull()
})

test('a record that comes twice is given out once', () => {
  const order = new LogOrder<string>(null, { heldBytesMax })

  const first = order.learned(at(1), bytes(1))
  const again = order.learned(at(1), bytes(1))
  const given = drain(order)
  const late = order.learned(at(1), bytes(1))

  expect([first, again, late]).toEqual(['taken', 'repeated', 'repeated'])
  expect(given).toEqual([1])
  expect(drain(order)).toEqual([])
})

test('an own record that was read before its append was answered is not given out again', () => {
  const order = new LogOrder<string>(null, { heldBytesMax })
  order.learned(at(1, 'a', 9), bytes(1))
  const given = drain(order)

  expect(order.appended(at(1, 'a', 9), 'mine')).toBe('repeated')
  expect(given).toEqual([1])
  expect(drain(order)).toEqual([])
})

test('an own record that was read and still waits is given out as the own one', () => {
  const order = new LogOrder<string>(null, { heldBytesMax })
  order.learned(at(2, 'a', 9), bytes(2))

  expect(order.appended(at(2, 'a', 9), 'mine')).toBe('taken')
  order.learned(at(1), bytes(1))

  expect(drain(order)).toEqual([1, 'mine'])
})

test('a store that went back is noticed: another record under a number that is known', () => {
  const order = new LogOrder<string>(at(3, 'c', 1), { heldBytesMax })
  order.learned(at(4), bytes(4))
  order.learned(at(6), bytes(6))
  drain(order)

  expect(order.learned(at(3, 'c', 2), bytes(3))).toBe('contradicted')
  expect(order.learned(at(4, 'c'), bytes(4))).toBe('contradicted')
  expect(order.learned(at(6, 'c'), bytes(6))).toBe('contradicted')
  expect(order.appended(at(6, 'a', 1), 'mine')).toBe('contradicted')
  expect(order.appended(at(4, 'a', 1), 'mine')).toBe('contradicted')
  expect(order.agrees(at(4, 'c'))).toBe(false)
  expect(order.agrees(at(4))).toBe(true)
})

test('an own record under a number that was given out so long ago that it is forgotten: the store went back', () => {
  const order = new LogOrder<string>({ sequence: 3, identity: null }, { heldBytesMax })
  for (let sequence = 4; sequence <= 300; sequence++) {
    order.learned(at(sequence), bytes(sequence))
    drain(order)
  }

  expect(order.appended(at(4, 'a', 1), 'mine')).toBe('contradicted')
  expect(order.appended(at(3, 'a', 2), 'mine')).toBe('contradicted')
  expect(order.learned(at(4), bytes(4)), 'another node may tell late').toBe('repeated')
})

test('what lay under the last number of a load is known from when the store has said it', () => {
  const order = new LogOrder<string>({ sequence: 3, identity: null }, { heldBytesMax })

  order.identified(at(3, 'c', 1))
  order.identified(at(4, 'c', 2))

  expect(order.agrees(at(3, 'c', 1))).toBe(true)
  expect(order.agrees(at(3, 'c', 9))).toBe(false)
  expect(order.agrees(at(4, 'c', 9)), 'it is not here yet').toBe(true)
})

test('what waits is bounded, and what was dropped counts as missing; the one all wait for is always taken', () => {
  const order = new LogOrder<string>(null, { heldBytesMax })
  const large = new Uint8Array(60)

  const answers = [3, 2, 4].map(sequence => order.learned(at(sequence), large))
  const missing = order.missing
  order.reaches(4)
  answers.push(order.learned(at(1), new Uint8Array(1_000)))
  const given = drain(order)

  expect(answers).toEqual(['taken', 'dropped', 'dropped', 'taken'])
  expect(missing).toEqual({ first: 1, last: 2 })
  expect(given).toEqual([1])
  expect(order.missing).toEqual({ first: 2, last: 2 })
  expect(order.end).toBe(4)
})

test('of a life that does not begin with 1 nothing is given out before it is known where it begins', () => {
  const order = new LogOrder<string>(null, { heldBytesMax })

  order.appended(at(8, 'a', 1), 'mine')
  const early = drain(order)
  const missing = order.missing
  order.begin(7)
  order.learned(at(7), bytes(7))

  expect(early).toEqual([])
  expect(missing).toEqual({ first: 1, last: 7 })
  expect(drain(order)).toEqual([7, 'mine'])
})

test('[seeded] lost, doubled, reordered and read records come out as the log has them', () => {
  for (let run = 0; run < 400; run++) expect(history(seed + run), `SEED=${seed + run}`).toBeNull()
})

/** One life of a log that three nodes write to, as the node `a` sees it. What is wrong with it, or null. */
function history(start: number): string | null {
  const random = randomOf(start)
  const chance = (likelihood: number) => random() < likelihood
  const log: { position: Position; record: Uint8Array }[] = []
  const underWay: (() => void)[] = []
  const order = new LogOrder<string>(null, { heldBytesMax })
  const given: string[] = []
  let wrong: string | null = null

  const show = () => {
    for (let next = order.next(); next !== null; next = order.next()) {
      const entry = log[given.length]
      if (entry === undefined || next.position.sequence !== given.length + 1) wrong = 'out of order'
      const name = `${entry?.position.identity.node}${entry?.position.sequence}`
      if (next.type === 'own' && next.own !== name) wrong = `${next.own} in the place of ${name}`
      if (next.type === 'foreign' && next.record !== entry?.record) wrong = 'other bytes'
      given.push(name)
    }
  }
  const read = (readMax: number) => {
    const records = log.slice(order.visible, order.visible + readMax)
    for (const { position, record } of records) {
      if (order.learned(position, record) === 'contradicted') wrong = 'contradicted'
    }
    show()
  }
  const append = (sequence: number) => {
    const node = 'abc'[Math.floor(random() * 3)] as string
    const entry = { position: at(sequence, node), record: new Uint8Array(1 + Math.floor(random() * 40)) }
    log.push(entry)
    const arrive = () => {
      const answer =
        node === 'a'
          ? order.appended(entry.position, `a${sequence}`)
          : order.learned(entry.position, entry.record)
      if (answer === 'contradicted') wrong = 'contradicted'
      show()
    }
    // The answer to an own append comes once; a message of the bus may be lost or come again.
    if (node === 'a' || chance(0.8)) underWay.push(arrive)
    if (node !== 'a' && chance(0.2)) underWay.push(arrive)
  }

  for (let sequence = 1; sequence <= 60; sequence++) {
    append(sequence)
    while (underWay.length > 0 && chance(0.5)) {
      underWay.splice(Math.floor(random() * Math.min(6, underWay.length)), 1)[0]?.()
    }
    if (chance(0.1)) read(1 + Math.floor(random() * 10))
  }
  for (const arrive of underWay) arrive()
  order.reaches(60)
  // Each read brings the next one at least, whatever else is dropped.
  for (let reads = 0; reads < 60 && order.missing !== null; reads++) read(60)
  if (given.length !== 60) return `${given.length} of 60 came out`
  if (order.missing !== null) return 'something is missing at the end'
  return wrong
}
