import { expect, test } from 'vitest'
import { Pacer } from '../../src/base/pacer.ts'
import type { Time } from '../../src/base/time.ts'

/** A time whose turns end when the test says so. */
function createTurns() {
  let nowMs = 0
  let later: (() => void)[] = []
  const time: Time = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after: () => () => {},
    soon: run => {
      later.push(run)
      return () => {}
    }
  }
  return {
    time,
    takes: (ms: number) => {
      nowMs += ms
    },
    endTurn: () => {
      const runs = later
      later = []
      for (const run of runs) run()
    }
  }
}

test('work within the budget of a turn runs at once, the rest in the next turns and in order', () => {
  const { time, takes, endTurn } = createTurns()
  const pacer = new Pacer(time, 5)
  const done: number[] = []

  for (let i = 0; i < 7; i++) {
    pacer.run(() => {
      done.push(i)
      takes(2)
    })
  }

  expect(done).toEqual([0, 1, 2])
  pacer.run(() => done.push(7))
  endTurn()
  expect(done).toEqual([0, 1, 2, 3, 4, 5])
  endTurn()
  expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  pacer.run(() => done.push(8))
  expect(done.at(-1)).toBe(8)
})

test('a clock that does not see the work does not make a turn endless', () => {
  const { time, endTurn } = createTurns()
  const pacer = new Pacer(time, 0)
  let count = 0

  for (let i = 0; i < 3; i++) pacer.run(() => count++)

  expect(count).toBe(1)
  endTurn()
  expect(count).toBe(2)
  endTurn()
  expect(count).toBe(3)
})
