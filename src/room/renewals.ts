/**
 * AW10: states that their owners are late to renew. Browsers run the timers of a hidden tab once a minute, and everybody
 * else drops a state after 30 s. While the owner's connection answers, the server renews the state in its place. One
 * timer a room; it sends pings, and leaves frames to others.
 */
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import { isPresent } from './awareness-frames.ts'
import type { Presence, SharedState } from './presence.ts'

type Host = {
  states(): Iterable<SharedState>
  /** Whether something of it is about to be published anyway. */
  isPending(shared: SharedState): boolean
  /** Publishes it with a higher clock, in the next frame of renewals. */
  renew(late: SharedState): void
}

export class Renewals {
  readonly #time: Time
  readonly #limits: Limits
  readonly #host: Host
  #cancelLook: Cancel | null = null

  constructor({ time, limits }: { time: Time; limits: Limits }, host: Host) {
    this.#time = time
    this.#limits = limits
    this.#host = host
  }

  /** There are states, which may become late. */
  watch(): void {
    if (this.#cancelLook === null) this.#lookIn(this.#limits.awarenessLateMs)
  }

  close(): void {
    this.#cancelLook?.()
    this.#cancelLook = null
  }

  #lookIn(delayMs: number): void {
    this.#cancelLook = this.#time.after(delayMs, () => this.#look())
  }

  /** Looks again when the next state may be late, or when whoever is pinged has had time to answer. */
  #look(): void {
    this.#cancelLook = null
    const nowMs = this.#time.nowMs()
    const { awarenessLateMs, awarenessTakeoverMs } = this.#limits
    const late: SharedState[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const shared of this.#host.states()) {
      if (!isPresent(shared)) continue
      nextMs = Math.min(nextMs, shared.publishedAtMs + awarenessLateMs)
      if (shared.publishedAtMs + awarenessLateMs > nowMs || this.#host.isPending(shared)) continue
      if (this.#isThere(shared.owner, nowMs)) late.push(shared)
    }
    // Not before, as one connection may own several: its next renewal wants an answer of its own.
    for (const { owner } of late) owner.pinged = null
    for (const shared of late) this.#host.renew(shared)
    if (nextMs < Number.POSITIVE_INFINITY) this.#lookIn(Math.max(awarenessTakeoverMs, nextMs - nowMs))
  }

  /** Whether it has answered a ping. One of an earlier time says nothing of now: it is pinged anew. */
  #isThere(owner: Presence, nowMs: number): boolean {
    if (owner.pinged === null || owner.pinged.atMs + this.#limits.awarenessLateMs <= nowMs)
      owner.pinged = { atMs: nowMs, isAnswered: owner.member.port.ping() }
    return owner.pinged.isAnswered()
  }
}
