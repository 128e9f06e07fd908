/** Who owns which clientID of a room (AW5), and the clocks of those who left. It sends nothing. */
import { type AwarenessEntry, checkState, isNullState, nullState } from '../dialect/awareness-update.ts'
import { toFault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Time } from '../time.ts'
import { Departed } from './departed.ts'
import type { Presence, SharedState } from './presence.ts'

type Host = {
  isHere(presence: Presence): boolean
  /** `shared` has an owner now; `before` is the clientID's state on the connection that lost it, if one did. */
  owned(shared: SharedState, before: SharedState | null): void
  /** A contest is won: the entry is the latest of those that waited for it. May throw a Fault. */
  won(presence: Presence, shared: SharedState, entry: AwarenessEntry): void
  /** The connection that lost it did not answer. */
  displaced(presence: Presence): void
}

export class Claims {
  readonly #time: Time
  readonly #limits: Limits
  readonly #host: Host
  readonly #states = new Map<number, SharedState>()
  readonly #departed: Departed

  constructor(time: Time, limits: Limits, host: Host) {
    this.#time = time
    this.#limits = limits
    this.#host = host
    this.#departed = new Departed(time, limits)
  }

  /** The states that have an owner. */
  states(): IterableIterator<SharedState> {
    return this.#states.values()
  }

  /** Looks in a message for the connection's own clientID. Throws ERR_BAD_MESSAGE when its state is none. */
  claim(presence: Presence, entries: readonly AwarenessEntry[]): void {
    const { contest } = presence
    if (contest !== null) {
      const latest = entries.find(each => each.clientID === contest.clientID)
      if (latest !== undefined) contest.latest = this.#copyOf(latest)
      return
    }
    const entry = entries[0]
    if (entry === undefined || entries.length !== 1 || isNullState(entry.state)) return
    const owner = this.#states.get(entry.clientID)?.owner
    if (!this.#cannotBeEcho(presence, entry)) return
    checkState(entry.state, this.#limits)
    if (owner === undefined) this.#own(presence, entry.clientID, this.#departed.leftAtMs(entry.clientID))
    else this.#contest(presence, owner, entry)
  }

  /** The connection has left. Returns the state it owned, or null. */
  release(presence: Presence): SharedState | null {
    const shared = presence.own
    if (shared === null || this.#states.get(shared.clientID) !== shared) return null
    this.#states.delete(shared.clientID)
    this.#departed.add(shared.clientID, shared.published)
    return shared
  }

  /**
   * Every y-websocket client echoes what it is sent. It was sent nothing yet; or nothing of this clientID, which left
   * before; or the clock is above what we published.
   */
  #cannotBeEcho(presence: Presence, { clientID, clock }: AwarenessEntry): boolean {
    if (presence.arrivedAtMs === null) return true
    const present = this.#states.get(clientID)
    if (present !== undefined) return clock > present.published
    const leftAtMs = this.#departed.leftAtMs(clientID)
    if (leftAtMs === null || leftAtMs < presence.arrivedAtMs) return true
    return clock > (this.#departed.clock(clientID) ?? -1)
  }

  /** A live connection has this clientID: if it still answers, the newcomer is refused, else it takes over. */
  #contest(presence: Presence, owner: Presence, entry: AwarenessEntry): void {
    presence.contest = { clientID: entry.clientID, latest: this.#copyOf(entry) }
    void owner.member.port
      .probe(this.#limits.awarenessTakeoverMs)
      .then(isAlive => this.#decide(presence, owner, isAlive))
      .catch((error: unknown) => presence.member.port.end(toFault(error)))
  }

  #decide(presence: Presence, owner: Presence, isAlive: boolean): void {
    const { contest } = presence
    if (contest === null || !this.#host.isHere(presence)) return
    presence.contest = null
    const present = this.#states.get(contest.clientID)
    if (present !== undefined && (isAlive || present.owner !== owner)) return
    const shared = this.#own(presence, contest.clientID, this.#time.nowMs())
    if (present !== undefined) this.#host.displaced(owner)
    if (shared !== null) this.#host.won(presence, shared, { clientID: contest.clientID, ...contest.latest })
  }

  /** Returns null when the room has as many states as it may. */
  #own(presence: Presence, clientID: number, knowsUntilMs: number | null): SharedState | null {
    const before = this.#states.get(clientID) ?? null
    if (before === null && this.#states.size >= this.#limits.awarenessStatesMax) return null
    const shared: SharedState = {
      clientID,
      owner: presence,
      state: nullState,
      received: -1,
      published: before?.published ?? this.#departed.clock(clientID) ?? -1,
      publishedState: null,
      publishedAtMs: Number.NEGATIVE_INFINITY,
      changedAtMs: Number.NEGATIVE_INFINITY,
      isFirst: true,
      notBefore: 0
    }
    this.#departed.delete(clientID)
    presence.knowsUntilMs = knowsUntilMs
    presence.own = shared
    this.#states.set(clientID, shared)
    this.#host.owned(shared, before)
    return shared
  }

  #copyOf({ clock, state }: AwarenessEntry): { clock: number; state: Uint8Array } {
    checkState(state, this.#limits)
    return { clock, state: Uint8Array.from(state) }
  }
}
