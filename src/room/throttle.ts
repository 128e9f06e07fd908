/**
 * What a room takes of all its members together in a second. Who sends more waits a moment with their next message; no
 * message is dropped. Awareness has budgets of its own, so that cursors keep no text waiting.
 */
import { Budget } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Message } from '../dialect/message.ts'
import type { Member } from './member.ts'

export class Throttle {
  readonly #time: Time
  readonly #budget: Budget
  #held = new Set<Member>()
  #cancelRelease: Cancel = () => {}

  constructor(time: Time, limits: Limits) {
    this.#time = time
    const rates = {
      messagesPerSecond: limits.roomMessagesPerSecondMax,
      messagesMax: limits.roomMessagesBurstMax,
      bytesPerSecond: limits.roomBytesPerSecondMax,
      bytesMax: limits.roomBytesBurstMax
    }
    this.#budget = new Budget(rates, time.nowMs())
  }

  /** The member has sent a message. */
  take(member: Member, message: Message): void {
    const bytes = bytesOf(message)
    if (bytes === null) return
    const owedMs = this.#budget.take(bytes, this.#time.nowMs())
    if (owedMs === 0 || this.#held.has(member)) return
    this.#held.add(member)
    member.port.pause()
    if (this.#held.size === 1) this.#releaseIn(owedMs)
  }

  /**
   * Pays for an update that no member sent, as members do. In how many milliseconds it may come: above 0, it costs nothing.
   */
  charge(bytes: number): number {
    const nowMs = this.#time.nowMs()
    const owedMs = this.#budget.owedMs(nowMs)
    if (owedMs === 0) this.#budget.take(bytes, nowMs)
    return owedMs
  }

  /** The member has left. */
  forget(member: Member): void {
    this.#held.delete(member)
    if (this.#held.size === 0) this.#cancelRelease()
  }

  /** Leaves no timer. */
  close(): void {
    this.#cancelRelease()
    this.#release()
  }

  #releaseIn(delayMs: number): void {
    this.#cancelRelease = this.#time.after(delayMs, () => {
      const owedMs = this.#budget.owedMs(this.#time.nowMs())
      if (owedMs > 0) this.#releaseIn(owedMs)
      else this.#release()
    })
  }

  #release(): void {
    const held = this.#held
    this.#held = new Set()
    for (const member of held) member.port.resume()
  }
}

/** Null for what is no matter of the document. */
function bytesOf(message: Message): number | null {
  switch (message.type) {
    case 'sync-step-1':
      return message.stateVector.length
    case 'sync-step-2':
    case 'update':
      return message.update.length
    default:
      return null
  }
}
