/** What a connection in debt costs, and that it may send no more and no less than before. */
import { expect, test } from 'vitest'
import { withLimits } from '../../src/base/limits.ts'
import { systemTime } from '../../src/base/time.ts'
import { Accounts } from '../../src/transport/accounts.ts'
import { connectionRates, Debt } from '../../src/transport/debt.ts'

const limits = withLimits({})
const { messagesPerSecondMax, messagesBurstMax } = limits

/** A connection with more to send than it may, in virtual time. */
function sender() {
  const time = { ...systemTime, nowMs: () => nowMs }
  let nowMs = 0
  let isPaused = false
  let timers = 0
  let messages = 0
  const due: { atMs: number; run: () => void }[] = []
  const accounts = new Accounts(time, limits, connectionRates(limits))
  const debt = new Debt(
    { time, limits, accounts },
    {
      address: '192.0.2.1',
      pause: () => {
        isPaused = true
      },
      resume: () => {
        isPaused = false
      },
      after: (delayMs, run) => {
        timers++
        due.push({ atMs: nowMs + delayMs, run })
      }
    }
  )
  return {
    say: () => debt.take(20),
    /** As its heartbeat does. */
    rest: (afterMs: number) => {
      nowMs += afterMs
      debt.rest()
    },
    /** Another connection of its address sends whatever it may, and ends. */
    anotherLeaves: () => {
      const account = accounts.open('192.0.2.1')
      for (let i = 0; i < messagesBurstMax; i++) account.sent.take(0, nowMs)
      accounts.close('192.0.2.1', account)
    },
    sendAll(forMs: number): { messages: number; timers: number } {
      const before = { messages, timers }
      for (const untilMs = nowMs + forMs; nowMs < untilMs; nowMs++) {
        for (const timer of due.splice(0)) {
          if (timer.atMs <= nowMs) timer.run()
          else due.push(timer)
        }
        for (; !isPaused; messages++) debt.take(20)
      }
      return { messages: messages - before.messages, timers: timers - before.timers }
    }
  }
}

test('[AC6] whoever sends at the limit is served in gulps, and as much as before over a second', () => {
  const connection = sender()
  connection.sendAll(1_000)

  const { messages, timers } = connection.sendAll(2_000)

  expect(timers).toBeLessThanOrEqual(2_000 / 20)
  expect(messages).toBeGreaterThan(1.98 * messagesPerSecondMax)
  expect(messages).toBeLessThanOrEqual(2.02 * messagesPerSecondMax)
})

test('[AC6] the burst is all that is sent without a wait', () => {
  expect(sender().sendAll(1).messages).toBeLessThanOrEqual(messagesBurstMax + 1)
})

test('[AC6] whoever was silent keeps nothing, and pays neither for itself nor for others when it speaks again', () => {
  const connection = sender()
  connection.say()
  connection.rest(60_000)
  connection.anotherLeaves()

  const after = connection.sendAll(1).messages

  expect(after).toBeGreaterThanOrEqual(messagesBurstMax)
})
