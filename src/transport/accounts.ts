/**
 * What connections may send, and what is left of it when they end: whoever has used much of it and comes back from the same
 * address does not begin anew.
 */
import { Budget, type Rates, workRates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

/** One connection's: for messages and bytes, and for the time that costly ones take, made with the first such. */
export type Account = { readonly sent: Budget; work: Budget | null }

export class Accounts {
  readonly #time: Time
  readonly #limits: Limits
  readonly #rates: Rates
  /** By address, those who came first in front. Bounded by `debtorsMax` in all. */
  readonly #left = new Map<string, Account[]>()
  #count = 0

  constructor(time: Time, limits: Limits, rates: Rates) {
    this.#time = time
    this.#limits = limits
    this.#rates = rates
  }

  /** One that an ended connection of the address has left, or a new one. */
  open(address: string): Account {
    const left = this.#takeAll(address).filter(account => this.#isLow(account))
    const account = left.pop() ?? this.fresh()
    if (left.length > 0) this.#put(address, left)
    return account
  }

  /** A new one, of a connection that had one and owes nothing: what others have left is not its to pay. */
  fresh(): Account {
    return { sent: new Budget(this.#rates, this.#time.nowMs()), work: null }
  }

  work(account: Account): Budget {
    account.work ??= new Budget(workRates(this.#limits), this.#time.nowMs())
    return account.work
  }

  /** Whether it is as good as a new one, and need not be kept. */
  isFull({ sent, work }: Account): boolean {
    const nowMs = this.#time.nowMs()
    return sent.isFull(nowMs) && work?.isFull(nowMs) !== false
  }

  /** The connection has ended. */
  close(address: string, account: Account): void {
    if (!this.#isLow(account)) return
    this.#put(address, [...this.#takeAll(address), account])
    for (const oldest of this.#left.keys()) {
      if (this.#count <= this.#limits.debtorsMax) break
      this.#takeAll(oldest)
    }
  }

  #isLow({ sent, work }: Account): boolean {
    const nowMs = this.#time.nowMs()
    return sent.isLow(nowMs) || work?.isLow(nowMs) === true
  }

  #takeAll(address: string): readonly Account[] {
    const left = this.#left.get(address) ?? []
    this.#left.delete(address)
    this.#count -= left.length
    return left
  }

  #put(address: string, accounts: Account[]): void {
    this.#left.set(address, accounts)
    this.#count += accounts.length
  }
}
