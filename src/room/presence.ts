/**
 * What awareness keeps per connection and per clientID, and the clock arithmetic between the two. No sending here.
 * The rules AW1–AW7 are in PROTOCOL.md; receivers ignore equal clocks and keep them across reconnects, so a clock
 * that is relayed as it came makes people invisible after a reconnect.
 */
import type { Budget, Rates } from '../budget.ts'
import type { Limits } from '../limits.ts'
import type { Member } from './member.ts'

/** Where one connection stands in awareness. */
export type Presence = {
  readonly member: Member
  /** The state it owns, once its claim was accepted. */
  own: SharedState | null
  /** It has sent an awareness message. */
  hasAnnounced: boolean
  /** When it was sent the room's states, or null. */
  arrivedAtMs: number | null
  /** It was here before, left at this time and still knows clocks published until then. */
  knowsUntilMs: number | null
  /** States it may ignore until they are published with a higher clock, see `restedStates`. */
  awaiting: Set<SharedState> | null
  /** Its entry while the present owner of the clientID is being pinged. */
  contest: { readonly clientID: number; latest: { clock: number; state: Uint8Array } } | null
  /** Ends the wait for its first awareness message. */
  cancelGrace: () => void
  /** What it may publish; made when it publishes for the first time. */
  budget: Budget | null
}

/** The state of one clientID. `state` is UTF-8 JSON, a copy of our own. */
export type SharedState = {
  readonly clientID: number
  owner: Presence
  state: Uint8Array
  /** The highest clock its owner has sent on this connection: the owner's own clock is at least this. */
  received: number
  /** The clock last published, -1 before the first time. */
  published: number
  publishedState: Uint8Array | null
  publishedAtMs: number
  changedAtMs: number
  /** The first entry of this connection is to be published above everything published before (AW1). */
  isFirst: boolean
  /** Ticket of the updates its connection sent before the entry: it leaves no earlier than they do. */
  notBefore: number
}

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

export function createPresence(member: Member): Presence {
  return {
    member,
    own: null,
    hasAnnounced: false,
    arrivedAtMs: null,
    knowsUntilMs: null,
    awaiting: null,
    contest: null,
    cancelGrace: nothing,
    budget: null
  }
}

/** It may ignore the state until that is published with a higher clock. */
export function awaitState(presence: Presence, shared: SharedState): void {
  presence.awaiting ??= new Set()
  presence.awaiting.add(shared)
}

/** AW1, AW2: the clock an accepted entry is published with. */
export function nextClock(shared: SharedState): number {
  const above = shared.published + 1
  if (!shared.isFirst) return Math.max(shared.received, above)
  return Math.max(shared.received, shared.published) + 1
}

/** Each step is a message there and back: who lags by more is led no further than its own changes lead it. */
const leadStepsMax = 16

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
