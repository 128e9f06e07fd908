/** Whose messages are handled in a turn, on a clock that moves only while one is. */
import { expect, test } from 'vitest'
import { Turns, type TurnTaker } from '../../src/transport/turns.ts'

/** An event loop: `soon` runs at the end of a turn. */
function createLoop() {
  let nowMs = 0
  let soon: (() => void)[] = []
  const time = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after: () => () => {},
    soon: (run: () => void) => {
      soon.push(run)
      return () => {}
    }
  }
  return {
    time,
    pass: (ms: number) => {
      nowMs += ms
    },
    endTurn: () => {
      const due = soon
      soon = []
      for (const run of due) run()
      return soon.length
    }
  }
}

type Log = string[]

/** Handles its messages as a connection does: `costMs` each. */
class Sender implements TurnTaker {
  #waiting = 0
  #isInLine = false
  readonly #parts: { name: string; turns: Turns; costMs: number; pass: (ms: number) => void; log: Log }

  constructor(parts: { name: string; turns: Turns; costMs: number; pass: (ms: number) => void; log: Log }) {
    this.#parts = parts
  }

  sends(count: number): void {
    this.#waiting += count
    if (!this.#isInLine) this.#handle()
  }

  serve(): void {
    this.#isInLine = false
    this.#handle()
  }

  #handle(): void {
    const { name, turns, costMs, pass, log } = this.#parts
    while (this.#waiting > 0) {
      if (!turns.mayHandle(this)) {
        this.#isInLine = true
        return turns.wait(this)
      }
      this.#waiting--
      log.push(name)
      pass(costMs)
    }
  }
}

function arrange(rates: { shareMs: number; turnMs: number }) {
  const loop = createLoop()
  const turns = new Turns(loop.time, rates)
  const log: Log = []
  const sender = (name: string, costMs: number) => new Sender({ name, turns, costMs, pass: loop.pass, log })
  const turn = () => {
    const left = loop.endTurn()
    return { handled: log.splice(0).join(''), isOver: left === 0 }
  }
  return { sender, turn, log }
}

test('one connection gets its share of a turn, and the rest of its messages the turns after', () => {
  const { sender, turn, log } = arrange({ shareMs: 2, turnMs: 5 })

  sender('a', 1).sends(4)

  expect(log.splice(0).join('')).toBe('aa')
  expect(turn()).toEqual({ handled: 'aa', isOver: false })
  expect(turn()).toEqual({ handled: '', isOver: true })
})

test('whoever sends a message now and then is heard before those who pour them in', () => {
  const { sender, turn, log } = arrange({ shareMs: 2, turnMs: 5 })
  const calm = sender('c', 1)
  for (const name of ['a', 'b', 'd']) sender(name, 1).sends(10)
  expect(log.splice(0).join('')).toBe('aabbd')

  calm.sends(1)
  expect(log).toEqual([])
  expect(turn().handled).toBe('aabbd')
  calm.sends(1)
  expect(turn().handled).toMatch(/^c/)
})

test('those who wait take turns, and everything is handled once', () => {
  const { sender, turn, log } = arrange({ shareMs: 2, turnMs: 5 })
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) sender(name, 1).sends(7)
  let handled = log.splice(0).join('')
  const firstHeardInTurn = new Map<string, number>()

  for (let i = 1, isOver = false; !isOver; i++) {
    const result = turn()
    for (const name of result.handled) if (!firstHeardInTurn.has(name)) firstHeardInTurn.set(name, i)
    handled += result.handled
    isOver = result.isOver
  }

  expect([...handled].sort().join('')).toBe('aaaaaaabbbbbbbcccccccdddddddeeeeeeefffffff')
  expect(Math.max(...firstHeardInTurn.values())).toBeLessThanOrEqual(4)
})

test('a message that takes longer than a turn is handled, and the next one of it a turn later', () => {
  const { sender, turn, log } = arrange({ shareMs: 2, turnMs: 5 })
  sender('a', 100).sends(3)
  sender('b', 1).sends(1)
  expect(log.splice(0)).toEqual(['a'])

  expect(turn().handled).toBe('a')
  expect(turn().handled).toBe('ba')
  expect(turn()).toEqual({ handled: '', isOver: true })
})

test('where the clock stands still and nobody has a share, each turn handles a message of everybody', () => {
  const { sender, turn, log } = arrange({ shareMs: 0, turnMs: 5 })
  sender('a', 0).sends(2)
  sender('b', 0).sends(2)
  expect(log).toEqual([])

  expect(turn().handled).toBe('ab')
  expect(turn().handled).toBe('ab')
})

test('new ones that come in every turn do not keep the others waiting for ever', () => {
  const { sender, turn, log } = arrange({ shareMs: 1, turnMs: 4 })
  sender('a', 1).sends(20)
  log.splice(0)
  let heard = ''

  for (let i = 0; i < 20; i++) {
    for (let n = 0; n < 10; n++) sender('n', 1).sends(1)
    heard += turn().handled
  }

  expect([...heard].filter(name => name === 'a').length).toBeGreaterThan(1)
})
