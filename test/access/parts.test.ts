/** The small parts on their own: budgets, packed frames, addresses. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budget } from '../../src/base/budget.ts'
import { clientAddress, proxyList } from '../../src/transport/addresses.ts'
import { WaitingFrames } from '../../src/transport/waiting-frames.ts'

const rates = { messagesPerSecond: 10, messagesMax: 5, bytesPerSecond: 1000, bytesMax: 500 }

test('a budget gives credit, says when it is paid, and fills to its bound only', () => {
  const budget = new Budget(rates, 0)

  expect(Array.from({ length: 5 }, () => budget.take(0, 0))).toEqual([0, 0, 0, 0, 0])
  expect(budget.take(0, 0)).toBe(100)
  expect(budget.owedMs(50)).toBe(50)
  expect(budget.owedMs(100)).toBe(0)
  expect(budget.take(10_000, 1_000_000)).toBe(9_500)
  expect(budget.owedMs(1_000_000 + 9_500)).toBe(0)
})

test('a budget is never in debt for less than a millisecond, and a clock that stands still does not fill it', () => {
  const budget = new Budget(rates, 0)

  for (let i = 0; i < 5; i++) budget.take(0, 0)
  expect(budget.take(0, 0.001)).toBe(100)
  expect(budget.owedMs(99.9999)).toBe(1)
})

test('waiting frames come out as they went in, one by one', () => {
  const frame = fc.uint8Array({ maxLength: 6_000 })
  fc.assert(
    fc.property(fc.array(fc.oneof(frame, fc.constant(null)), { maxLength: 40 }), steps => {
      const waiting = new WaitingFrames()
      const expected: Uint8Array[] = []
      for (const step of steps) {
        if (step !== null) {
          waiting.push(step)
          expected.push(step)
        } else {
          const next = expected.shift()
          expect(waiting.shift()?.join()).toBe(next?.join())
        }
      }
      for (const next of expected) expect(waiting.shift()?.join()).toBe(next.join())
      expect(waiting.shift()).toBe(undefined)
      expect(waiting.isEmpty).toBe(true)
    })
  )
})

test.each([
  ['::ffff:10.0.0.1', '203.0.113.7', '203.0.113.7'],
  ['10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
  ['10.0.0.1', '[2001:DB8::1]:4711', '2001:db8::1'],
  ['10.0.0.1', 'a, 203.0.113.7, 10.1.1.1', '203.0.113.7'],
  ['10.0.0.1', '10.0.0.2', '10.0.0.2'],
  ['10.0.0.1', '', '10.0.0.1'],
  ['10.0.0.1', 'unknown', '10.0.0.1'],
  ['192.0.2.1', '203.0.113.7', '192.0.2.1'],
  ['fe80::1%eth0', '203.0.113.7', 'fe80::1']
])('from %s, forwarded for %j: %s', (remote, header, address) => {
  expect(clientAddress({ remote, header, trusted: proxyList(['10.0.0.0/8']) })).toBe(address)
})

test.each(['10.0.0.0/33', 'example.org', '10.0.0', '::1/129', '10.0.0.0/x', ''])('%j is no proxy', proxy => {
  expect(() => proxyList([proxy])).toThrow(TypeError)
})
