/**
 * A document open on this node: who is here and in what order things happen. Read it from `receive` down: the order
 * of the functions is the order of the effects.
 */
import type { Store } from '../../persistence/store.ts'
import type { Message } from '../dialect/message.ts'
import { ClockRuns, decodeStateVector } from '../document/clocks.ts'
import type { Document } from '../document/document.ts'
import { encodeRecord } from '../document/record.ts'
import type { UpdateScan } from '../document/scan.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Pacer } from '../pacer.ts'
import type { Cancel, Time } from '../time.ts'
import { Awareness, type PresencePolicy } from './awareness.ts'
import { broadcast, sendReceipts } from './broadcast.ts'
import type { CheckpointCache } from './checkpoint-cache.ts'
import type { Compacted } from './compaction.ts'
import { Congestion } from './congestion.ts'
import { Farewell } from './farewell.ts'
import { Intake } from './intake.ts'
import type { JoinHeads } from './join-heads.ts'
import { Joins } from './joins.ts'
import type { BatchWriter, Journal } from './journal.ts'
import type { Member, MemberPerson } from './member.ts'
import type { Refusals } from './refusals.ts'
import { Throttle } from './throttle.ts'
import { Waiting } from './waiting.ts'

export type RoomParts = {
  readonly store: Store
  readonly journal: Journal
  readonly heads: JoinHeads
  readonly cache: CheckpointCache
  readonly refusals: Refusals
  readonly pacer: Pacer
  readonly presence: PresencePolicy
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** What a room tells its owner. */
export type RoomEvents = {
  /** Nobody is in it and nothing is on its way. May be called again. */
  readonly onIdle: (room: Room) => void
  /** These updates are durable; or their write has failed, and may exist all the same. Before anyone sees them. */
  readonly onWritten: (room: Room, updates: readonly Origin[]) => void
  /** Updates became durable: a look at whether the log wants compacting. */
  readonly onCommitted: (room: Room) => void
  /** Resolves when no compaction of it is under way. */
  readonly compactionOver: (room: Room) => Promise<void>
  /** It is of no further use: who comes next needs a new one. */
  readonly onEnded: (room: Room) => void
}

/** Where an update comes from. `member` is not sent back what it sent. */
export type Origin = { readonly author: string; readonly member: Member | null }

type Accepted = Origin & {
  readonly update: Uint8Array
  readonly timeMs: number
  readonly ticket: number
}

export class Room implements BatchWriter {
  readonly document: Document
  readonly #parts: RoomParts
  readonly #events: RoomEvents
  readonly #members = new Set<Member>()
  readonly #awareness: Awareness
  readonly #intake: Intake
  readonly #joins: Joins
  /** Accepted and not yet taken by the journal; taken and not yet durable. */
  #gathered: Accepted[] = []
  #writing: Accepted[] = []
  readonly #waiting = new Waiting()
  readonly #congestion = new Congestion()
  /** Updates are numbered as they are accepted: up to where they are scanned, and up to where durable. */
  #scannedTicket = 0
  #durableTicket = 0
  /** When the journal last took a batch; and, while it has been or will be offered one, how to take that back. */
  #takenAtMs = Number.NEGATIVE_INFINITY
  #cancelOffer: Cancel | null = null
  #ended: Fault | null = null
  readonly #throttle: Throttle
  readonly #farewell: Farewell

  constructor(document: Document, parts: RoomParts, events: RoomEvents) {
    this.document = document
    this.#parts = parts
    this.#events = events
    const host = {
      durableTicket: () => this.#durableTicket,
      takenOver: (member: Member) => member.port.end(new Fault('ERR_TAKEN_OVER'))
    }
    this.#awareness = new Awareness(host, parts)
    this.#throttle = new Throttle(parts.time, parts.limits)
    this.#farewell = new Farewell(parts.time, parts.limits)
    this.#intake = new Intake(document.name, parts)
    this.#joins = new Joins(document, parts, {
      isHere: member => this.#ended === null && this.#members.has(member),
      isLive: member => this.#memberLive(member),
      compactionOver: () => this.#events.compactionOver(this),
      isStale: () => this.end(new Fault('ERR_ROOM_RESTARTS'))
    })
  }

  get name(): string {
    return this.document.name
  }

  get isEnded(): boolean {
    return this.#ended !== null
  }

  /** Nobody is here and everything accepted is durable. */
  get isIdle(): boolean {
    return this.#members.size === 0 && this.#durableTicket === this.#scannedTicket
  }

  /** Lets a member in and, unless its dialect waits to be asked, asks it. Throws what ended the room, ERR_OVERLOADED. */
  enter(member: Member): void {
    if (this.#ended !== null) throw this.#ended
    if (this.#members.size >= this.#parts.limits.membersPerRoomMax) throw new Fault('ERR_OVERLOADED', 'full')
    this.#members.add(member)
    if (!member.encoder.asksBack) this.#ask(member)
  }

  /** Changes who a member is and what it may do. Who may write from now on is asked for what was refused until now. */
  grant(member: Member, person: MemberPerson): void {
    const isNew = member.access === 'read' && person.access === 'write'
    member.person = person
    this.#awareness.personChanged(member)
    if (!isNew || !this.#members.has(member)) return
    member.receipts?.asked()
    this.#ask(member)
  }

  leave(member: Member): void {
    if (!this.#members.delete(member)) return
    this.#farewell.forget(member)
    this.#throttle.forget(member)
    if (member.phase.type === 'joining') member.phase.feed.cancel()
    this.#congestion.forget(member)
    this.#awareness.leave(member)
    this.#reportIdle()
  }

  /** The member's socket takes more. */
  drained(member: Member): void {
    if (member.phase.type === 'joining') member.phase.feed.drained()
  }

  /** The member's socket takes more, but it is the turn of another room of the same socket. */
  progressed(member: Member): void {
    if (member.phase.type === 'joining') member.phase.feed.progressed()
  }

  /** Takes one message. Throws a Fault when the connection must be closed for it. */
  receive(member: Member, message: Message): void {
    if (this.#ended !== null || member.isRefused || !this.#members.has(member)) return
    this.#throttle.take(member, message)
    switch (message.type) {
      case 'sync-step-1':
        return this.#receiveStep1(member, message.stateVector)
      case 'sync-step-2':
      case 'update':
        return this.#intake.take(member, message.update, scan => this.#commitFrom(member, message.type, scan))
      case 'awareness':
        return this.#awareness.receive(member, message.states)
      case 'query-awareness':
        return this.#awareness.query(member)
      default:
        return message satisfies never
    }
  }

  #commitFrom(member: Member, type: 'update' | 'sync-step-2', scanned: ScannedUpdate): void {
    if (this.#ended !== null) return
    if (type === 'sync-step-2') this.#receiveDeletes(member, scanned.scan)
    if (member.access === 'read' && (type === 'update' || this.document.judge(scanned.scan).type === 'new'))
      return this.#refuseReader(member, type, scanned.scan)
    const gap = this.commit(scanned, { author: member.port.id, member })
    member.lastTicket = this.#scannedTicket
    if (this.#isCongested) this.#congestion.hold(member)
    this.#owe(member, type, scanned.scan)
    if (type === 'update' && gap !== null) this.#askFor(member, gap)
  }

  /** An update that brings nothing new repeats what may not be durable yet: everything scanned so far will do. */
  #owe(member: Member, type: 'update' | 'sync-step-2', { structs }: UpdateScan): void {
    if (member.receipts === null) return
    if (type === 'update') member.receipts.updateTaken(this.#scannedTicket, structs)
    else member.receipts.step2Taken(this.#scannedTicket)
    sendReceipts(member, this.#durableTicket)
  }

  #refuseReader(member: Member, type: 'update' | 'sync-step-2', { structs }: UpdateScan): void {
    if (type === 'update') member.receipts?.updateRefused(structs)
    else member.receipts?.step2Refused()
    const frame = member.encoder.notSaved('read-only')
    if (frame !== null) member.port.send(frame)
  }

  /**
   * Commits an update that no member sent. Resolves when it, or what it repeats, is durable and broadcast. Rejects with
   * what ended the room (the update may be durable then; it may be applied again) or ERR_UPDATE_TOO_LARGE.
   */
  async apply(scanned: ScannedUpdate, author: string): Promise<void> {
    if (this.#ended !== null) throw this.#ended
    this.commit(scanned, { author, member: null })
    await this.#waiting.until(this.#scannedTicket)
  }

  /** Hands what is gathered to the journal without waiting for more. */
  flush(): void {
    if (this.#cancelOffer === null) return
    this.#cancelOffer()
    this.#parts.journal.enqueue(this)
  }

  /**
   * I1: the one way into the document. The update is kept. Returns what the update hangs on and is unknown, or null.
   * What follows: `takeBatch` hands it to the journal's next synced write; `batchDurable` broadcasts it, then
   * passes the barriers that wait for it, then lets its author's awareness follow; `batchFailed` ends the room.
   * Throws ERR_UPDATE_TOO_LARGE; the caller has scanned it, so it is well-formed.
   */
  commit({ update, scan }: ScannedUpdate, origin: Origin): string | null {
    const judgement = this.document.judge(scan)
    if (judgement.type === 'known') {
      this.#parts.metrics.updateKnown()
      return null
    }
    if (this.document.bytes + update.length > this.#parts.limits.documentBytesMax) {
      throw new Fault(
        'ERR_UPDATE_TOO_LARGE',
        `the document would exceed its limit by an update of ${update.length}`
      )
    }
    this.document.hold({ update, scan })
    this.#scannedTicket++
    this.#gathered.push({ ...origin, update, timeMs: this.#parts.time.wallMs(), ticket: this.#scannedTicket })
    this.#parts.metrics.updateAccepted(update.length)
    this.#offer()
    return judgement.gap
  }

  /**
   * Hands over to the journal: at once in a quiet room; in a busy one `coalesceMs` after the batch before, so that
   * what came meanwhile costs one synced write, and each member one socket write, together.
   */
  #offer(): void {
    if (this.#cancelOffer !== null) return
    const { time, limits, journal } = this.#parts
    const waitMs = this.#takenAtMs + limits.coalesceMs - time.nowMs()
    const offer = () => journal.enqueue(this)
    if (waitMs > 0) this.#cancelOffer = time.after(waitMs, offer)
    else {
      this.#cancelOffer = () => {}
      offer()
    }
  }

  takeBatch(): Uint8Array | null {
    this.#cancelOffer = null
    this.#takenAtMs = this.#parts.time.nowMs()
    if (this.#ended !== null || this.#gathered.length === 0) return null
    this.#writing = this.#gathered
    this.#gathered = []
    return encodeRecord(this.#writing)
  }

  batchDurable(sequence: number): void {
    const batch = this.#writing
    this.#writing = []
    this.document.settle(batch.length, sequence)
    this.#durableTicket = batch.at(-1)?.ticket ?? this.#durableTicket
    this.#events.onWritten(this, batch)
    if (this.#ended !== null) return
    broadcast(this.#members, batch, this.#durableTicket)
    this.#waiting.reached(this.#durableTicket)
    this.#awareness.updatesSent()
    if (!this.#isCongested) this.#congestion.release()
    this.#events.onCommitted(this)
    this.#reportIdle()
  }

  batchFailed(cause: unknown): void {
    this.#parts.log.error(
      { error: cause, document: this.name },
      'the batch failed; the room ends on this node'
    )
    this.#events.onWritten(this, this.#writing)
    this.end(new Fault('ERR_STORE', 'the append failed', { cause }))
  }

  #receiveStep1(member: Member, stateVector: Uint8Array): void {
    const vector = decodeStateVector(stateVector, { clientsMax: this.#parts.limits.stateVectorEntriesMax })
    if (member.encoder.asksBack) {
      member.receipts?.step1Came(vector)
      this.#ask(member)
    }
    const pass = () => this.#answerStep1(member, vector)
    // If the room ends before, so does the member's connection.
    this.#waiting.add({ ticket: member.lastTicket, pass, fail: () => {} })
  }

  /** A live member has been sent everything, so a later SyncStep1 of it is answered by the end marker alone. */
  #answerStep1(member: Member, vector: ReadonlyMap<number, number>): void {
    if (!this.#members.has(member)) return
    if (member.phase.type === 'live') {
      member.port.send(member.encoder.endMarker())
      return
    }
    member.stepsOwed++
    if (member.phase.type === 'greeted') this.#joins.begin(member, vector)
  }

  #memberLive(member: Member): void {
    member.phase = { type: 'live' }
    this.#parts.metrics.joined()
    member.receipts?.memberLive()
    sendReceipts(member, this.#durableTicket)
    this.#awareness.memberLive(member)
  }

  #receiveDeletes(member: Member, scan: UpdateScan): void {
    if (member.phase.type === 'live') return
    member.knownDeletes = ClockRuns.from(scan.deletes)
    if (member.phase.type === 'joining') member.phase.feed.deletesKnown()
  }

  /** Never in answer to a SyncStep2: a client that has the gap itself would answer for ever. */
  #askFor(member: Member, gap: string): void {
    if (member.askedGap === gap) return
    member.askedGap = gap
    member.receipts?.asked()
    this.#ask(member)
  }

  #ask(member: Member): void {
    member.port.send(member.encoder.syncStep1(this.document.stateVector()))
  }

  get #isCongested(): boolean {
    return this.document.heldBytes > this.#parts.limits.uncommittedBytesMax
  }

  /** Ends the room on this node: its members are closed, spread over a while, and come back to a new one. */
  end(fault: Fault): void {
    if (this.#ended !== null) return
    this.#ended = fault
    this.#gathered = []
    this.#cancelOffer?.()
    this.#awareness.close()
    this.#intake.close()
    this.#waiting.failed(fault)
    this.#throttle.close()
    this.#parts.cache.released(this.document)
    for (const member of this.#members) if (member.phase.type === 'joining') member.phase.feed.cancel()
    this.#farewell.begin(this.#members, fault)
    this.#events.onEnded(this)
  }

  /** The store has a new checkpoint. What could not be integrated is out of it: whoever sent that must start over. */
  compacted({ checkpoint, meta, sequence, carried, refused }: Compacted): void {
    if (this.#ended !== null) return
    if (refused.length > 0) return this.#quarantined(new Set(refused.map(({ author }) => author)))
    this.document.restore(checkpoint, meta.structs, meta.deletes)
    this.document.tail.compacted(sequence, carried)
    this.#parts.cache.used(this.document)
    this.#reportIdle()
  }

  /** What this node has in memory was built with the refused updates, so the room begins anew from the store. */
  #quarantined(authors: ReadonlySet<string>): void {
    for (const member of this.#members) {
      if (!authors.has(member.port.id)) continue
      this.#parts.refusals.add(member.person.peer)
      member.port.end(new Fault('ERR_QUARANTINED'))
    }
    this.end(new Fault('ERR_ROOM_RESTARTS'))
  }

  /** Ends whoever is still here at once, and leaves no timer. */
  dispose(fault: Fault): void {
    this.end(fault)
    this.#farewell.close()
    for (const member of this.#members) member.port.end(fault)
  }

  #reportIdle(): void {
    if (this.isIdle && this.#ended === null) this.#events.onIdle(this)
  }
}
