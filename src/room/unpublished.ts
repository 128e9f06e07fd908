/**
 * What of a room's presence waits to be published, and with which clock it leaves (AW1, AW2, AW7): changes as soon as
 * their owner's budget and their updates allow, renewals with the next frame or when they are due. It sends nothing.
 */
import { Budget } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { type AwarenessEntry, nullState } from '../dialect/awareness-update.ts'
import { isPresent } from './awareness-frames.ts'
import { awarenessRates, isFirst, isToBeFollowed, nextClock, type SharedState } from './presence.ts'

/** What leaves in one frame. */
export type Publication = {
  readonly published: readonly SharedState[]
  readonly removed: readonly AwarenessEntry[]
  /** First entries that only their owners are to be sent yet. */
  readonly offered: readonly SharedState[]
}

export class Unpublished {
  readonly #time: Time
  readonly #limits: Limits
  readonly #flushAt: (dueMs: number) => void
  readonly #changed = new Set<SharedState>()
  readonly #renewed = new Set<SharedState>()
  /** Published with a higher clock to some only: the others get it as if renewed, or they would time it out. */
  readonly #reclocked = new Set<SharedState>()
  readonly #removed = new Map<number, number>()
  #renewedAtMs = 0

  /** `flushAt` asks for a call of `take` no later than then. */
  constructor({ time, limits }: { time: Time; limits: Limits }, flushAt: (dueMs: number) => void) {
    this.#time = time
    this.#limits = limits
    this.#flushAt = flushAt
  }

  /** There is what waits for a budget, or for the updates that were sent before it. */
  get hasChanges(): boolean {
    return this.#changed.size > 0
  }

  /** Something of it is about to be published. */
  isPending(shared: SharedState): boolean {
    return this.#changed.has(shared) || this.#renewed.has(shared) || this.#reclocked.has(shared)
  }

  /** The state is another one. To be followed by a flush. */
  change(shared: SharedState, state: Uint8Array): void {
    shared.state = Uint8Array.from(state)
    shared.changedAtMs = this.#time.nowMs()
    this.#renewed.delete(shared)
    this.#changed.add(shared)
  }

  /** The state is the same and its owner still there. */
  renew(shared: SharedState): void {
    if (!this.#changed.has(shared)) this.#rideAlong(this.#renewed, shared)
  }

  /** Gives a present state a higher clock, for whoever is sent it next. Not while a change is about to do so. */
  reclock(shared: SharedState, nowMs: number): boolean {
    if (!isPresent(shared) || this.#changed.has(shared)) return false
    shared.published += 1
    shared.publishedAtMs = nowMs
    this.#rideAlong(this.#reclocked, shared)
    return true
  }

  /** Has a present state published above a clock that others know; one that changes has it with the change. */
  raise(shared: SharedState, above: number): boolean {
    shared.published = Math.max(shared.published, above)
    return this.reclock(shared, this.#time.nowMs())
  }

  /** The clientID has left. To be followed by a flush. */
  remove(clientID: number, clock: number): void {
    this.#removed.set(clientID, clock)
  }

  /** The state is its owner's no longer: nothing of it is to be published. */
  forget(shared: SharedState): void {
    this.#changed.delete(shared)
    this.#renewed.delete(shared)
    this.#reclocked.delete(shared)
  }

  /** Gives each entry whose updates have left its clock, and takes it off the list. */
  take(durableTicket: number): Publication {
    const nowMs = this.#time.nowMs()
    const published = [...this.#reclocked].filter(
      each => !this.#changed.has(each) && !this.#renewed.has(each)
    )
    this.#reclocked.clear()
    const offered: SharedState[] = []
    let owedMs = 0
    for (const list of [this.#changed, this.#renewed]) {
      for (const shared of list) {
        if (this.#waitsForOwner(shared, nowMs)) {
          if (shared.stage === 'new') offered.push(shared)
          shared.stage = 'offered'
          continue
        }
        if (shared.notBefore > durableTicket) continue
        const waitMs = list === this.#changed ? this.#pay(shared, nowMs) : 0
        if (waitMs > 0) {
          // Whatever its owner sends meanwhile takes its place: the last state is the one that is published.
          owedMs = owedMs === 0 ? waitMs : Math.min(owedMs, waitMs)
          continue
        }
        list.delete(shared)
        publish(shared, nowMs)
        // It is here again: nobody needs to hear that it was gone.
        this.#removed.delete(shared.clientID)
        published.push(shared)
      }
    }
    // What could not leave yet (its updates are still on their way to the disk) is started again by updatesSent.
    if (owedMs > 0) this.#flushAt(nowMs + owedMs)
    const removed = [...this.#removed].map(([clientID, clock]) => ({ clientID, clock, state: nullState }))
    this.#removed.clear()
    return { published, removed, offered }
  }

  /** A frame has left: what was to ride along with it and could not waits for its own time. */
  sent(): void {
    if (this.#renewed.size + this.#reclocked.size > 0) this.#flushAt(this.#ridesUntilMs)
  }

  get #ridesUntilMs(): number {
    return this.#renewedAtMs + this.#limits.awarenessRenewalMs
  }

  #rideAlong(list: Set<SharedState>, shared: SharedState): void {
    if (this.#renewed.size + this.#reclocked.size === 0) this.#renewedAtMs = this.#time.nowMs()
    list.add(shared)
    this.#flushAt(this.#ridesUntilMs)
  }

  /** Asks for a flush when its owner has had its time. */
  #waitsForOwner(shared: SharedState, nowMs: number): boolean {
    const dueMs = shared.ownedAtMs + this.#limits.awarenessFollowMs
    if (nowMs >= dueMs || !isToBeFollowed(shared)) return false
    this.#flushAt(dueMs)
    return true
  }

  /** Of its owner's budget, if nothing is owed; else returns how long it has to wait. */
  #pay({ owner, state }: SharedState, nowMs: number): number {
    owner.budget ??= new Budget(awarenessRates(this.#limits), nowMs)
    const owedMs = owner.budget.owedMs(nowMs)
    if (owedMs === 0) owner.budget.take(state.length, nowMs)
    return owedMs
  }
}

function publish(shared: SharedState, nowMs: number): void {
  const clock = nextClock(shared)
  if (isFirst(shared)) shared.stage = isToBeFollowed(shared) ? 'unproven' : 'settled'
  shared.published = clock
  shared.publishedState = shared.state
  shared.publishedAtMs = nowMs
}
