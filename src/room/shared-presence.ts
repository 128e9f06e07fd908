/**
 * A room's presence among the rooms of the same document on other nodes: tells them what its members are shown of its
 * own members, has members shown what they tell, and settles with them whose a clientID is. It raises no clock of a
 * clientID that is not its own members'. What it cannot do now it does later: nothing here throws.
 */
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import { type AwarenessEntry, isNullState, nullState } from '../dialect/awareness-update.ts'
import { isSeenAsGone } from './awareness-frames.ts'
import type { Departed, DepartedClock } from './departed.ts'
import { ForeignOwners, type OwnerSays } from './foreign-owners.ts'
import { ForeignPresence, type ForeignShown, isEarlier } from './foreign-presence.ts'
import type { ForeignRoom, ForeignState } from './foreign-room.ts'
import type { Nodes } from './nodes.ts'
import type { SharedState } from './presence.ts'
import type {
  KnownClock,
  LogPosition,
  PresenceLine,
  PresenceListener,
  PresenceMessage,
  ToldState,
  ToldStates
} from './presence-line.ts'
import { ToldPresence } from './told-presence.ts'
import type { Publication } from './unpublished.ts'

/** What the room does for other nodes. */
type Host = {
  /** How much of the document members have been shown. */
  position(): LogPosition
  ownState(clientID: number): SharedState | undefined
  ownStates(): number
  /** The state is published with a clock above this one, at once or when it rests. */
  raise(shared: SharedState, above: number): void
  /** The state is its owner's no longer: the connection does not answer, or there is an earlier claim. */
  give(shared: SharedState, why: 'silent' | 'later'): void
  /** It was on another node before, and knows the clocks that were published there. */
  returned(shared: SharedState): void
  flushSoon(): void
}

type Parts = {
  readonly document: string
  readonly nodes: Nodes
  readonly departed: Departed
  readonly time: Time
  readonly limits: Limits
}

export class SharedPresence implements PresenceListener {
  readonly #node: string
  readonly #time: Time
  readonly #host: Host
  readonly #departed: Departed
  readonly #line: PresenceLine
  readonly #told: ToldPresence
  readonly #foreign: ForeignPresence
  readonly #owners: ForeignOwners
  /** ClientIDs to be told of once more; and those that were, since the last beat, as another node has them too. */
  readonly #again = new Set<number>()
  readonly #insisted = new Set<number>()
  /** ClientIDs of its own about which an earlier claim is being asked. */
  readonly #contended = new Set<number>()
  /** The lowest number after which somebody wants to hear everything, or null. */
  #askedSince: number | null = null

  constructor({ document, nodes, departed, time, limits }: Parts, host: Host) {
    this.#node = nodes.node
    this.#time = time
    this.#host = host
    this.#departed = departed
    this.#told = new ToldPresence(limits.awarenessDepartedMax)
    this.#foreign = new ForeignPresence(limits, departed, {
      ownsState: clientID => host.ownState(clientID) !== undefined,
      ownStates: () => host.ownStates()
    })
    this.#line = nodes.sharePresence(document, this)
    this.#owners = new ForeignOwners(time, limits, {
      send: message => this.#line.send(message),
      ownState: clientID => host.ownState(clientID),
      departedClock: clientID => departed.clock(clientID) ?? -1,
      lost: shared => this.#give(shared, 'silent')
    })
    this.#line.stands(0)
    this.#line.send({ type: 'ask', to: null, since: 0 })
  }

  /** What members here see of other nodes' members. */
  shown(): Iterable<ForeignShown> {
    return this.#foreign.shown()
  }

  get shownCount(): number {
    return this.#foreign.shownCount
  }

  get ownCount(): number {
    return this.#host.ownStates()
  }

  shownClock(clientID: number): number | null {
    return this.#foreign.shownOf(clientID)?.clock ?? null
  }

  /** The node whose member has the clientID. */
  ownerOf(clientID: number): string | null {
    return this.#foreign.ownerOf(clientID)
  }

  /** A client here wants it, and it is that node's. Never rejects; what is not there any more is forgotten. */
  async ask(node: string, clientID: number): Promise<OwnerSays> {
    const says = await this.#owners.ask(node, clientID)
    if (says.outcome === 'yours') this.#foreign.drop(node, clientID)
    return says
  }

  /** See `ForeignPresence`. */
  surrender(clientID: number): ForeignShown | null {
    return this.#foreign.surrender(clientID)
  }

  /** Who has come may know what was published on other nodes until then. */
  knownUntil(knownUntilMs: number): void {
    this.#foreign.knownUntil(knownUntilMs)
    this.#askForHigher()
  }

  /** Something of other nodes waits to be shown. */
  get isWaiting(): boolean {
    return this.#foreign.isWaiting
  }

  /** Tells the others what leaves for members here, and returns what they have told and is to leave with it. */
  exchange({ published, removed }: Publication): AwarenessEntry[] {
    const before = this.#told.number
    const nowMs = this.#time.nowMs()
    for (const { clientID } of published) this.#again.delete(clientID)
    const told = [
      ...published.map(shared => this.#tell(shared)),
      ...removed.map(({ clientID, clock, state }) => {
        this.#foreign.look(clientID)
        return this.#told.tell({ clientID, clock, state, claimedAtMs: 0, publishedAtMs: nowMs }, nowMs)
      }),
      ...this.#repeated()
    ]
    this.#send(before, told)
    const entries = this.#foreign.resolve(this.#host.position())
    this.#askForHigher()
    return entries
  }

  close(): void {
    this.#owners.close()
    this.#line.close()
  }

  heard(from: string, epoch: number, message: PresenceMessage): void {
    const room = this.#roomOf(from, epoch)
    if (room === null) return
    switch (message.type) {
      case 'states':
        return this.#take(room, message)
      case 'ask':
        if (message.to === null || message.to === this.#node) this.#asked(from, message.since)
        return
      case 'raise':
        if (message.to === this.#node) for (const known of message.clocks) this.#raise(known)
        return
      case 'claim':
        if (message.to === this.#node) this.#owners.asked(from, message)
        return
      case 'answer':
        if (message.to === this.#node) this.#owners.answered(message)
        return
      case 'departed':
        if (message.to === this.#node) for (const departed of message.clocks) this.#learn(departed)
        return
      case 'left':
        this.#foreign.left(from, epoch)
        return this.#host.flushSoon()
      default:
        return message satisfies never
    }
  }

  stands(from: string, epoch: number, number: number): void {
    const room = this.#roomOf(from, epoch)
    room?.stands(number)
    if (room?.isBehind === true) this.#askFor(room)
  }

  #askFor({ node, heardUpto }: ForeignRoom): void {
    this.#line.send({ type: 'ask', to: node, since: heardUpto })
  }

  silent(from: string): void {
    this.#foreign.silent(from)
    this.#owners.silent(from)
    if (this.#foreign.isWaiting) this.#host.flushSoon()
  }

  beat(): void {
    this.#insisted.clear()
    for (const room of this.#foreign.behind()) this.#askFor(room)
    if (this.#foreign.askAgain()) this.#askForHigher()
  }

  #roomOf(from: string, epoch: number): ForeignRoom | null {
    const had = this.#foreign.hasRoom(from, epoch)
    const room = this.#foreign.room(from, epoch)
    // Whoever is new here may not know of this room.
    if (room !== null && !had) this.#line.stands(this.#told.number)
    return room
  }

  #tell({ clientID, published, claimedAtMs, publishedState, publishedAtMs }: SharedState): ToldState {
    const state = publishedState ?? nullState
    const publishing = { clientID, clock: published, claimedAtMs, state, publishedAtMs }
    return this.#told.tell(publishing, this.#time.nowMs())
  }

  #repeated(): ToldState[] {
    const repeated: ToldState[] = []
    for (const clientID of this.#again) {
      const own = this.#host.ownState(clientID)
      // What an owner has that has said nothing yet is what others saw of the one before: that one was told.
      const isPublished = own !== undefined && Number.isFinite(own.publishedAtMs)
      const told = isPublished ? this.#tell(own) : this.#told.again(clientID, this.#time.nowMs())
      if (told !== null) repeated.push(told)
    }
    this.#again.clear()
    return repeated
  }

  /** Nobody is told anything while nobody else is there, but it is numbered: who comes asks for it. */
  #send(before: number, told: readonly ToldState[]): void {
    const { number: upto } = this.#told
    if (told.length > 0) this.#line.stands(upto)
    const since = Math.min(before, this.#askedSince ?? before)
    this.#askedSince = null
    if (since === upto || !this.#foreign.hasRooms) return
    const nowMs = this.#time.nowMs()
    const all = since === before ? told : this.#told.after(since, nowMs)
    if (all !== null) return this.#line.send(this.#statesAfter(since, all))
    this.#line.renew()
    this.#line.send(this.#statesAfter(0, this.#told.after(0, nowMs) ?? []))
  }

  #statesAfter(since: number, states: readonly ToldState[]): ToldStates {
    return { type: 'states', since, upto: this.#told.number, position: this.#host.position(), states }
  }

  #askForHigher(): void {
    const byNode = new Map<string, KnownClock[]>()
    for (const { node, clientID, above } of this.#foreign.toAsk()) {
      const clocks = byNode.get(node) ?? []
      byNode.set(node, clocks)
      clocks.push({ clientID, above })
    }
    for (const [to, clocks] of byNode) this.#line.send({ type: 'raise', to, clocks })
  }

  #asked(from: string, since: number): void {
    if (since === 0) this.#tellDeparted(from)
    if (since >= this.#told.number) return
    this.#askedSince = Math.min(since, this.#askedSince ?? since)
    this.#host.flushSoon()
  }

  /** To a room that has heard nothing yet: it cannot know who was in this document on other nodes, which may be no more. */
  #tellDeparted(to: string): void {
    const clocks = this.#departed.recent()
    if (clocks.length > 0) this.#line.send({ type: 'departed', to, clocks })
  }

  #learn(departed: DepartedClock): void {
    const own = this.#host.ownState(departed.clientID)
    if (own !== undefined) return this.#wasElsewhere(own, departed.clock)
    if (this.#foreign.shownOf(departed.clientID) === undefined) this.#departed.learn(departed)
  }

  #raise({ clientID, above }: KnownClock): void {
    const own = this.#host.ownState(clientID)
    if (own !== undefined && own.published <= above) return this.#raiseOwn(own, above)
    // It has a higher clock, or is gone: they have missed that.
    this.#tellAgain(clientID)
  }

  #raiseOwn(own: SharedState, above: number): void {
    const before = own.published
    this.#host.raise(own, above)
    if (own.published > before && own.publishedState !== null) this.#tellAgain(own.clientID)
  }

  #tellAgain(clientID: number): void {
    this.#again.add(clientID)
    this.#host.flushSoon()
  }

  #take(room: ForeignRoom, told: ToldStates): void {
    const taken = this.#foreign.take(room, told, { nowMs: this.#time.nowMs() })
    for (const foreign of taken) {
      const own = this.#host.ownState(foreign.clientID)
      if (own !== undefined) this.#meet(own, room.node, foreign)
    }
    if (taken.length > 0) this.#host.flushSoon()
  }

  /** Another node tells of a clientID that is a member's here. */
  #meet(own: SharedState, node: string, foreign: ForeignState): void {
    const { clientID } = own
    if (isNullState(foreign.state)) return this.#wasElsewhere(own, foreign.clock)
    const isOurs = isEarlier({ ...own, node: this.#node }, { ...foreign, node })
    if (!isOurs) return void this.#contend(own, node)
    // An earlier claim of somebody who shows nothing is worth less than a later one of somebody who does.
    if (isSeenAsGone(own)) return this.#give(own, 'later')
    if (this.#insisted.has(clientID)) return
    this.#insisted.add(clientID)
    this.#tellAgain(clientID)
  }

  /** It had this clock there, which others may know, and may know the clocks of others. */
  #wasElsewhere(own: SharedState, clock: number): void {
    if (clock >= own.published) this.#raiseOwn(own, clock)
    this.#host.returned(own)
  }

  /** The other claim is earlier: it stays if its connection answers. */
  async #contend(own: SharedState, node: string): Promise<void> {
    const { clientID } = own
    if (this.#contended.has(clientID)) return
    this.#contended.add(clientID)
    const { outcome, clock } = await this.ask(node, clientID)
    this.#contended.delete(clientID)
    if (this.#host.ownState(clientID) !== own) return
    if (outcome === 'mine') return this.#give(own, 'later')
    this.#wasElsewhere(own, clock)
  }

  #give(own: SharedState, why: 'silent' | 'later'): void {
    this.#host.give(own, why)
    this.#foreign.look(own.clientID)
    this.#host.flushSoon()
  }
}
