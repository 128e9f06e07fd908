/**
 * AW4: who is new in a room's presence, what they are sent of it and when. A clientID that was here before knows clocks
 * already, so what it is sent is given higher ones.
 */

import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import type { AwarenessEntry } from '../dialect/awareness-update.ts'
import {
  asForOwner,
  askWhereItIs,
  asPublished,
  isPresent,
  isSeenAsGone,
  sendEntries,
  tellOwners
} from './awareness-frames.ts'
import type { ForeignShown } from './foreign-presence.ts'
import {
  awaitState,
  isContestedBy,
  isFirst,
  nothing,
  type Presence,
  restsUntilMs,
  type SharedState
} from './presence.ts'

/** A connection that has not announced itself this long after its end marker is taken for one without a state. */
const announceGraceMs = 300

type Host = {
  isHere(presence: Presence): boolean
  /** Those who are here. */
  presences(): Iterable<Presence>
  states(): Iterable<SharedState>
  /** Whether the state has a higher clock now. */
  reclock(shared: SharedState, nowMs: number): boolean
  /** What members see of other nodes' members. */
  shownElsewhere(): Iterable<ForeignShown>
  /** Somebody knows what was published on other nodes until then. */
  knownElsewhereUntil(knowsUntilMs: number): void
  flushSoon(): void
  flushAt(dueMs: number): void
}

export class Welcomes {
  readonly #time: Time
  readonly #limits: Limits
  readonly #host: Host
  readonly #arrivals = new Set<Presence>()

  constructor({ time, limits }: { time: Time; limits: Limits }, host: Host) {
    this.#time = time
    this.#limits = limits
    this.#host = host
  }

  /** It has its end marker: it gets the states now, or as soon as we know who it is. */
  memberLive(presence: Presence): void {
    if (presence.hasAnnounced) this.arrive(presence)
    else presence.cancelGrace = this.#time.after(announceGraceMs, () => this.arrive(presence))
  }

  /** It is sent the states with the next flush, once. */
  arrive(presence: Presence): void {
    if (presence.arrivedAtMs !== null || this.#arrivals.has(presence)) return
    if (!this.#host.isHere(presence)) return
    presence.cancelGrace()
    presence.cancelGrace = nothing
    this.#arrivals.add(presence)
    this.#host.flushSoon()
  }

  /** It was in this document before, on another node: it is sent the states again, with clocks that it does not know. */
  returned(presence: Presence): void {
    const { knowsUntilMs, arrivedAtMs } = presence
    if (knowsUntilMs !== null && (arrivedAtMs === null || knowsUntilMs > arrivedAtMs)) return
    presence.knowsUntilMs = this.#time.nowMs()
    if (arrivedAtMs === null) return
    this.#arrivals.add(presence)
    this.#host.flushSoon()
  }

  /** Whether it will be sent the states. */
  isExpected(presence: Presence): boolean {
    return this.#arrivals.has(presence)
  }

  leave(presence: Presence): void {
    this.#arrivals.delete(presence)
    presence.cancelGrace()
  }

  close(): void {
    this.#arrivals.clear()
  }

  /** The states, to one who asks or is new. */
  sendStates(presence: Presence): void {
    const entries: AwarenessEntry[] = []
    for (const shared of this.#host.states()) {
      if (isContestedBy(presence, shared)) continue
      // Its own also if that is null: a client that has a state all the same (the null was of long ago) takes it back.
      if (shared.owner === presence) {
        if (shared.publishedState !== null && !isFirst(shared)) entries.push(asForOwner(shared))
      } else if (isPresent(shared)) entries.push(asPublished(shared))
    }
    for (const entry of this.#host.shownElsewhere()) if (!isContestedBy(presence, entry)) entries.push(entry)
    sendEntries(presence, entries)
    if (presence.own.some(isSeenAsGone)) askWhereItIs(presence.member)
  }

  /** Sends the states to those who are new, re-clocked where they know the present clock already. */
  welcome(): void {
    if (this.#arrivals.size === 0) return
    const nowMs = this.#time.nowMs()
    const touched = new Set<SharedState>()
    for (const presence of this.#arrivals) {
      presence.arrivedAtMs = nowMs
      const knowsUntilMs = knowsUntil(presence, nowMs)
      for (const shared of this.#host.states()) {
        if (knowsUntilMs === null || shared.publishedAtMs > knowsUntilMs) continue
        if (shared.owner === presence || isContestedBy(presence, shared)) continue
        if (nowMs < restsUntilMs(shared, this.#limits.awarenessRestMs)) awaitState(presence, shared)
        else if (this.#host.reclock(shared, nowMs)) touched.add(shared)
      }
      if (knowsUntilMs !== null) this.#host.knownElsewhereUntil(knowsUntilMs)
    }
    for (const presence of this.#arrivals) this.sendStates(presence)
    this.#arrivals.clear()
    tellOwners(touched)
  }

  /** Publishes states with a higher clock to those who wait for them to rest, and asks for a flush for the next. */
  refresh(): void {
    const nowMs = this.#time.nowMs()
    const touched = new Set<SharedState>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const presence of this.#host.presences()) {
      if (presence.awaiting === null || presence.awaiting.size === 0) continue
      const rested: SharedState[] = []
      for (const shared of presence.awaiting) {
        if (isContestedBy(presence, shared)) continue
        const restsAtMs = restsUntilMs(shared, this.#limits.awarenessRestMs)
        if (touched.has(shared)) rested.push(shared)
        else if (restsAtMs > nowMs) nextMs = Math.min(nextMs, restsAtMs)
        else if (this.#host.reclock(shared, nowMs)) rested.push(shared)
      }
      for (const shared of rested) presence.awaiting.delete(shared)
      for (const shared of rested) touched.add(shared)
      sendEntries(presence, rested.map(asPublished))
    }
    tellOwners(touched)
    if (nextMs < Number.POSITIVE_INFINITY) this.#host.flushAt(nextMs)
  }
}

/** Up to when it may know clocks; null: it knows none, or those that it is sent. Who has no state of its own may be anybody. */
function knowsUntil({ isCurrent, own, knowsUntilMs }: Presence, nowMs: number): number | null {
  if (isCurrent) return null
  return own.length === 0 ? nowMs : knowsUntilMs
}
