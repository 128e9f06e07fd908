/**
 * Who owns which clientID of a room (AW5, AW11); what other nodes own is theirs until they say otherwise. It sends
 * nothing.
 */

import { toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { type AwarenessEntry, checkState, isNullState, nullState } from '../dialect/awareness-update.ts'
import type { Departed } from './departed.ts'
import type { Contest, ForeignOwner, Presence, SharedState } from './presence.ts'
import type { SharedPresence } from './shared-presence.ts'

type Host = {
  isHere(presence: Presence): boolean
  /** Another connection owns the clientID now. */
  lost(before: SharedState): void
  /** A contest is won: the entry is the latest of those that waited for it. May throw a Fault. */
  won(presence: Presence, shared: SharedState, entry: AwarenessEntry): void
  /** The connection that lost it did not answer. */
  displaced(presence: Presence): void
}

type Parts = {
  readonly departed: Departed
  /** What members of other nodes have; null: there are no other nodes. */
  readonly elsewhere: SharedPresence | null
  readonly time: Time
  readonly limits: Limits
}

export class Claims {
  readonly #time: Time
  readonly #limits: Limits
  readonly #host: Host
  readonly #states = new Map<number, SharedState>()
  readonly #departed: Departed
  readonly #elsewhere: SharedPresence | null
  /** How many of the states belong to connections that speak for several. */
  #relayed = 0

  constructor({ departed, elsewhere, time, limits }: Parts, host: Host) {
    this.#time = time
    this.#limits = limits
    this.#host = host
    this.#departed = departed
    this.#elsewhere = elsewhere
  }

  /** The states that have an owner. */
  states(): IterableIterator<SharedState> {
    return this.#states.values()
  }

  /** The state of a clientID that a connection here owns. */
  state(clientID: number): SharedState | undefined {
    return this.#states.get(clientID)
  }

  get count(): number {
    return this.#states.size
  }

  /** The connection's own state of this clientID, or null. */
  ownState(presence: Presence, clientID: number): SharedState | null {
    const { own } = presence
    if (own.length === 1) return own[0]?.clientID === clientID ? own[0] : null
    const shared = this.#states.get(clientID)
    return shared?.owner === presence ? shared : null
  }

  /**
   * Looks in a message for clientIDs of the connection's own. Clients announce themselves alone, and echo others from
   * then on; who begins with several entries is no such client. Throws ERR_BAD_MESSAGE when a state of its own is none.
   */
  claim(presence: Presence, entries: readonly AwarenessEntry[]): void {
    if (presence.speaksFor === 'one' && presence.own.length > 0) return
    if (presence.contests !== null && !this.#follow(presence, entries)) return
    const isNobodyYet = presence.own.length === 0 && presence.contests === null
    if (isNobodyYet) presence.speaksFor = entries.length === 1 ? 'one' : 'several'
    const wanted = this.#wanted(presence, entries)
    if (wanted.length + presence.own.length > this.#limits.awarenessClientsMax) return
    const contested = wanted.filter(entry => !this.#take(presence, entry))
    if (contested.length > 0) this.#contest(presence, contested)
  }

  /** The connection has left, or may own nothing any more. Returns the states it owned. */
  release(presence: Presence): readonly SharedState[] {
    const { own, contests } = presence
    presence.own = []
    presence.contests = null
    for (const shared of own) this.#leave(shared)
    if (contests !== null) this.#leaveContests(contests)
    return own
  }

  /** It was sent the states of others here, although its clientID was not its own yet: it knows their clocks. */
  #leaveContests(contests: ReadonlyMap<number, Contest>): void {
    for (const [clientID, { latest }] of contests) {
      const shown = this.#elsewhere?.shownClock(clientID) ?? null
      if (shown !== null) this.#departed.add(clientID, Math.max(latest.clock, shown + 1))
    }
  }

  /** Another node's connection owns the clientID. */
  give(shared: SharedState): void {
    this.#lose(shared)
    this.#leave(shared)
  }

  #leave({ clientID, isRelayed, published }: SharedState): void {
    this.#states.delete(clientID)
    if (isRelayed) this.#relayed--
    this.#departed.add(clientID, published)
  }

  /** Keeps the latest entries of contests. Returns whether there may be other clientIDs of its own beside them. */
  #follow({ contests, speaksFor }: Presence, entries: readonly AwarenessEntry[]): boolean {
    for (const entry of entries) {
      const contest = contests?.get(entry.clientID)
      if (contest !== undefined) contest.latest = this.#copyOf(entry)
    }
    return speaksFor === 'several'
  }

  /** The entries that may be of clientIDs of its own and are not known as such, the first of each. */
  #wanted(presence: Presence, entries: readonly AwarenessEntry[]): AwarenessEntry[] {
    const wanted = new Map<number, AwarenessEntry>()
    for (const entry of entries) {
      const { clientID, state } = entry
      if (isNullState(state) || wanted.has(clientID) || presence.contests?.has(clientID) === true) continue
      if (this.#states.get(clientID)?.owner === presence || !this.#cannotBeEcho(presence, entry)) continue
      wanted.set(clientID, entry)
      if (wanted.size > this.#limits.awarenessClientsMax) break
    }
    for (const { state } of wanted.values()) checkState(state, this.#limits)
    return [...wanted.values()]
  }

  /** False when another connection owns it that has to be asked first. */
  #take(presence: Presence, { clientID }: AwarenessEntry): boolean {
    const present = this.#states.get(clientID)
    if (present === undefined) {
      if (this.#ownerElsewhere(clientID) !== null) return false
      this.#own(presence, clientID, this.#knowsUntilMs(clientID))
      return true
    }
    // Nobody proves who they are. After a restart people return one by one, and are believed before whoever named many.
    const isFresh = this.#time.nowMs() - present.ownedAtMs < this.#limits.awarenessDepartedMs
    if (presence.speaksFor === 'several' || !present.isRelayed || !isFresh) return false
    this.#own(presence, clientID, this.#time.nowMs())
    return true
  }

  /** Null: it was not here lately. With other nodes nobody knows how long it has been on one of them since it left. */
  #knowsUntilMs(clientID: number): number | null {
    const leftAtMs = this.#departed.leftAtMs(clientID)
    return leftAtMs === null || this.#elsewhere === null ? leftAtMs : this.#time.nowMs()
  }

  /**
   * Every y-websocket client echoes what it is sent. It was sent nothing yet; or nothing of this clientID, which left
   * before; or the clock is above what we published.
   */
  #cannotBeEcho(presence: Presence, { clientID, clock }: AwarenessEntry): boolean {
    if (presence.arrivedAtMs === null) return true
    const present = this.#states.get(clientID)
    const publishedClock = present?.published ?? this.#elsewhere?.shownClock(clientID) ?? null
    if (publishedClock !== null) return clock > publishedClock
    const leftAtMs = this.#departed.leftAtMs(clientID)
    if (leftAtMs === null || leftAtMs < presence.arrivedAtMs) return true
    return clock > (this.#departed.clock(clientID) ?? -1)
  }

  /** Live connections have these clientIDs: those that still answer keep them, from the others they are taken over. */
  #contest(presence: Presence, entries: readonly AwarenessEntry[]): void {
    presence.contests ??= new Map()
    const owners = new Map<Contest['owner'], Promise<boolean>>()
    for (const entry of entries) {
      const { clientID } = entry
      const owner = this.#states.get(clientID)?.owner ?? this.#ownerElsewhere(clientID)
      if (owner === null) continue
      presence.contests.set(clientID, { owner, latest: this.#copyOf(entry) })
      if ('node' in owner) owners.set(owner, this.#isThere(owner, clientID))
      else if (!owners.has(owner))
        owners.set(owner, owner.member.port.probe(this.#limits.awarenessTakeoverMs))
    }
    for (const [owner, answers] of owners) {
      void answers
        .then(isAlive => this.#decide(presence, owner, isAlive))
        .catch((error: unknown) => presence.member.port.end(toFault(error)))
    }
  }

  /** A new object each time: each of its clientIDs is asked about by itself. */
  #ownerElsewhere(clientID: number): ForeignOwner | null {
    const node = this.#elsewhere?.ownerOf(clientID) ?? null
    return node === null ? null : { node }
  }

  async #isThere({ node }: ForeignOwner, clientID: number): Promise<boolean> {
    const says = await this.#elsewhere?.ask(node, clientID)
    if (says === undefined || says.outcome === 'mine') return says !== undefined
    // Whatever was published of it there, clients may know.
    const known = this.#departed.clock(clientID) ?? -1
    if (says.clock > known && !this.#states.has(clientID)) this.#departed.add(clientID, says.clock)
    return false
  }

  #decide(presence: Presence, owner: Contest['owner'], isAlive: boolean): void {
    const { contests } = presence
    if (contests === null || !this.#host.isHere(presence)) return
    const decided = [...contests].filter(([, contest]) => contest.owner === owner)
    for (const [clientID] of decided) contests.delete(clientID)
    if (contests.size === 0) presence.contests = null
    let isDisplaced = false
    for (const [clientID, { latest }] of decided) {
      const present = this.#states.get(clientID)
      const isKept = present === undefined ? isAlive && 'node' in owner : isAlive || present.owner !== owner
      if (isKept) continue
      const shared = this.#own(presence, clientID, this.#time.nowMs())
      if (present !== undefined) isDisplaced = true
      if (shared !== null) this.#host.won(presence, shared, { clientID, ...latest })
    }
    if (isDisplaced && !('node' in owner)) this.#host.displaced(owner)
  }

  /** Returns null when the room has as many states as it may. */
  #own(presence: Presence, clientID: number, knowsUntilMs: number | null): SharedState | null {
    const before = this.#states.get(clientID) ?? null
    const isRelayed = presence.speaksFor === 'several'
    if (before === null && this.#isFull(clientID)) return null
    if (isRelayed && this.#relayed >= this.#limits.awarenessRelayedMax) return null
    if (before !== null) {
      this.#lose(before)
      if (before.isRelayed) this.#relayed--
    }
    if (isRelayed) this.#relayed++
    const shown = this.#elsewhere?.surrender(clientID) ?? null
    const shared: SharedState = {
      clientID,
      owner: presence,
      isRelayed,
      ownedAtMs: this.#time.nowMs(),
      claimedAtMs: this.#time.wallMs(),
      state: nullState,
      firstReceived: -1,
      received: -1,
      published: Math.max(before?.published ?? this.#departed.clock(clientID) ?? -1, shown?.clock ?? -1),
      // Others see that until there is something new, and are to hear if it goes before.
      publishedState: before?.publishedState ?? shown?.state ?? null,
      publishedAtMs: Number.NEGATIVE_INFINITY,
      changedAtMs: Number.NEGATIVE_INFINITY,
      stage: 'new',
      notBefore: 0
    }
    this.#departed.delete(clientID)
    if (knowsUntilMs !== null) presence.knowsUntilMs = Math.max(presence.knowsUntilMs ?? 0, knowsUntilMs)
    presence.own = [...presence.own, shared]
    this.#states.set(clientID, shared)
    return shared
  }

  /** With those of other nodes, unless it is one of them that comes here. */
  #isFull(clientID: number): boolean {
    const elsewhere = this.#elsewhere
    const others = elsewhere === null ? 0 : elsewhere.shownCount
    const isShown = (elsewhere?.shownClock(clientID) ?? null) !== null
    return this.#states.size + others - (isShown ? 1 : 0) >= this.#limits.awarenessStatesMax
  }

  #lose(shared: SharedState): void {
    const { owner } = shared
    owner.own = owner.own.filter(each => each !== shared)
    this.#host.lost(shared)
  }

  #copyOf({ clock, state }: AwarenessEntry): { clock: number; state: Uint8Array } {
    checkState(state, this.#limits)
    return { clock, state: Uint8Array.from(state) }
  }
}
