/**
 * A member: what a room sees of a connection. It holds where the member stands in the document; it knows nothing of
 * sockets beyond its port.
 */
import type { Author } from '../../persistence/author.ts'
import type { Fault } from '../base/errors.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Encoder } from '../dialect/message.ts'
import type { ClockRuns } from '../document/clocks.ts'
import { Acknowledgements } from './acknowledgements.ts'
import type { Identity } from './identity.ts'
import { Receipts } from './receipts.ts'

/** What a room asks of the transport. All calls are cheap and return at once. */
export type Port = {
  /** Names the connection in logs and in authors of updates. Holds no address. */
  readonly id: string
  /** Queues the frame in one write. A connection for which too much is queued is ended (RM3). */
  send(frame: Frame): void
  /**
   * The same for a member that joins, whatever the size: it is ended for lack of progress, not for bytes. `full`: the
   * socket takes no more now, and `Room.drained` will be called.
   */
  feed(frame: Frame): 'flowing' | 'full'
  /** Closes with the fault's code. Nothing is received from it afterwards. */
  end(fault: Fault): void
  /** Pings the other side. What it returns says whether anything was heard of it since, and is still open. */
  ping(): () => boolean
  /** Resolves true when the other side answers a ping in time. Never rejects. */
  probe(timeoutMs: number): Promise<boolean>
  /** Holds this connection's messages back until as many calls of `resume`; its socket is not read meanwhile. */
  pause(): void
  resume(): void
  /** The same while a message of it is being worked on, which nothing may overtake, not even when the server stops. */
  hold(): void
  release(): void
  /** What it sent has cost so much time beside the call that received it: it is read later for it. */
  charge(spentMs: number): void
}

/** A join under way, as the room sees it; see `member-feed.ts`. */
export type Feed = {
  /** The socket takes more. */
  drained(): void
  /** The socket takes more, and somebody else's turn has come: it is not what is slow. */
  progressed(): void
  /** Its SyncStep2 has come: what it has deleted is known. */
  deletesKnown(): void
  /** The member has left. */
  cancel(): void
}

/**
 * `greeted`: it has our SyncStep1 and has not asked for the document. `preparing`: what it is to be sent is being
 * read or computed. `joining`: fed as its socket drains. `live`: has everything durable and gets each batch.
 */
export type Phase =
  | { readonly type: 'greeted' }
  | { readonly type: 'preparing' }
  | { readonly type: 'joining'; readonly feed: Feed }
  | { readonly type: 'live' }

/** SyncStep1s of a member that one answer serves: what all of their senders have, and how many they are. */
export type Asked = { readonly vector: ReadonlyMap<number, number>; readonly steps: number }

/** What a live member is being sent again, because something behind its connection asked. */
export type Resync = { feed: Feed | null; readonly asked: Asked }

/** What a member may do with the document. Whoever may do neither is no member. */
export type MemberAccess = 'read' | 'write'

/** What is known of whoever a member is. */
export type MemberPerson = {
  readonly access: MemberAccess
  /** Null when nobody was asked, or nobody knows. */
  readonly user: Identity | null
  /** Who it is across reconnects and documents, as far as can be told: what it has set aside is counted by it. */
  readonly source: string
  /** The same in this document: refusals are counted by it. */
  readonly peer: string
}

export class Member {
  readonly port: Port
  readonly encoder: Encoder
  #person: MemberPerson
  /** Made with its first update. */
  #author: Author | null = null
  /** Null where the dialect has none, or the member has asked for acknowledgements instead. */
  #receipts: Receipts | null
  /** Null: it has not asked. */
  #acknowledgements: Acknowledgements | null = null
  phase: Phase = greeted
  /** Ticket of the last update it sent: its SyncStep1 is answered when that one is durable. */
  lastTicket = 0
  /** SyncStep1 messages that the join under way answers with its end marker. */
  stepsOwed = 0
  /** Later ones: the answer under way, and those that the next one serves. */
  resync: Resync | null = null
  asked: Asked | null = null
  /** When it was last sent all deletions in answer to one. */
  deletesSentMs = Number.NEGATIVE_INFINITY
  /** The deletions that its SyncStep2 said it has, until the join is over. */
  knownDeletes: ClockRuns | null = null
  /** The last gap it was asked to fill, so that it is asked once. */
  askedGap = ''
  /** An update of this connection was refused: all it sends later hangs on that one. */
  isRefused = false

  constructor(port: Port, encoder: Encoder, person: MemberPerson) {
    this.port = port
    this.encoder = encoder
    this.#person = person
    this.#receipts = encoder.saved() === null ? null : new Receipts()
  }

  get receipts(): Receipts | null {
    return this.#receipts
  }

  get acknowledgements(): Acknowledgements | null {
    return this.#acknowledgements
  }

  /** Its updates are counted from now on, if they are not yet. */
  askAcknowledgements(): Acknowledgements {
    this.#receipts = null
    this.#acknowledgements ??= new Acknowledgements()
    return this.#acknowledgements
  }

  get person(): MemberPerson {
    return this.#person
  }

  /** Whose its updates are. The same object until it is another person's: records name each object once. */
  get author(): Author {
    this.#author ??= { user: this.#person.user?.id ?? null, connection: this.port.id, origin: 'client' }
    return this.#author
  }

  get access(): MemberAccess {
    return this.#person.access
  }

  /** Called by `Room.grant` only. */
  become(person: MemberPerson): void {
    if (person.user?.id !== this.#person.user?.id) this.#author = null
    this.#person = person
  }
}

/** The same for all who are. */
export const live: Phase = { type: 'live' }
export const greeted: Phase = { type: 'greeted' }

/** What is being sent to it as its socket drains, if anything is. */
export function feedOf({ phase, resync }: Member): Feed | null {
  return phase.type === 'joining' ? phase.feed : (resync?.feed ?? null)
}
