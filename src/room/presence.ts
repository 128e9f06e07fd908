/**
 * What awareness keeps per connection and per clientID, and the clock arithmetic between the two. No sending here.
 * The rules AW1–AW7 are in PROTOCOL.md; receivers ignore equal clocks and keep them across reconnects, so a clock
 * that is relayed as it came makes people invisible after a reconnect.
 */
import type { Budget, Rates } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import { isNullState } from '../dialect/awareness-update.ts'
import type { Member } from './member.ts'

/** Where one connection stands in awareness. */
export type Presence = {
  readonly member: Member
  /** The states it owns, once its claims were accepted. */
  own: readonly SharedState[]
  /** It has announced itself alone, as clients do, and owns one state; or several clientIDs at once, see `Claims`. */
  speaksFor: 'one' | 'several'
  /** It has sent an awareness message. */
  hasAnnounced: boolean
  /** When it was sent the room's states, or null. */
  arrivedAtMs: number | null
  /** What it was sent before still is what it shows: nothing is given a higher clock for it. */
  isCurrent: boolean
  /** It was here before, left at this time and still knows clocks published until then. */
  knowsUntilMs: number | null
  /** States it may ignore until they are published with a higher clock, see `restedStates`. */
  awaiting: Set<SharedState> | null
  /** When it was last pinged because a state of it was late (AW10), and whether something was heard of it since. */
  pinged: { readonly atMs: number; readonly isAnswered: () => boolean } | null
  /** By clientID, its entries while the present owners are being pinged. */
  contests: Map<number, Contest> | null
  /** Ends the wait for its first awareness message. */
  cancelGrace: () => void
  /** What it may publish; made when it publishes for the first time. */
  budget: Budget | null
}

export type Contest = {
  /** Who is being pinged; `node`: by another node. */
  readonly owner: Presence | ForeignOwner
  latest: { readonly clock: number; readonly state: Uint8Array }
}

/** A connection of another node. */
export type ForeignOwner = { readonly node: string }

/** The state of one clientID. `state` is UTF-8 JSON, a copy of our own. */
export type SharedState = {
  readonly clientID: number
  readonly owner: Presence
  /** Its owner speaks for several. */
  readonly isRelayed: boolean
  readonly ownedAtMs: number
  /** The same in wall time, for other nodes. */
  readonly claimedAtMs: number
  state: Uint8Array
  /** The clock its owner began with on this connection, -1 before. */
  firstReceived: number
  /** The highest clock its owner has sent on this connection: the owner's own clock is at least this. */
  received: number
  /** The clock last published, -1 before the first time. */
  published: number
  publishedState: Uint8Array | null
  publishedAtMs: number
  changedAtMs: number
  stage: Stage
  /** Ticket of the updates its connection sent before the entry: it leaves no earlier than they do. */
  notBefore: number
}

/**
 * How far the first entry of a connection has come (AW1). `offered`: its owner has been sent it with a clock one higher,
 * nobody else has. `unproven`: published although its owner has not answered, so others may know the clock already.
 */
export type Stage = 'new' | 'offered' | 'unproven' | 'settled'

/** What one connection may publish. */
export function awarenessRates(limits: Limits): Rates {
  return {
    messagesPerSecond: limits.awarenessPerSecondMax,
    messagesMax: limits.awarenessBurstMax,
    bytesPerSecond: limits.awarenessBytesPerSecondMax,
    bytesMax: limits.awarenessBytesBurstMax
  }
}

/** There are many connections, and few of them wait for anything. */
export function nothing(): void {}

const nobody: readonly SharedState[] = []

export function createPresence(member: Member): Presence {
  return {
    member,
    own: nobody,
    speaksFor: 'one',
    hasAnnounced: false,
    arrivedAtMs: null,
    isCurrent: false,
    knowsUntilMs: null,
    awaiting: null,
    pinged: null,
    contests: null,
    cancelGrace: nothing,
    budget: null
  }
}

/** It may ignore the state until that is published with a higher clock. */
export function awaitState(presence: Presence, shared: SharedState): void {
  presence.awaiting ??= new Set()
  presence.awaiting.add(shared)
}

/**
 * Its owner is being asked whether it still is there, on behalf of this connection. That may have the same client behind
 * it, which would take an older state of itself over if it were sent it with a higher clock (AW3).
 */
export function isContestedBy(presence: Presence, { clientID }: { readonly clientID: number }): boolean {
  return presence.contests?.has(clientID) === true
}

/** Nothing of this connection has been published: what is, is to be above everything published before (AW1). */
export function isFirst({ stage }: SharedState): boolean {
  return stage === 'new' || stage === 'offered'
}

/** AW1, AW2: the clock an accepted entry is published with. */
export function nextClock(shared: SharedState): number {
  const above = shared.published + 1
  if (!isFirst(shared)) return Math.max(shared.received, above)
  return Math.max(shared.received, shared.published) + 1
}

/**
 * AW1: whether others hear of a first entry only once its owner has followed by a step. Others never know more than one
 * above the owner's clock. A room that has no memory of the clientID, as after a crash, cannot see whether they do know
 * that one: two above is new to them. Where there is a memory that the owner has caught up with, one above is.
 */
export function isToBeFollowed({ stage, state, published, firstReceived, received }: SharedState): boolean {
  if ((stage !== 'new' && stage !== 'offered') || isNullState(state) || received > firstReceived) return false
  return published === -1 || published > firstReceived
}

/**
 * From when on the server may raise the clock for whoever returns (AW4): not while the state changes, nor while its
 * owner may still be behind by the last step. Two steps in a row would be more than a first entry makes up for.
 */
export function restsUntilMs(shared: SharedState, restMs: number): number {
  const { changedAtMs, published, publishedAtMs, received } = shared
  return (published > received ? Math.max(changedAtMs, publishedAtMs) : changedAtMs) + restMs
}

/**
 * Each step is a message there and back: who lags by more is led no further than its own changes lead it. A tab that
 * the browser has frozen for an hour and a half lags by that much.
 */
const leadStepsMax = 300

/** Whether the owner lags behind what was published, and a few messages bring it back into step. */
export function canBeLed({ published, received }: SharedState): boolean {
  return published > received && published - received <= leadStepsMax
}

/**
 * AW2: whether an entry that changes nothing tells us only that its owner has heard of what was published. Publishing
 * would leave that owner behind again. It may have heard more than we know of: whoever comes back while its old
 * connection still is the owner is sent the state as everyone is. If nobody heard anything since, it is a renewal.
 */
export function isConfirmation(shared: SharedState, clock: number, heardSinceMs: number): boolean {
  if (clock === clockForOwner(shared)) return true
  return clock <= shared.published && shared.publishedAtMs >= heardSinceMs
}

/**
 * AW3: the clock its owner may be sent: never more than one above the owner's own. An owner that has changed its
 * state meanwhile is then at least as high and ignores the entry, instead of taking an old state of itself over.
 */
export function clockForOwner(shared: SharedState): number {
  return Math.min(shared.published, shared.received + 1)
}
