/**
 * How much is kept of what clients send and is refused. Whoever has had much set aside lately has only the beginning of
 * further updates kept: the area of a document is bounded, so that most of it would be thrown away at once.
 */
import type { SetAside, SetAsideStore } from '../../persistence/store.ts'
import { Budget, type Rates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'

type Parts = {
  readonly store: Pick<SetAsideStore, 'setAside'>
  readonly time: Pick<Time, 'nowMs'>
  readonly limits: Limits
}

export class SetAsides {
  readonly #parts: Parts
  readonly #rates: Rates
  /** Of those who had something set aside lately, the latest last. */
  readonly #budgets = new Map<string, Budget>()
  /** Of updates that are being written. */
  #waitingBytes = 0
  /** Bounded by the members: who had an update refused is not listened to any more. */
  readonly #underWay = new Set<Promise<void>>()

  constructor(parts: Parts) {
    this.#parts = parts
    const { setAsideBytesPerSecondMax: bytesPerSecond, setAsideBytesBurstMax: bytesMax } = parts.limits
    this.#rates = { messagesPerSecond: 1e6, messagesMax: 1e6, bytesPerSecond, bytesMax }
  }

  /** `source`: who sent it. Resolves to how much is kept. Rejects with what the store rejects with. */
  async add(document: string, source: string, entry: SetAside): Promise<'all' | 'beginning'> {
    const kept = this.#mayKeep(source, entry.bytes.length) ? entry : this.#headOf(entry)
    const { length } = kept.bytes
    this.#waitingBytes += length
    try {
      await this.#parts.store.setAside(document, kept)
      return kept === entry ? 'all' : 'beginning'
    } finally {
      this.#waitingBytes -= length
    }
  }

  /** The work sets something aside in the end, perhaps after it has asked the store: a stop waits for it. Returns it. */
  track(work: Promise<void>): Promise<void> {
    const over = () => this.#underWay.delete(work)
    this.#underWay.add(work)
    work.then(over, over)
    return work
  }

  /** Resolves when nothing is under way any more. Never rejects. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  #mayKeep(source: string, bytes: number): boolean {
    const { setAsideHeadBytes, setAsideWaitingBytesMax } = this.#parts.limits
    if (bytes <= setAsideHeadBytes) return true
    // One of any size at least.
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > setAsideWaitingBytesMax) return false
    const nowMs = this.#parts.time.nowMs()
    const budget = this.#budgetOf(source, nowMs)
    if (budget.owedMs(nowMs) > 0) return false
    budget.take(bytes, nowMs)
    return true
  }

  #budgetOf(source: string, nowMs: number): Budget {
    const budget = this.#budgets.get(source) ?? new Budget(this.#rates, nowMs)
    this.#budgets.delete(source)
    this.#budgets.set(source, budget)
    for (const oldest of this.#budgets.keys()) {
      if (this.#budgets.size <= this.#parts.limits.refusalsMax) break
      this.#budgets.delete(oldest)
    }
    return budget
  }

  #headOf(entry: SetAside): SetAside {
    // A copy, so that the rest is not kept in memory.
    const bytes = entry.bytes.slice(0, this.#parts.limits.setAsideHeadBytes)
    const cut = `only the first ${bytes.length} of ${entry.bytes.length} bytes are kept`
    return { ...entry, bytes, reason: `${entry.reason} (${cut})` }
  }
}
