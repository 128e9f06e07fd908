import { expect, test } from 'vitest'
import { Slices, type Work } from '../../src/base/slices.ts'
import type { Time } from '../../src/base/time.ts'

/** A time whose turns end when the test says so, and in which each look at the clock takes a millisecond. */
function createTurns() {
  let nowMs = 0
  let later: (() => void)[] = []
  const time: Time = {
    nowMs: () => nowMs++,
    wallMs: () => 0,
    after: () => () => {},
    soon: run => {
      later.push(run)
      return () => {}
    }
  }
  const endTurn = () => {
    const runs = later
    later = []
    for (const run of runs) run()
    return runs.length > 0
  }
  return { time, endTurn }
}

/** The same where only work takes time. */
function createWorkTime() {
  const { time, endTurn } = createTurns()
  let nowMs = 0
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { time: { ...time, nowMs: () => nowMs }, endTurn, pass }
}

function sliced(slicedAtOnceMax: number) {
  const { time, endTurn } = createTurns()
  const slices = new Slices(time, { sliceMs: 4, slicedAtOnceMax })
  const begun: string[] = []
  function* work(name: string): Work<void> {
    begun.push(name)
    for (let i = 0; i < 20; i++) yield
  }
  const run = (name: string, sender: string | null) =>
    slices.run(work(name), sender === null ? null : { spent: () => {}, sender })
  return { begun, run, endTurn, slices }
}

test('no more pieces of work of senders are under way at once than allowed, and who has none goes first', async () => {
  const { begun, run, endTurn } = sliced(2)

  const done = [run('a1', 'a'), run('a2', 'a'), run('a3', 'a'), run('b1', 'b'), run('c1', 'c')]
  for (let turn = 0; turn < 4; turn++) endTurn()
  expect(begun).toEqual(['a1', 'a2'])
  while (endTurn()) {}
  await Promise.all(done)

  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'c1'])
})

test('what the server needs itself waits for nobody', async () => {
  const { begun, run, endTurn } = sliced(1)

  const done = [run('a1', 'a'), run('a2', 'a'), run('own', null)]
  for (let turn = 0; turn < 3; turn++) endTurn()

  expect(begun).toEqual(['a1', 'own'])
  while (endTurn()) {}
  await Promise.all(done)
})

test('what waits is rejected when the server stops', async () => {
  const { run, slices } = sliced(1)

  const done = [run('a1', 'a'), run('a2', 'a')].map(each => each.catch((error: unknown) => error))
  slices.close()

  const goingDown = expect.objectContaining({ code: 'ERR_GOING_DOWN' })
  expect(await Promise.all(done)).toEqual([goingDown, goingDown])
})

test('thousands of small pieces share turns, and a long one beside them goes on', async () => {
  const { time, endTurn, pass } = createWorkTime()
  const slices = new Slices(time, { sliceMs: 4, slicedAtOnceMax: 4 })
  function* work(steps: number, stepMs: number): Work<number> {
    for (let i = 0; i < steps; i++) {
      pass(stepMs)
      yield
    }
    return turns
  }
  let turns = 0

  const small = Array.from({ length: 2_000 }, () => slices.run(work(1, 0.01), null))
  const long = slices.run(work(100, 1), null)
  for (; endTurn(); turns++) {}

  // 25 turns of its own, and what the small ones took together.
  expect(await long).toBeLessThan(60)
  expect(Math.max(...(await Promise.all(small)))).toBeLessThan(15)
})

test('no turn is longer than a slice and a step, however many pieces there are', async () => {
  const { time, endTurn, pass } = createWorkTime()
  const slices = new Slices(time, { sliceMs: 4, slicedAtOnceMax: 4 })
  function* work(): Work<void> {
    for (let i = 0; i < 10; i++) {
      pass(0.9)
      yield
    }
  }

  const done = Array.from({ length: 20 }, () => slices.run(work(), null))
  const lengths: number[] = []
  for (let isGoing = true; isGoing; ) {
    const startMs = time.nowMs()
    isGoing = endTurn()
    lengths.push(time.nowMs() - startMs)
  }
  await Promise.all(done)

  expect(Math.max(...lengths)).toBeLessThan(4.9 + 0.01)
})
