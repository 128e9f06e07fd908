/**
 * A member: what a room sees of a connection. It holds where the member stands in the document; it knows nothing of
 * sockets beyond its port.
 */
import type { Frame } from '../dialect/frame.ts'
import type { Encoder } from '../dialect/message.ts'
import type { ClockRuns } from '../document/clocks.ts'
import type { Fault } from '../errors.ts'
import type { Identity } from './identity.ts'
import { Receipts } from './receipts.ts'

/** What a room asks of the transport. All calls are cheap and return at once. */
export type Port = {
  /** Names the connection in logs and as the author of updates. */
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
  /** Resolves true when the other side answers a ping in time. Never rejects. */
  probe(timeoutMs: number): Promise<boolean>
  /** Holds this connection's messages back until as many calls of `resume`; its socket is not read meanwhile. */
  pause(): void
  resume(): void
}

/** A join under way, as the room sees it; see `joining.ts`. */
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

/** What a member may do with the document. Whoever may do neither is no member. */
export type MemberAccess = 'read' | 'write'

/** What is known of whoever a member is. */
export type MemberPerson = {
  readonly access: MemberAccess
  /** Null when nobody was asked, or nobody knows. */
  readonly user: Identity | null
  /** Who it is across reconnects, as far as can be told: refusals are counted by it. */
  readonly peer: string
}

export class Member {
  readonly port: Port
  readonly encoder: Encoder
  /** Changed by `Room.grant` only. */
  person: MemberPerson
  /** Null where the dialect has none. */
  readonly receipts: Receipts | null
  phase: Phase = { type: 'greeted' }
  /** Ticket of the last update it sent: its SyncStep1 is answered when that one is durable. */
  lastTicket = 0
  /** SyncStep1 messages that are not answered with an end marker yet. */
  stepsOwed = 0
  /** The deletions that its SyncStep2 said it has, until the join is over. */
  knownDeletes: ClockRuns | null = null
  /** The last gap it was asked to fill, so that it is asked once. */
  askedGap = ''
  /** An update of this connection was refused: all it sends later hangs on that one. */
  isRefused = false

  constructor(port: Port, encoder: Encoder, person: MemberPerson) {
    this.port = port
    this.encoder = encoder
    this.person = person
    this.receipts = encoder.saved() === null ? null : new Receipts()
  }

  get access(): MemberAccess {
    return this.person.access
  }
}
