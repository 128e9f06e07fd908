/**
 * Presence of one room: with which clock an entry is published (AW1–AW4, AW7), to whom and when. Whose entry counts is
 * decided in claims.ts. It sends frames to members and never touches the document or the store (I8).
 */
import { Budget } from '../budget.ts'
import {
  type AwarenessEntry,
  areBytesEqual,
  checkState,
  checkStateSize,
  isNullState,
  nullState,
  readAwarenessUpdate,
  writeAwarenessUpdate
} from '../dialect/awareness-update.ts'
import type { Frame } from '../dialect/frame.ts'
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Cancel, Time } from '../time.ts'
import {
  asForOwner,
  askWhereItIs,
  asPublished,
  isPresent,
  ownersFrame,
  sendEntries,
  tellOwner
} from './awareness-frames.ts'
import { Claims } from './claims.ts'
import { stamped } from './identity.ts'
import type { Member } from './member.ts'
import {
  awaitState,
  awarenessRates,
  canBeLed,
  clockForOwner,
  createPresence,
  isConfirmation,
  nextClock,
  nothing,
  type Presence,
  type SharedState
} from './presence.ts'

/** `durableTicket`: up to which ticket the room's updates have been sent out. */
export type AwarenessHost = { durableTicket(): number; takenOver(member: Member): void }

/** Whose `user` a state has: the client's, or the grant's. And whether those who may only read are seen. */
export type PresencePolicy = {
  readonly identity: 'as-sent' | 'stamped'
  readonly readers: 'shown' | 'hidden'
}

type Parts = { readonly time: Time; readonly limits: Limits; readonly presence: PresencePolicy }

/** A connection that has not announced itself this long after its end marker is taken for one without a state. */
const announceGraceMs = 300

export class Awareness {
  readonly #host: AwarenessHost
  readonly #claims: Claims
  readonly #time: Time
  readonly #limits: Limits
  readonly #policy: PresencePolicy
  readonly #presences = new Map<Member, Presence>()
  /** Entries to publish: changed ones at the next tick, renewed ones when a frame leaves anyway or they are due. */
  readonly #changed = new Set<SharedState>()
  readonly #renewed = new Set<SharedState>()
  /** Published with a higher clock to some only: the others get it as if renewed, or they would time it out. */
  readonly #reclocked = new Set<SharedState>()
  readonly #removed = new Map<number, number>()
  readonly #arrivals = new Set<Presence>()
  #renewedAtMs = 0
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #timer: { dueMs: number; cancel: Cancel } | null = null

  constructor(host: AwarenessHost, { time, limits, presence }: Parts) {
    this.#host = host
    this.#time = time
    this.#limits = limits
    this.#policy = presence
    this.#claims = new Claims(time, limits, {
      isHere: presence => this.#presences.get(presence.member) === presence,
      owned: (shared, before) => this.#owned(shared, before),
      won: (presence, shared, entry) => this.#accept(presence, shared, entry),
      displaced: presence => host.takenOver(presence.member)
    })
  }

  /** Takes an awareness message. Throws ERR_BAD_MESSAGE; entries of other people's clientIDs are ignored (AW6). */
  receive(member: Member, bytes: Uint8Array): void {
    const presence = this.#presenceOf(member)
    const isHidden = this.#isHidden(member)
    const entries = readAwarenessUpdate(bytes, this.#limits)
    if (presence.own === null && !isHidden) this.#claims.claim(presence, entries)
    presence.hasAnnounced = true
    if (member.phase.type === 'live') this.#arrive(presence)
    if (presence.own === null || isHidden) return
    for (const entry of entries) {
      if (entry.clientID === presence.own.clientID) this.#accept(presence, presence.own, entry)
    }
  }

  /** The member has its end marker: it gets the states now, or as soon as we know who it is (AW4). */
  memberLive(member: Member): void {
    const presence = this.#presenceOf(member)
    if (presence.hasAnnounced) this.#arrive(presence)
    else presence.cancelGrace = this.#time.after(announceGraceMs, () => this.#arrive(presence))
  }

  /** Sends the states again, as an answer to QueryAwareness. */
  query(member: Member): void {
    this.#sendStates(this.#presenceOf(member))
  }

  /** Removes the member's state for everyone (AW7). */
  leave(member: Member): void {
    const presence = this.#presences.get(member)
    if (presence === undefined) return
    this.#presences.delete(member)
    this.#arrivals.delete(presence)
    presence.cancelGrace()
    this.#release(presence)
  }

  /** It may be somebody else now, or may be seen no more. */
  personChanged(member: Member): void {
    const presence = this.#presences.get(member)
    if (presence === undefined) return
    if (this.#isHidden(member)) {
      presence.contest = null
      if (presence.own !== null) this.#release(presence)
      presence.own = null
    } else if (presence.own !== null && this.#policy.identity === 'stamped') {
      const state = stamped(presence.own.state, member.person.user)
      if (!areBytesEqual(state, presence.own.state)) this.#change(presence.own, state)
    }
  }

  #release(presence: Presence): void {
    const shared = this.#claims.release(presence)
    if (shared === null) return
    this.#forget(shared)
    if (shared.publishedState === null || isNullState(shared.publishedState)) return
    this.#removed.set(shared.clientID, shared.published)
    this.#flushSoon()
  }

  #isHidden({ access }: Member): boolean {
    return this.#policy.readers === 'hidden' && access === 'read'
  }

  /** Updates have left the room: entries that waited for them may follow. */
  updatesSent(): void {
    if (this.#changed.size > 0) this.#flushSoon()
  }

  /** Nothing is sent afterwards. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const presence of this.#presences.values()) presence.cancelGrace()
    this.#presences.clear()
    this.#arrivals.clear()
  }

  /** A clientID has an owner; `before` is its state on the connection that lost it, if one did. */
  #owned(shared: SharedState, before: SharedState | null): void {
    if (before !== null) this.#forget(before)
    this.#removed.delete(shared.clientID)
  }

  #presenceOf(member: Member): Presence {
    let presence = this.#presences.get(member)
    if (presence === undefined) {
      presence = createPresence(member)
      this.#presences.set(member, presence)
    }
    return presence
  }

  /** The state is its owner's no longer: nothing of it is to be published. */
  #forget(shared: SharedState): void {
    this.#changed.delete(shared)
    this.#renewed.delete(shared)
    this.#reclocked.delete(shared)
    for (const presence of this.#presences.values()) presence.awaiting?.delete(shared)
  }

  /** An entry of the connection's own clientID. */
  #accept(presence: Presence, shared: SharedState, entry: AwarenessEntry): void {
    const isRemoval =
      entry.clock === shared.received && isNullState(entry.state) && !isNullState(shared.state)
    if (entry.clock <= shared.received && !isRemoval) return
    this.#check(shared, entry)
    const isStamped = this.#policy.identity === 'stamped'
    const state = isStamped ? stamped(entry.state, presence.member.person.user) : entry.state
    if (isStamped) checkStateSize(state, this.#limits)
    const isSame = areBytesEqual(state, shared.state)
    const heardSinceMs = this.#time.nowMs() - this.#limits.awarenessRenewalMs
    const confirms = isSame && !shared.isFirst && isConfirmation(shared, entry.clock, heardSinceMs)
    shared.received = entry.clock
    // The owner is led back into step: when a room is lost, its clock is all there is to publish above.
    if (isSame && !shared.isFirst && canBeLed(shared)) tellOwner(shared)
    if (confirms) return
    shared.notBefore = presence.member.lastTicket
    if (isSame && !shared.isFirst) this.#renew(shared)
    else this.#change(shared, state)
  }

  /** A clock that leaps could not be kept ahead of; one that follows what we published ourselves is no leap. */
  #check(shared: SharedState, { clock, state }: AwarenessEntry): void {
    checkState(state, this.#limits)
    if (clock > this.#limits.awarenessClockMax && clock > shared.published + 1) {
      throw new Fault('ERR_BAD_MESSAGE', `an awareness clock of ${clock}`)
    }
  }

  #change(shared: SharedState, state: Uint8Array): void {
    shared.state = Uint8Array.from(state)
    shared.changedAtMs = this.#time.nowMs()
    this.#renewed.delete(shared)
    this.#changed.add(shared)
    this.#flushSoon()
  }

  #renew(shared: SharedState): void {
    if (!this.#changed.has(shared)) this.#rideAlong(this.#renewed, shared)
  }

  #rideAlong(list: Set<SharedState>, shared: SharedState): void {
    if (this.#renewed.size + this.#reclocked.size === 0) this.#renewedAtMs = this.#time.nowMs()
    list.add(shared)
    this.#flushAt(this.#renewedAtMs + this.#limits.awarenessRenewalMs)
  }

  #arrive(presence: Presence): void {
    if (presence.arrivedAtMs !== null || this.#arrivals.has(presence)) return
    if (this.#presences.get(presence.member) !== presence) return
    presence.cancelGrace()
    presence.cancelGrace = nothing
    this.#arrivals.add(presence)
    this.#flushSoon()
  }

  #flushSoon(): void {
    this.#flushAt(this.#flushedAtMs + this.#limits.awarenessTickMs)
  }

  #flushAt(dueMs: number): void {
    if (this.#timer !== null && this.#timer.dueMs <= dueMs) return
    this.#timer?.cancel()
    const delayMs = dueMs - this.#time.nowMs()
    const run = () => this.#flush()
    this.#timer = { dueMs, cancel: delayMs <= 0 ? this.#time.soon(run) : this.#time.after(delayMs, run) }
  }

  #flush(): void {
    this.#timer = null
    this.#flushedAtMs = this.#time.nowMs()
    const published = this.#publish()
    const removed = [...this.#removed].map(([clientID, clock]) => ({ clientID, clock, state: nullState }))
    this.#removed.clear()
    this.#broadcast(published, removed)
    this.#welcome()
    this.#refresh()
    if (this.#renewed.size + this.#reclocked.size > 0)
      this.#flushAt(this.#renewedAtMs + this.#limits.awarenessRenewalMs)
  }

  /** Gives each entry whose updates have left its clock, and takes it off the list. */
  #publish(): SharedState[] {
    const nowMs = this.#time.nowMs()
    const ticket = this.#host.durableTicket()
    const published = [...this.#reclocked].filter(
      each => !this.#changed.has(each) && !this.#renewed.has(each)
    )
    this.#reclocked.clear()
    let owedMs = 0
    for (const list of [this.#changed, this.#renewed]) {
      for (const shared of list) {
        if (shared.notBefore > ticket) continue
        const waitMs = list === this.#changed ? this.#pay(shared, nowMs) : 0
        if (waitMs > 0) {
          // Whatever its owner sends meanwhile takes its place: the last state is the one that is published.
          owedMs = owedMs === 0 ? waitMs : Math.min(owedMs, waitMs)
          continue
        }
        list.delete(shared)
        shared.published = nextClock(shared)
        shared.publishedState = shared.state
        shared.publishedAtMs = nowMs
        shared.isFirst = false
        published.push(shared)
      }
    }
    // What could not leave yet (its updates are still on their way to the disk) is started again by updatesSent.
    if (owedMs > 0) this.#flushAt(nowMs + owedMs)
    return published
  }

  /** Of its owner's budget, if nothing is owed; else returns how long it has to wait. */
  #pay({ owner, state }: SharedState, nowMs: number): number {
    owner.budget ??= new Budget(awarenessRates(this.#limits), nowMs)
    const owedMs = owner.budget.owedMs(nowMs)
    if (owedMs === 0) owner.budget.take(state.length, nowMs)
    return owedMs
  }

  /** One frame for everyone, encoded once per dialect; an owner that lags behind gets its own (AW3). */
  #broadcast(published: readonly SharedState[], removed: readonly AwarenessEntry[]): void {
    if (published.length + removed.length === 0) return
    const update = writeAwarenessUpdate([...published.map(asPublished), ...removed])
    const lagging = new Set<Presence>()
    for (const shared of published) if (clockForOwner(shared) < shared.published) lagging.add(shared.owner)
    const frames = new Map<string, Frame>()
    // An owner that still joins gets its own entry now: the room may be lost before it arrives, and the others would
    // then be sent a clock again that they know.
    for (const shared of published) {
      const { owner } = shared
      if (owner.arrivedAtMs === null && !this.#arrivals.has(owner)) sendEntries(owner, [asForOwner(shared)])
    }
    for (const presence of this.#presences.values()) {
      if (presence.arrivedAtMs === null) continue
      for (const shared of published) presence.awaiting?.delete(shared)
      const { encoder, port } = presence.member
      let frame = lagging.has(presence) ? ownersFrame(presence, published, removed) : frames.get(encoder.key)
      if (frame === undefined) {
        frame = encoder.awareness(update)
        frames.set(encoder.key, frame)
      }
      port.send(frame)
    }
    for (const { member } of lagging) askWhereItIs(member)
  }

  /** AW4: sends the states to those who are new, re-clocked where they know the present clock already. */
  #welcome(): void {
    if (this.#arrivals.size === 0) return
    const nowMs = this.#time.nowMs()
    const touched = new Set<SharedState>()
    for (const presence of this.#arrivals) {
      presence.arrivedAtMs = nowMs
      const knowsUntilMs = presence.own === null ? nowMs : presence.knowsUntilMs
      for (const shared of this.#claims.states()) {
        if (shared.owner === presence || knowsUntilMs === null || shared.publishedAtMs > knowsUntilMs)
          continue
        if (nowMs - shared.changedAtMs < this.#limits.awarenessRestMs) awaitState(presence, shared)
        else if (this.#reclock(shared, nowMs)) touched.add(shared)
      }
    }
    for (const presence of this.#arrivals) this.#sendStates(presence)
    this.#arrivals.clear()
    this.#tellOwners(touched)
  }

  /** Publishes states with a higher clock to those who wait for them to rest, and arms the timer for the next. */
  #refresh(): void {
    const nowMs = this.#time.nowMs()
    const touched = new Set<SharedState>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const presence of this.#presences.values()) {
      if (presence.awaiting === null || presence.awaiting.size === 0) continue
      const rested: SharedState[] = []
      for (const shared of presence.awaiting) {
        const restsAtMs = shared.changedAtMs + this.#limits.awarenessRestMs
        if (restsAtMs > nowMs) nextMs = Math.min(nextMs, restsAtMs)
        else if (touched.has(shared) || this.#reclock(shared, nowMs)) rested.push(shared)
      }
      for (const shared of rested) presence.awaiting.delete(shared)
      for (const shared of rested) touched.add(shared)
      sendEntries(presence, rested.map(asPublished))
    }
    this.#tellOwners(touched)
    if (nextMs < Number.POSITIVE_INFINITY) this.#flushAt(nextMs)
  }

  #reclock(shared: SharedState, nowMs: number): boolean {
    if (!isPresent(shared) || this.#changed.has(shared)) return false
    shared.published += 1
    shared.publishedAtMs = nowMs
    this.#rideAlong(this.#reclocked, shared)
    return true
  }

  #sendStates(presence: Presence): void {
    const entries: AwarenessEntry[] = []
    for (const shared of this.#claims.states()) {
      if (!isPresent(shared)) continue
      entries.push(shared.owner === presence ? asForOwner(shared) : asPublished(shared))
    }
    sendEntries(presence, entries)
  }

  #tellOwners(touched: ReadonlySet<SharedState>): void {
    for (const shared of touched) tellOwner(shared)
  }
}
