/**
 * Presence of the members of other nodes, as this node's members are shown it. Each clientID is that of the earliest
 * claim; no clock goes down, and where clients here know a higher one already, its owner is to be asked for more. It
 * sends nothing; what has left is kept where this room keeps that of its own.
 */
import { type AwarenessEntry, areBytesEqual, isNullState, nullState } from '../dialect/awareness-update.ts'
import type { Departed } from './departed.ts'
import { ForeignRoom, type ForeignState, isDue } from './foreign-room.ts'
import type { LogPosition, ToldStates } from './presence-line.ts'

/** What members here have been sent of a clientID, whose it is, and when it was published there. */
export type ForeignShown = AwarenessEntry & { readonly node: string; readonly publishedAtMs: number }

/** A clientID that clients here see only with a clock above this one. */
export type HigherWanted = { readonly node: string; readonly clientID: number; readonly above: number }

type Limits = {
  readonly awarenessStatesMax: number
  readonly awarenessRestMs: number
  readonly presenceNodesMax: number
}

/** `ownsState`: the clientID belongs to a member here. `ownStates`: how many do. */
type Host = { ownsState(clientID: number): boolean; ownStates(): number }

export class ForeignPresence {
  readonly #limits: Limits
  readonly #departed: Departed
  readonly #host: Host
  readonly #rooms = new Map<string, ForeignRoom>()
  /** By node, the last room of it that has ended: what is late of that one counts no more. */
  readonly #ended = new Map<string, number>()
  readonly #shown = new Map<number, ForeignShown>()
  /** ClientIDs of which something is new. */
  readonly #unresolved = new Set<number>()
  readonly #wanted = new Map<number, HigherWanted>()
  #asked = new WeakSet<HigherWanted>()
  /** Up to when a member that is here may have seen on other nodes what is published there. */
  #knownUntilMs = Number.NEGATIVE_INFINITY

  constructor(limits: Limits, departed: Departed, host: Host) {
    this.#limits = limits
    this.#departed = departed
    this.#host = host
  }

  /** Other nodes have the document open. */
  get hasRooms(): boolean {
    return this.#rooms.size > 0
  }

  /** Something is new, or waits for what the document is to show first. */
  get isWaiting(): boolean {
    return this.#unresolved.size > 0
  }

  /** What members here see. */
  shown(): Iterable<ForeignShown> {
    return this.#shown.values()
  }

  shownOf(clientID: number): ForeignShown | undefined {
    return this.#shown.get(clientID)
  }

  get shownCount(): number {
    return this.#shown.size
  }

  /** The node whose member has the clientID, as far as is known here. */
  ownerOf(clientID: number): string | null {
    return this.#earliest(clientID)?.node ?? null
  }

  /** Rooms of which something is missing. */
  behind(): ForeignRoom[] {
    return [...this.#rooms.values()].filter(room => room.isBehind)
  }

  hasRoom(node: string, epoch: number): boolean {
    return this.#rooms.get(node)?.epoch === epoch
  }

  /** The room that the node has now; null: this one has ended, or there are too many. */
  room(node: string, epoch: number): ForeignRoom | null {
    if (epoch <= (this.#ended.get(node) ?? 0)) return null
    const known = this.#rooms.get(node)
    if (known?.epoch === epoch) return known
    if (known !== undefined && known.epoch > epoch) return null
    if (known === undefined && this.#rooms.size >= this.#limits.presenceNodesMax) return null
    if (known !== undefined) this.#forget(known)
    const room = new ForeignRoom(node, epoch)
    this.#rooms.set(node, room)
    return room
  }

  /** The room has ended there, and all that was of it is gone. */
  left(node: string, epoch: number): void {
    const known = this.#rooms.get(node)
    if (known !== undefined && known.epoch <= epoch) this.#forget(known)
    // Only of those that are about: the list is as long as theirs.
    if (known !== undefined) this.#ended.set(node, Math.max(epoch, this.#ended.get(node) ?? 0))
  }

  /** The node says nothing any more. If it comes back, it is asked for everything. */
  silent(node: string): void {
    this.#ended.delete(node)
    const known = this.#rooms.get(node)
    if (known !== undefined) this.#forget(known)
  }

  /** Returns what is new. Clocks of what is gone are kept, for whoever comes back. */
  take(room: ForeignRoom, told: ToldStates, at: { nowMs: number }): readonly ForeignState[] {
    const taken = room.take(told, { ...at, moreMax: this.#moreMax() })
    for (const { clientID, clock, state } of taken) {
      this.#unresolved.add(clientID)
      if (isNullState(state) && !this.#host.ownsState(clientID)) this.#left(clientID, clock)
    }
    return taken
  }

  /** Looks anew at whose the clientID is. */
  look(clientID: number): void {
    this.#unresolved.add(clientID)
  }

  /** It is not that node's any more, although nothing was heard of it. */
  drop(node: string, clientID: number): void {
    this.#rooms.get(node)?.drop(clientID)
    this.#unresolved.add(clientID)
  }

  /** A member here has the clientID from now on. Returns what members see of it until it says something new. */
  surrender(clientID: number): ForeignShown | null {
    const shown = this.#shown.get(clientID) ?? null
    this.#shown.delete(clientID)
    this.#wanted.delete(clientID)
    return shown
  }

  /** Who has come may know what was published on other nodes until then: it is shown with higher clocks. */
  knownUntil(knownUntilMs: number): void {
    this.#knownUntilMs = Math.max(this.#knownUntilMs, knownUntilMs)
    for (const shown of this.#shown.values()) this.#wantIfKnown(shown, this.#limits.awarenessRestMs)
  }

  /** What members are to be sent now. `visible`: how much of the document was shown to them. */
  resolve(visible: LogPosition): AwarenessEntry[] {
    const entries: AwarenessEntry[] = []
    for (const clientID of this.#unresolved) {
      const entry = this.#resolved(clientID, visible)
      if (entry !== null) entries.push(entry)
    }
    return entries
  }

  /** Those not asked for since the last call of `askAgain`. */
  toAsk(): HigherWanted[] {
    const wanted = [...this.#wanted.values()].filter(each => !this.#asked.has(each))
    for (const each of wanted) this.#asked.add(each)
    return wanted
  }

  /** What was asked for and has not come is to be asked for once more. */
  askAgain(): boolean {
    this.#asked = new WeakSet()
    for (const [clientID, { node }] of this.#wanted) {
      const state = this.#rooms.get(node)?.state(clientID)
      if (state === undefined || isNullState(state.state)) this.#wanted.delete(clientID)
    }
    return this.#wanted.size > 0
  }

  #moreMax(): number {
    let kept = this.#host.ownStates()
    for (const { size } of this.#rooms.values()) kept += size
    return Math.max(0, this.#limits.awarenessStatesMax - kept)
  }

  #forget(room: ForeignRoom): void {
    this.#rooms.delete(room.node)
    for (const clientID of room.clientIDs()) this.#unresolved.add(clientID)
  }

  #left(clientID: number, clock: number): void {
    this.#departed.add(clientID, Math.max(clock, this.#departed.clock(clientID) ?? -1))
  }

  #want(wanted: HigherWanted): void {
    const known = this.#wanted.get(wanted.clientID)
    if (known?.node !== wanted.node || known.above < wanted.above) this.#wanted.set(wanted.clientID, wanted)
  }

  /** `lateMs`: how long it may have taken to come, so that it seems to have been published later. */
  #wantIfKnown({ node, clientID, clock, publishedAtMs }: ForeignShown, lateMs: number): void {
    if (publishedAtMs <= this.#knownUntilMs + lateMs) this.#want({ node, clientID, above: clock })
  }

  /** Null: nothing is to be sent, or not yet. */
  #resolved(clientID: number, visible: LogPosition): AwarenessEntry | null {
    const earliest = this.#host.ownsState(clientID) ? null : this.#earliest(clientID)
    if (earliest === null) {
      this.#unresolved.delete(clientID)
      return this.#gone(clientID)
    }
    const { node, latest } = earliest
    const ready = isDue(latest, visible) ? latest : latest.earlier
    if (ready === null || !isDue(ready, visible)) return null
    latest.earlier = null
    if (ready === latest) this.#unresolved.delete(clientID)
    const { clock, state, publishedAtMs } = ready
    return this.#show({ clientID, clock, state, node, publishedAtMs })
  }

  #gone(clientID: number): AwarenessEntry | null {
    const shown = this.surrender(clientID)
    if (shown === null) return null
    const told = this.#departed.clock(clientID) ?? -1
    // Its node has not said that it has left: its last word may be lost, and clients may know a clock one higher (AW1).
    if (told < shown.clock) this.#left(clientID, shown.clock + 1)
    return { clientID, clock: Math.max(told, shown.clock), state: nullState }
  }

  #show(next: ForeignShown): AwarenessEntry | null {
    const { clientID, clock, node } = next
    const shown = this.#shown.get(clientID)
    const known = shown?.clock ?? this.#departed.clock(clientID) ?? -1
    if (clock > known) {
      this.#shown.set(clientID, next)
      this.#departed.delete(clientID)
      const isWanted = (this.#wanted.get(clientID)?.above ?? clock) < clock
      if (isWanted) this.#wanted.delete(clientID)
      // It may have come late, after whoever had seen it there.
      this.#wantIfKnown(next, isWanted ? 0 : this.#limits.awarenessRestMs)
      return next
    }
    const isShown = shown?.node === node && clock === known && areBytesEqual(shown.state, next.state)
    if (!isShown) this.#want({ node, clientID, above: known })
    return null
  }

  /** Of several claims that of the earliest; of two at once that of the node whose id comes first. */
  #earliest(clientID: number): { node: string; latest: ForeignState } | null {
    let earliest: { node: string; latest: ForeignState } | null = null
    for (const [node, room] of this.#rooms) {
      const latest = room.state(clientID)
      if (latest === undefined || isNullState(latest.state)) continue
      if (earliest === null || isEarlier({ ...latest, node }, { ...earliest.latest, node: earliest.node }))
        earliest = { node, latest }
    }
    return earliest
  }
}

type Claim = { readonly claimedAtMs: number; readonly node: string }

/** The order of claims, the same on all nodes. Their clocks may differ: it only says which of two connections is asked. */
export function isEarlier(one: Claim, other: Claim): boolean {
  if (one.claimedAtMs !== other.claimedAtMs) return one.claimedAtMs < other.claimedAtMs
  return one.node < other.node
}
