/**
 * A document open on this node: who is here, what is taken of them, and how it ends. What a commit sets off, and in which
 * order, is in commits.ts.
 */
import type { LoadedDocument } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Message } from '../dialect/message.ts'
import { ClockRuns } from '../document/clocks.ts'
import type { Document } from '../document/document.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { Adoption } from './adoption.ts'
import { Answers } from './answers.ts'
import { Awareness } from './awareness.ts'
import { refuseReader, sendReceipts } from './broadcast.ts'
import { Commits } from './commits.ts'
import type { Compacted, NewCheckpoint } from './compaction.ts'
import { Congestion } from './congestion.ts'
import { Farewell } from './farewell.ts'
import { Intake, type JudgedUpdate, judgementOf } from './intake.ts'
import type { Life } from './journal.ts'
import { feedOf, live, type Member, type MemberPerson } from './member.ts'
import { OldCopies } from './old-copies.ts'
import { Overdue } from './overdue.ts'
import { RoomLog } from './room-log.ts'
import type { Opened, RoomParts } from './room-parts.ts'
import type { Source } from './source.ts'
import { Throttle } from './throttle.ts'
import { Writing } from './writing.ts'

/** What a room tells its owner. */
export type RoomEvents = {
  /** Nobody is in it and nothing is on its way. May be called again. */
  readonly onIdle: (room: Room) => void
  /** These updates are durable; or their write has failed, and may exist all the same. Before anyone sees them. */
  readonly onWritten: (room: Room, updates: readonly Source[]) => void
  readonly onMember: (room: Room, type: 'member.joined' | 'member.left', member: Member) => void
  /** Updates became durable: a look at whether the log wants compacting. */
  readonly onCommitted: (room: Room) => void
  /** Resolves when no compaction of it is under way. */
  readonly compactionOver: (room: Room) => Promise<void>
  /** It has another checkpoint, and its log is shorter. */
  readonly onCheckpoint: (room: Room) => void
  /** It is of no further use: who comes next needs a new one. */
  readonly onEnded: (room: Room) => void
}

export class Room {
  readonly document: Document
  readonly life: Life
  readonly awareness: Awareness
  readonly throttle: Throttle
  /** The document as a log, for who reads it by the numbers of its records. */
  readonly log: RoomLog
  /** For what no member sends. */
  readonly writing: Writing
  readonly #parts: RoomParts
  readonly #events: RoomEvents
  readonly #members = new Set<Member>()
  readonly #intake: Intake
  readonly #answers: Answers
  readonly #commits: Commits
  readonly #oldCopies: OldCopies | null
  readonly #congestion: Congestion
  #ended: Fault | null = null
  #keepers = 0
  readonly #farewell: Farewell
  readonly #overdue: Overdue
  /** Null: no other node writes checkpoints. */
  readonly #adoption: Adoption | null

  constructor(
    document: Document,
    { life, start, quarantines }: Opened,
    parts: RoomParts,
    events: RoomEvents
  ) {
    this.document = document
    this.life = life
    this.#parts = parts
    this.#events = events
    this.#congestion = new Congestion(document, parts.limits)
    this.awareness = new Awareness(
      {
        document: document.name,
        durableTicket: () => this.#commits.durableTicket,
        position: () => ({ incarnation: life.incarnation, sequence: this.#commits.shownSequence }),
        takenOver: member => member.port.end(new Fault('ERR_TAKEN_OVER'))
      },
      parts
    )
    this.#commits = new Commits(document, parts, {
      life,
      start,
      members: this.#members,
      awareness: this.awareness,
      congestion: this.#congestion,
      isEnded: () => this.isEnded,
      written: updates => events.onWritten(this, updates),
      shown: whose => this.#shown(whose),
      failed: fault => this.end(fault),
      checkpointIs: generation => this.#adoption?.told(generation)
    })
    this.writing = new Writing(document, parts.slices, { commits: this.#commits, ended: () => this.#ended })
    this.log = new RoomLog(document, { life, commits: this.#commits, checkpointReads: parts.checkpointReads })
    this.#adoption = parts.nodes === null ? null : this.#adopting(quarantines)
    this.throttle = new Throttle(parts.time, parts.limits)
    this.#farewell = new Farewell(parts.time, parts.limits)
    this.#overdue = new Overdue(parts.time, parts.limits, member =>
      sendReceipts(member, this.#commits.durableTicket)
    )
    this.#intake = new Intake(document, parts)
    this.#oldCopies = OldCopies.of(document, parts, (member, fault) => this.#intake.refuse(member, fault))
    this.#answers = new Answers(document, parts, {
      isHere: member => this.#ended === null && this.#members.has(member),
      isLive: member => this.#memberLive(member),
      compactionOver: () => this.#compactionOver(),
      isStale: () => this.end(new Fault('ERR_ROOM_RESTARTS'))
    })
  }

  #adopting(quarantines: number): Adoption {
    return new Adoption({ name: this.name, life: this.life, quarantines }, this.#parts, {
      generation: () => this.document.checkpoint?.generation ?? 0,
      reached: sequence => this.#commits.shownTo(sequence),
      replace: checkpoint => this.#replaceCheckpoint(checkpoint),
      quarantined: connections => this.#quarantined(connections)
    })
  }

  get name(): string {
    return this.document.name
  }

  get isEnded(): boolean {
    return this.#ended !== null
  }

  /** Nobody is here or has need of it, and everything accepted is durable. */
  get isIdle(): boolean {
    return this.#members.size === 0 && this.#keepers === 0 && this.#commits.isDurable
  }

  /** Who is here, in the order in which they came. */
  get members(): Iterable<Member> {
    return this.#members
  }

  /** Up to where the document was shown to members: in this life, the number of its last record. */
  get version(): { readonly incarnation: string | null; readonly sequence: number } {
    return { incarnation: this.life.incarnation, sequence: this.#commits.shownSequence }
  }

  /** It is not idle until what is returned is called. */
  keep(): () => void {
    this.#keepers++
    return () => {
      this.#keepers--
      this.#reportIdle()
    }
  }

  /** Lets a member in and, unless its dialect waits to be asked, asks it. Throws what ended the room, ERR_OVERLOADED. */
  enter(member: Member): void {
    if (this.#ended !== null) throw this.#ended
    if (this.#members.size >= this.#parts.limits.membersPerRoomMax) throw new Fault('ERR_OVERLOADED', 'full')
    this.#members.add(member)
    this.#events.onMember(this, 'member.joined', member)
    if (!member.encoder.asksBack) this.#ask(member)
  }

  /** Changes who a member is and what it may do. Who may write from now on is asked for what was refused until now. */
  grant(member: Member, person: MemberPerson): void {
    const isNew = member.access === 'read' && person.access === 'write'
    member.become(person)
    this.awareness.personChanged(member)
    if (!isNew || !this.#members.has(member)) return
    member.receipts?.asked()
    this.#ask(member)
  }

  leave(member: Member): void {
    if (!this.#members.delete(member)) return
    this.#farewell.forget(member)
    this.throttle.forget(member)
    this.#answers.cancel(member)
    this.#oldCopies?.leave(member)
    this.#congestion.forget(member)
    this.#overdue.forget(member)
    this.awareness.leave(member)
    this.#events.onMember(this, 'member.left', member)
    this.#reportIdle()
  }

  /** The member is shown presence only, as in `Awareness.watch`. */
  showPresence(member: Member, knows: 'current' | 'anything'): void {
    if (this.#members.has(member)) this.awareness.watch(member, knows)
  }

  /** The member's socket takes more. */
  drained(member: Member): void {
    feedOf(member)?.drained()
  }

  /** The member's socket takes more, but it is the turn of another room of the same socket. */
  progressed(member: Member): void {
    feedOf(member)?.progressed()
  }

  /** Takes one message. Throws a Fault when the connection must be closed for it. */
  receive(member: Member, message: Message): void {
    if (this.#ended !== null || member.isRefused || !this.#members.has(member)) return
    this.throttle.take(member, message)
    switch (message.type) {
      case 'sync-step-1':
        return this.#receiveStep1(member, message.stateVector)
      case 'sync-step-2':
      case 'update':
        return this.#intake.take(member, message.update, scan => this.#commitFrom(member, message.type, scan))
      case 'awareness':
        if (this.#oldCopies?.isKnown(member) === true) return
        return this.awareness.receive(member, message.states)
      case 'query-awareness':
        return this.awareness.query(member)
      case 'ask-acknowledgements':
        return member.port.send(member.encoder.acknowledged(member.askAcknowledgements().acknowledged))
      default:
        return message satisfies never
    }
  }

  #commitFrom(member: Member, type: 'update' | 'sync-step-2', scanned: JudgedUpdate): void {
    if (this.#ended !== null) return
    this.#oldCopies?.check(member, scanned.scan)
    if (type === 'sync-step-2') this.#receiveDeletes(member, scanned)
    if (member.access === 'read' && (type === 'update' || judgementOf(this.document, scanned).type === 'new'))
      return refuseReader(member, type, scanned.scan)
    const gap = this.#commits.commit(scanned, member)
    const ticket = this.#commits.scannedTicket
    member.lastTicket = ticket
    this.#congestion.taken(member)
    // An update that brings nothing new repeats what may not be durable yet: everything scanned so far will do.
    member.acknowledgements?.taken(ticket)
    if (type === 'update') member.receipts?.updateTaken(ticket, scanned.scan.structs)
    else member.receipts?.step2Taken(ticket)
    sendReceipts(member, this.#commits.durableTicket)
    this.#overdue.taken(member)
    if (type === 'update' && gap !== null) this.#askFor(member, gap)
  }

  /** Hands what is gathered to the journal without waiting for more. */
  flush(): void {
    this.#commits.flush()
  }

  #shown(whose: 'own' | 'foreign'): void {
    this.#events.onCommitted(this)
    // What others write keeps no room open that nobody is in.
    if (whose === 'own') this.#reportIdle()
  }

  #receiveStep1(member: Member, stateVector: Uint8Array): void {
    this.#intake.readVector(member, stateVector, vector => this.#step1Came(member, vector))
  }

  #step1Came(member: Member, vector: ReadonlyMap<number, number>): void {
    if (this.#ended !== null) return
    if (member.encoder.asksBack) {
      member.receipts?.step1Came(vector)
      this.#ask(member)
    }
    if (this.#oldCopies?.recognise(member, vector) === true) return
    this.#commits.barrier(member.lastTicket, {
      pass: () => {
        if (this.#members.has(member)) this.#answers.answer(member, vector)
      },
      fail: fault => {
        if (this.#members.has(member)) member.port.end(fault)
      }
    })
  }

  #memberLive(member: Member): void {
    member.phase = live
    this.#parts.metrics.joined()
    member.receipts?.memberLive()
    sendReceipts(member, this.#commits.durableTicket)
    this.awareness.memberLive(member)
  }

  #receiveDeletes(member: Member, { scan, sets }: ScannedUpdate): void {
    if (member.phase.type === 'live') return
    member.knownDeletes = sets?.deletes ?? ClockRuns.from(scan.deletes)
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

  /** Ends the room on this node: its members are closed, spread over a while, and come back to a new one. */
  end(fault: Fault): void {
    if (this.#ended !== null) return
    this.#ended = fault
    this.#commits.close(fault)
    this.#adoption?.close()
    this.awareness.close()
    this.#intake.close()
    this.#oldCopies?.close()
    this.throttle.close()
    this.#overdue.close()
    this.#parts.cache.released(this.document)
    for (const member of this.#members) this.#answers.cancel(member)
    // Of a deletion elsewhere this node learns late: who came meanwhile has come for what begins anew.
    const isLate = this.#parts.nodes !== null && fault.code === 'ERR_DELETED'
    const newcomers = isLate ? new Fault('ERR_ROOM_RESTARTS') : fault
    this.#farewell.begin(this.#members, { fault, newcomers })
    this.#events.onEnded(this)
  }

  /** Another checkpoint is about to replace the one in use. */
  get isAdopting(): boolean {
    return this.#adoption?.isUnderWay === true
  }

  /** The store has a new checkpoint. What could not be integrated is out of it: whoever sent that must start over. */
  compacted(compacted: Compacted): void {
    if (this.#ended !== null) return
    const { refused } = compacted
    if (refused.length > 0)
      return this.#quarantined(new Set(refused.map(({ author }) => author?.connection ?? null)))
    if (this.#adoption === null) this.#replaceCheckpoint(compacted)
    else void this.#adoption.written(compacted)
  }

  /** What the store has now, with a checkpoint that another node has written. */
  found(loaded: LoadedDocument): void {
    void this.#adoption?.found(loaded)
  }

  #replaceCheckpoint(checkpoint: NewCheckpoint): void {
    if (this.#ended !== null) return
    this.#commits.compacted(checkpoint)
    this.#parts.cache.used(this.document)
    this.#events.onCheckpoint(this)
    this.#reportIdle()
  }

  async #compactionOver(): Promise<void> {
    await this.#events.compactionOver(this)
    await this.#adoption?.looked()
  }

  /** What this node has in memory was built with the refused updates, so the room begins anew from the store. */
  #quarantined(connections: ReadonlySet<string | null>): void {
    for (const member of this.#members) {
      if (!connections.has(member.port.id)) continue
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

  /** Ends members while the room goes on. Returns how many. */
  disconnect(isMeant: (member: Member) => boolean, fault: Fault): number {
    return this.#farewell.some(this.#members, isMeant, fault)
  }

  #reportIdle(): void {
    if (this.isIdle && this.#ended === null) this.#events.onIdle(this)
  }
}
