/** How long is gathered before the server writes and sends, by how busy its event loop is. */
import { describe, expect, test } from 'vitest'
import { LoadWindow, readEventLoop } from '../../src/base/load-window.ts'

const limits = { coalesceMs: 10, commitSpacingMs: 8 }

function windowOf() {
  const state = { nowMs: 0, busy: 0, looks: 0 }
  const time = { nowMs: () => state.nowMs }
  const window = new LoadWindow({ limits, time }, () => {
    state.looks++
    return state.busy
  })
  /** Asks as often as a busy server does. */
  const pass = (ms: number, busy: number) => {
    state.busy = busy
    for (const end = state.nowMs + ms; state.nowMs < end; ) {
      state.nowMs += 5
      window.writingMs()
    }
  }
  return { window, state, pass }
}

describe('the window that follows the load', () => {
  test('a server with time writes at once', () => {
    const { window, pass } = windowOf()
    expect(window.writingMs()).toBe(0)
    pass(1_000, 0.2)
    expect(window.writingMs()).toBe(0)
  })

  test('a room gathers in proportion to the socket writes that it saves, never above its limit', () => {
    const { window } = windowOf()
    expect(window.sendingMs(2)).toBeLessThan(0.1)
    expect(window.sendingMs(100)).toBeCloseTo(4)
    expect(window.sendingMs(10_000)).toBe(limits.coalesceMs)
  })

  test('a full event loop widens both to their limits within a second, and they narrow again within one', () => {
    const { window, pass } = windowOf()
    pass(1_000, 0.9)
    expect(window.writingMs()).toBe(limits.commitSpacingMs)
    expect(window.sendingMs(2)).toBe(limits.coalesceMs)
    pass(1_000, 0.1)
    expect(window.writingMs()).toBe(0)
    expect(window.sendingMs(2)).toBeLessThan(0.1)
  })

  test('between the two the window grows with the load', () => {
    const { window, pass } = windowOf()
    const widths = [0.3, 0.4, 0.5, 0.6].map(busy => {
      pass(2_000, busy)
      return window.sendingMs(20)
    })
    expect(widths).toEqual([...widths].sort((a, b) => a - b))
    expect(widths[0]).toBeGreaterThan(0.8)
    expect(widths[3]).toBeCloseTo(limits.coalesceMs, 1)
  })

  test('a single short burst does not count as load', () => {
    const { window, pass } = windowOf()
    pass(1_000, 0.05)
    pass(50, 1)
    expect(window.writingMs()).toBeLessThan(2)
  })

  test('after a silence the first look counts for all of it, and the event loop is not looked at for each question', () => {
    const { window, state, pass } = windowOf()
    pass(1_000, 1)
    const { looks } = state
    state.nowMs += 5_000
    state.busy = 0
    expect(window.writingMs()).toBe(0)
    for (let i = 0; i < 100; i++) window.sendingMs(50)
    expect(state.looks).toBe(looks + 1)
  })

  test('of the event loop of this thread: a busy one is told from one that waits', async () => {
    const read = readEventLoop()
    const end = performance.now() + 60
    while (performance.now() < end);
    await new Promise(resolve => setImmediate(resolve))
    expect(read()).toBeGreaterThan(0.5)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(read()).toBeLessThan(0.5)
  })
})
