/**
 * Presence of one room: what an entry does, and to whom a frame goes (AW2, AW3). Whose entry counts is decided in
 * claims.ts, what is published when in unpublished.ts, what newcomers get in welcomes.ts, what other nodes are told and
 * tell in shared-presence.ts. It sends frames to members and never touches the document or the store (I8).
 */

import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
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
import {
  asForOwner,
  askWhereTheyAre,
  asPublished,
  isPresent,
  isSeenAsGone,
  offerToOwners,
  ownersFrame,
  sendEntries,
  tellOwners
} from './awareness-frames.ts'
import { Claims } from './claims.ts'
import { Departed } from './departed.ts'
import { stamped } from './identity.ts'
import type { Member } from './member.ts'
import type { Nodes } from './nodes.ts'
import {
  canBeLed,
  clockForOwner,
  createPresence,
  isConfirmation,
  isFirst,
  type Presence,
  restsUntilMs,
  type SharedState
} from './presence.ts'
import type { LogPosition } from './presence-line.ts'
import { Renewals } from './renewals.ts'
import { SharedPresence } from './shared-presence.ts'
import { type Publication, Unpublished } from './unpublished.ts'
import { Welcomes } from './welcomes.ts'

/**
 * `durableTicket`: up to which ticket the room's updates have been sent out; `position`: up to which record of the log
 * that it shares with other nodes.
 */
export type AwarenessHost = {
  readonly document: string
  durableTicket(): number
  position(): LogPosition
  takenOver(member: Member): void
}

/** Whose `user` a state has: the client's, or the grant's. And whether those who may only read are seen. */
export type PresencePolicy = {
  readonly identity: 'as-sent' | 'stamped'
  readonly readers: 'shown' | 'hidden'
}

type Parts = {
  readonly nodes: Nodes | null
  readonly time: Time
  readonly limits: Limits
  readonly presence: PresencePolicy
}

export class Awareness {
  readonly #host: AwarenessHost
  readonly #claims: Claims
  readonly #time: Time
  readonly #limits: Limits
  readonly #policy: PresencePolicy
  readonly #presences = new Map<Member, Presence>()
  readonly #unpublished: Unpublished
  readonly #welcomes: Welcomes
  readonly #renewals: Renewals
  /** Null: this node is the only one. */
  readonly #elsewhere: SharedPresence | null
  #flushedAtMs = Number.NEGATIVE_INFINITY
  #timer: { dueMs: number; cancel: Cancel } | null = null
  #isClosed = false

  constructor(host: AwarenessHost, parts: Parts) {
    const { nodes, time, limits, presence } = parts
    this.#host = host
    this.#time = time
    this.#limits = limits
    this.#policy = presence
    const isHere = (presence: Presence) => this.#presences.get(presence.member) === presence
    const departed = new Departed(time, limits)
    this.#elsewhere = nodes === null ? null : this.#share({ nodes, departed, time, limits })
    this.#claims = new Claims(
      { departed, elsewhere: this.#elsewhere, time, limits },
      {
        isHere,
        lost: before => this.#forget(before),
        won: (presence, shared, entry) => {
          if (this.#accept(presence, shared, entry) === 'to-be-led') tellOwners([shared])
        },
        displaced: presence => host.takenOver(presence.member)
      }
    )
    const flushAt = (dueMs: number) => this.#flushAt(dueMs)
    this.#unpublished = new Unpublished(parts, flushAt)
    this.#welcomes = new Welcomes(parts, {
      isHere,
      flushAt,
      presences: () => this.#presences.values(),
      states: () => this.#claims.states(),
      reclock: (shared, nowMs) => this.#unpublished.reclock(shared, nowMs),
      shownElsewhere: () => this.#elsewhere?.shown() ?? [],
      knownElsewhereUntil: knowsUntilMs => this.#elsewhere?.knownUntil(knowsUntilMs),
      flushSoon: () => this.#flushSoon()
    })
    this.#renewals = new Renewals(parts, {
      states: () => this.#claims.states(),
      isPending: shared => this.#unpublished.isPending(shared),
      renew: shared => this.#unpublished.renew(shared)
    })
  }

  #share(parts: { nodes: Nodes; departed: Departed; time: Time; limits: Limits }): SharedPresence {
    const { document, position } = this.#host
    return new SharedPresence(
      { ...parts, document },
      {
        position,
        ownState: clientID => this.#claims.state(clientID),
        ownStates: () => this.#claims.count,
        raise: (shared, above) => this.#raise(shared, above),
        give: (shared, why) => this.#give(shared, why),
        returned: ({ owner }) => this.#welcomes.returned(owner),
        flushSoon: () => this.#flushSoon()
      }
    )
  }

  /** Takes an awareness message. Throws ERR_BAD_MESSAGE; entries of other people's clientIDs are ignored (AW6). */
  receive(member: Member, bytes: Uint8Array): void {
    const presence = this.#presenceOf(member)
    const isHidden = this.#isHidden(member)
    const entries = readAwarenessUpdate(bytes, this.#limits)
    if (!isHidden) this.#claims.claim(presence, entries)
    presence.hasAnnounced = true
    if (member.phase.type === 'live') this.#welcomes.arrive(presence)
    if (presence.own.length === 0 || isHidden) return
    const led: SharedState[] = []
    for (const entry of entries) {
      const shared = this.#claims.ownState(presence, entry.clientID)
      if (shared !== null && this.#accept(presence, shared, entry) === 'to-be-led') led.push(shared)
    }
    if (led.length > 0) tellOwners(led)
  }

  /**
   * The member is sent the states now and what changes from now on, and has none of its own. `current`: it was sent them a
   * moment ago, and still shows them. `anything`: it may know any clock, and nobody knows which.
   */
  watch(member: Member, knows: 'current' | 'anything'): void {
    const presence = this.#presenceOf(member)
    presence.isCurrent = knows === 'current'
    presence.hasAnnounced = true
    this.#welcomes.memberLive(presence)
  }

  /** The member has its end marker: it gets the states now, or as soon as we know who it is (AW4). */
  memberLive(member: Member): void {
    this.#welcomes.memberLive(this.#presenceOf(member))
  }

  /** Sends the states again, as an answer to QueryAwareness. */
  query(member: Member): void {
    this.#welcomes.sendStates(this.#presenceOf(member))
  }

  /** What is published and there, by clientID. */
  shown(): ReadonlyMap<number, Uint8Array> {
    const found = new Map<number, Uint8Array>()
    for (const shared of this.#claims.states())
      if (isPresent(shared)) found.set(shared.clientID, shared.publishedState ?? nullState)
    for (const { clientID, state } of this.#elsewhere?.shown() ?? []) {
      if (!isNullState(state)) found.set(clientID, state)
    }
    return found
  }

  /** Removes the member's state for everyone (AW7). */
  leave(member: Member): void {
    const presence = this.#presences.get(member)
    if (presence === undefined) return
    this.#presences.delete(member)
    this.#welcomes.leave(presence)
    this.#release(presence)
  }

  /** It may be somebody else now, or may be seen no more. */
  personChanged(member: Member): void {
    const presence = this.#presences.get(member)
    if (presence === undefined) return
    if (this.#isHidden(member)) {
      this.#release(presence)
    } else if (this.#policy.identity === 'stamped') {
      for (const shared of presence.own) {
        const state = stamped(shared.state, member.person.user)
        if (!areBytesEqual(state, shared.state)) this.#change(shared, state)
      }
    }
  }

  #release(presence: Presence): void {
    for (const shared of this.#claims.release(presence)) this.#remove(shared)
  }

  #remove(shared: SharedState): void {
    this.#forget(shared)
    if (!isPresent(shared)) return
    this.#unpublished.remove(shared.clientID, shared.published)
    this.#flushSoon()
  }

  /** Clients of other nodes know this clock of it. A step that nobody is in a hurry for waits as that of AW4 does. */
  #raise(shared: SharedState, above: number): void {
    const rests = this.#time.nowMs() >= restsUntilMs(shared, this.#limits.awarenessRestMs)
    if (above === shared.published && !rests) return
    if (above <= this.#limits.awarenessClockMax && this.#unpublished.raise(shared, above))
      tellOwners([shared])
  }

  /** The clientID is a member's of another node. */
  #give(shared: SharedState, why: 'silent' | 'later'): void {
    this.#claims.give(shared)
    this.#remove(shared)
    if (why === 'silent') this.#host.takenOver(shared.owner.member)
  }

  #isHidden({ access }: Member): boolean {
    return this.#policy.readers === 'hidden' && access === 'read'
  }

  /** Updates have left the room: entries that waited for them may follow. */
  updatesSent(): void {
    if (this.#unpublished.hasChanges || this.#elsewhere?.isWaiting === true) this.#flushSoon()
  }

  /** Nothing is sent afterwards. */
  close(): void {
    this.#isClosed = true
    this.#elsewhere?.close()
    this.#timer?.cancel()
    this.#timer = null
    for (const presence of this.#presences.values()) presence.cancelGrace()
    this.#presences.clear()
    this.#welcomes.close()
    this.#renewals.close()
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
    this.#unpublished.forget(shared)
    for (const presence of this.#presences.values()) presence.awaiting?.delete(shared)
  }

  /** An entry of one of the connection's own clientIDs. Answers whether its owner lags behind and can be helped. */
  #accept(presence: Presence, shared: SharedState, entry: AwarenessEntry): 'to-be-led' | 'in-step' {
    const isRemoval =
      entry.clock === shared.received && isNullState(entry.state) && !isNullState(shared.state)
    if (entry.clock <= shared.received && !isRemoval) return 'in-step'
    this.#check(shared, entry)
    const isStamped = this.#policy.identity === 'stamped'
    const state = isStamped ? stamped(entry.state, presence.member.person.user) : entry.state
    if (isStamped) checkStateSize(state, this.#limits)
    const isSame = areBytesEqual(state, shared.state)
    const heardSinceMs = this.#time.nowMs() - this.#limits.awarenessRenewalMs
    const confirms = isSame && !isFirst(shared) && isConfirmation(shared, entry.clock, heardSinceMs)
    if (shared.firstReceived === -1) shared.firstReceived = entry.clock
    shared.received = entry.clock
    const proves = shared.stage === 'unproven'
    if (proves) shared.stage = 'settled'
    // The owner is led back into step: when a room is lost, its clock is all there is to publish above.
    const step = isSame && !isFirst(shared) && canBeLed(shared) ? 'to-be-led' : 'in-step'
    if (confirms && !proves) return step
    shared.notBefore = presence.member.lastTicket
    if (!isSame || isFirst(shared)) this.#change(shared, state)
    else this.#unpublished.renew(shared)
    if (proves) this.#flushSoon()
    return step
  }

  /** A clock that leaps could not be kept ahead of; one that follows what we published ourselves is no leap. */
  #check(shared: SharedState, { clock, state }: AwarenessEntry): void {
    checkState(state, this.#limits)
    if (clock > this.#limits.awarenessClockMax && clock > shared.published + 1) {
      throw new Fault('ERR_BAD_MESSAGE', `an awareness clock of ${clock}`)
    }
  }

  #change(shared: SharedState, state: Uint8Array): void {
    this.#unpublished.change(shared, state)
    this.#flushSoon()
  }

  #flushSoon(): void {
    this.#flushAt(this.#flushedAtMs + this.#limits.awarenessTickMs)
  }

  #flushAt(dueMs: number): void {
    if (this.#isClosed || (this.#timer !== null && this.#timer.dueMs <= dueMs)) return
    this.#timer?.cancel()
    const delayMs = dueMs - this.#time.nowMs()
    const run = () => this.#flush()
    this.#timer = { dueMs, cancel: delayMs <= 0 ? this.#time.soon(run) : this.#time.after(delayMs, run) }
  }

  #flush(): void {
    this.#timer = null
    this.#flushedAtMs = this.#time.nowMs()
    const publication = this.#unpublished.take(this.#host.durableTicket())
    offerToOwners(publication.offered, this.#limits.awarenessQueriesMax)
    const foreign = this.#elsewhere?.exchange(publication) ?? []
    const lagging = this.#broadcast(publication, foreign)
    this.#welcomes.welcome()
    // After that: whoever is new has been led a step by its own state among those it was sent, and answers with that.
    askWhereTheyAre(lagging, this.#limits.awarenessQueriesMax)
    this.#welcomes.refresh()
    this.#unpublished.sent()
  }

  /** One frame for everyone, encoded once per dialect; owners that lag behind get their own (AW3). Returns those. */
  #broadcast({ published, removed }: Publication, foreign: readonly AwarenessEntry[]): ReadonlySet<Presence> {
    const lagging = new Set<Presence>()
    const others = [...removed, ...foreign]
    if (published.length + others.length === 0) return lagging
    if (published.length > 0) this.#renewals.watch()
    const update = writeAwarenessUpdate([...published.map(asPublished), ...others])
    // Who is said to be gone is asked as well: a null that had waited for the connection may be older than its state.
    for (const shared of published)
      if (clockForOwner(shared) < shared.published || isSeenAsGone(shared)) lagging.add(shared.owner)
    const frames = new Map<string, Frame>()
    // An owner that still joins gets its own entry now: the room may be lost before it arrives, and the others would
    // then be sent a clock again that they know.
    for (const shared of published) {
      const { owner } = shared
      if (owner.arrivedAtMs === null && !this.#welcomes.isExpected(owner))
        sendEntries(owner, [asForOwner(shared)])
    }
    for (const presence of this.#presences.values()) {
      if (presence.arrivedAtMs === null) continue
      for (const shared of published) presence.awaiting?.delete(shared)
      const { encoder, port } = presence.member
      const isApart = lagging.has(presence) || presence.contests !== null
      let frame = isApart ? ownersFrame(presence, published, others) : frames.get(encoder.key)
      if (frame === undefined) {
        frame = encoder.awareness(update)
        frames.set(encoder.key, frame)
      }
      port.send(frame)
    }
    return lagging
  }
}
