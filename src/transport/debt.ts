/**
 * What a connection owes for what it sent: messages, bytes, and the time that they took. Whoever sends more than it may is
 * not read for a moment. What it has sent is not lost, nor out of order.
 */
import type { Rates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { Account, Accounts } from './accounts.ts'

type Host = { readonly time: Time; readonly limits: Limits; readonly accounts: Accounts }

/** The connection as whoever is owed sees it. `after` ends with the connection. */
type Debtor = {
  pause(): void
  resume(): void
  after(delayMs: number, run: () => void): void
  /** Where it comes from. */
  readonly address: string
}

/**
 * Whoever is in debt waits at least so long, and then sends what has become free meanwhile at one go: a message a timer
 * would cost many times what the message does. Over a second it is as much.
 */
const holdMsMin = 20

export class Debt {
  readonly #host: Host
  readonly #debtor: Debtor
  /** Opened with the first message, and again after a rest. */
  #account: Account | null = null
  #hasRested = false
  #isHeld = false

  constructor(host: Host, debtor: Debtor) {
    this.#host = host
    this.#debtor = debtor
  }

  /** One message of so many bytes. */
  take(bytes: number): void {
    const nowMs = this.#host.time.nowMs()
    this.#hold(this.#open().sent.take(bytes, nowMs))
  }

  spend(spentMs: number): void {
    const { time, limits, accounts } = this.#host
    const work = accounts.work(this.#open())
    this.#hold(work.take(Math.min(spentMs, limits.workMsBurstMax / 4), time.nowMs()))
  }

  /** Called now and then: who owes nothing and is silent keeps nothing. */
  rest(): void {
    if (this.#account === null || this.#isHeld || !this.#host.accounts.isFull(this.#account)) return
    this.#account = null
    this.#hasRested = true
  }

  /** The connection has ended. Called once. */
  close(): void {
    if (this.#account !== null) this.#host.accounts.close(this.#debtor.address, this.#account)
    this.#account = null
  }

  #open(): Account {
    if (this.#account !== null) return this.#account
    const { accounts } = this.#host
    this.#account = this.#hasRested ? accounts.fresh() : accounts.open(this.#debtor.address)
    return this.#account
  }

  #hold(owedMs: number): void {
    if (owedMs === 0 || this.#isHeld) return
    this.#isHeld = true
    this.#debtor.pause()
    this.#wait(owedMs)
  }

  #wait(owedMs: number): void {
    this.#debtor.after(Math.max(owedMs, holdMsMin), () => this.#settle())
  }

  #settle(): void {
    const nowMs = this.#host.time.nowMs()
    const owedMs = Math.max(this.#account?.sent.owedMs(nowMs) ?? 0, this.#account?.work?.owedMs(nowMs) ?? 0)
    if (owedMs > 0) return this.#wait(owedMs)
    this.#isHeld = false
    this.#debtor.resume()
  }
}

/** What one connection may send. */
export function connectionRates(limits: Limits): Rates {
  return {
    messagesPerSecond: limits.messagesPerSecondMax,
    messagesMax: limits.messagesBurstMax,
    bytesPerSecond: limits.receivedBytesPerSecondMax,
    bytesMax: limits.receivedBytesBurstMax
  }
}
