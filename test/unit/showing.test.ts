/** What a room sends when: its own at once, what other nodes wrote gathered while it is busy. */
import { describe, expect, test } from 'vitest'
import { type Showable, Showing } from '../../src/room/showing.ts'

const windowMs = 10

function update(id: number, bytes = 1) {
  return { update: new Uint8Array(bytes).fill(id), member: null }
}

/** Time that is moved by hand. */
function showingOf() {
  const state = { nowMs: 100, isWriting: false }
  const shown: Showable[] = []
  const timers = new Set<{ atMs: number; run: () => void }>()
  const showing = new Showing({
    time: {
      nowMs: () => state.nowMs,
      after: (delayMs, run) => {
        const timer = { atMs: state.nowMs + delayMs, run }
        timers.add(timer)
        return () => timers.delete(timer)
      }
    },
    windowMs: () => windowMs,
    isWriting: () => state.isWriting,
    show: showable => shown.push(showable)
  })
  const pass = (ms: number) => {
    state.nowMs += ms
    for (const timer of [...timers]) {
      if (timer.atMs <= state.nowMs && timers.delete(timer)) timer.run()
    }
  }
  const told = () =>
    shown.map(({ updates, sequence, whose }) => [updates.map(each => each.update[0]), sequence, whose])
  return { showing, state, pass, told, timers }
}

describe('what is shown when', () => {
  test('the first of another node is shown at once, those that follow together when the window is over', () => {
    const { showing, pass, told } = showingOf()
    showing.foreign([update(1)], 1)
    pass(1)
    showing.foreign([update(2)], 2)
    showing.foreign([update(3)], 3)
    expect(told()).toEqual([[[1], 1, 'foreign']])
    pass(windowMs)
    expect(told()).toEqual([
      [[1], 1, 'foreign'],
      [[2, 3], 3, 'foreign']
    ])
  })

  test('the room’s own are shown at once, and take along what waits, in the order of the log', () => {
    const { showing, pass, told, timers } = showingOf()
    showing.own([update(1)], 1)
    pass(1)
    showing.foreign([update(2)], 2)
    showing.own([update(3)], 3)
    expect(told()).toEqual([
      [[1], 1, 'own'],
      [[2, 3], 3, 'own']
    ])
    expect(timers.size).toBe(0)
  })

  test('what waits does so a little longer for what is being written, and no longer than that', () => {
    const { showing, state, pass, told } = showingOf()
    showing.own([update(1)], 1)
    showing.foreign([update(2)], 2)
    state.isWriting = true
    pass(windowMs)
    expect(told()).toHaveLength(1)
    pass(windowMs / 2)
    expect(told()).toHaveLength(2)
  })

  test('what waits is shown when somebody needs it, once', () => {
    const { showing, pass, told } = showingOf()
    showing.own([update(1)], 1)
    showing.foreign([update(2)], 2)
    showing.flush()
    showing.flush()
    pass(windowMs)
    expect(told()).toEqual([
      [[1], 1, 'own'],
      [[2], 2, 'foreign']
    ])
  })

  test('much is shown at once', () => {
    const { showing, told, timers } = showingOf()
    showing.own([update(1)], 1)
    showing.foreign([update(2)], 2)
    showing.foreign([update(3, 100_000)], 3)
    expect(told()[1]).toEqual([[2, 3], 3, 'foreign'])
    expect(timers.size).toBe(0)
  })

  test('a record with nothing to send still moves the number that is shown', () => {
    const { showing, pass, told } = showingOf()
    showing.foreign([], 7)
    pass(windowMs)
    expect(told()).toEqual([[[], 7, 'foreign']])
  })

  test('after the end nothing is shown', () => {
    const { showing, pass, told, timers } = showingOf()
    showing.own([update(1)], 1)
    showing.foreign([update(2)], 2)
    showing.close()
    pass(windowMs * 2)
    expect(told()).toHaveLength(1)
    expect(timers.size).toBe(0)
  })
})
