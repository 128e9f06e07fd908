/**
 * Members whose answer to our SyncStep1 is waited for, before they are told that their updates are durable. Some never
 * answer: providers do, other implementations of the protocol need not.
 */
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Member } from './member.ts'

export class Overdue {
  readonly #time: Time
  readonly #limits: Limits
  readonly #tell: (member: Member) => void
  /** Bounded by the members of the room. */
  readonly #waiting = new Map<Member, Cancel>()

  /** `tell`: its answer is overdue, and what is durable may be told of. */
  constructor(time: Time, limits: Limits, tell: (member: Member) => void) {
    this.#time = time
    this.#limits = limits
    this.#tell = tell
  }

  /** Something of the member's has been taken. */
  taken(member: Member): void {
    if (member.receipts?.awaitsStep2 !== true || this.#waiting.has(member)) return
    const tooLate = () => {
      this.#waiting.delete(member)
      if (member.receipts?.awaitsStep2 !== true) return
      member.receipts.step2Overdue()
      this.#tell(member)
    }
    this.#waiting.set(member, this.#time.after(this.#limits.rejoinWaitMs, tooLate))
  }

  forget(member: Member): void {
    this.#waiting.get(member)?.()
    this.#waiting.delete(member)
  }

  /** Leaves no timer. */
  close(): void {
    for (const cancel of this.#waiting.values()) cancel()
    this.#waiting.clear()
  }
}
