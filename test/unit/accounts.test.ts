import { expect, test } from 'vitest'
import { withLimits } from '../../src/base/limits.ts'
import type { Time } from '../../src/base/time.ts'
import { Accounts } from '../../src/transport/accounts.ts'

const rates = { messagesPerSecond: 100, messagesMax: 1_000, bytesPerSecond: 1_000, bytesMax: 10_000 }

function createAccounts(debtorsMax = 100) {
  let nowMs = 0
  const time: Time = { nowMs: () => nowMs, wallMs: () => nowMs, after: () => () => {}, soon: () => () => {} }
  const limits = withLimits({ debtorsMax, workMsPerSecondMax: 100, workMsBurstMax: 1_000 })
  const accounts = new Accounts(time, limits, rates)
  const passes = (ms: number) => {
    nowMs += ms
  }
  /** A connection of the address that sends so many bytes, takes so much time, and ends; returns what it owed at first. */
  const visit = (address: string, { bytes = 0, workMs = 0 }) => {
    const account = accounts.open(address)
    const owedMs = Math.max(account.sent.owedMs(nowMs), accounts.work(account).owedMs(nowMs))
    account.sent.take(bytes, nowMs)
    accounts.work(account).take(workMs, nowMs)
    accounts.close(address, account)
    return owedMs
  }
  return { accounts, visit, passes }
}

test('a connection that comes back owes what it owed before, of bytes and of time', () => {
  const { visit } = createAccounts()

  expect(visit('a', { bytes: 12_000 })).toBe(0)
  expect(visit('a', {})).toBe(2_000)
  expect(visit('b', { workMs: 1_500 })).toBe(0)
  expect(visit('b', {})).toBe(5_000)
})

test('others, and those who come back later, begin anew', () => {
  const { visit, passes } = createAccounts()
  visit('a', { bytes: 12_000, workMs: 1_500 })

  expect(visit('b', {})).toBe(0)
  passes(20_000)
  expect(visit('a', {})).toBe(0)
})

test('two that come back go on where two were, a third begins anew', () => {
  const { accounts } = createAccounts()
  for (const account of [accounts.open('a'), accounts.open('a')]) {
    account.sent.take(20_000, 0)
    accounts.close('a', account)
  }

  const owed = [1, 2, 3].map(() => accounts.open('a').sent.owedMs(0))

  expect(owed).toEqual([10_000, 10_000, 0])
})

test('beyond debtorsMax the oldest are forgotten', () => {
  const { visit } = createAccounts(2)
  for (const address of ['a', 'b', 'c']) visit(address, { bytes: 20_000 })

  expect(visit('a', {})).toBe(0)
  expect(visit('c', {})).toBe(10_000)
})
