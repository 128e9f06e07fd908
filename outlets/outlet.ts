/**
 * The contract between the change feed and whatever carries its events elsewhere: a webhook, a queue, a function. It imports
 * nothing from the server. The behaviour is pinned by `conformance.ts`, which every outlet must pass.
 */

/** Told at least once each, in order for each document, also after a crash. */
export const documentEventTypes = ['document.created', 'document.changed', 'document.deleted'] as const
/** Told once or never: nothing of them is kept. */
export const memberEventTypes = ['member.joined', 'member.left'] as const

export type DocumentEventType = (typeof documentEventTypes)[number]
export type MemberEventType = (typeof memberEventTypes)[number]
export type EventType = DocumentEventType | MemberEventType

export type FeedEvent = {
  /** The same whenever this event is delivered again: what has been handled under an id is handled. */
  readonly id: string
  readonly type: EventType
  readonly document: string
  /**
   * Opaque. Of a document: how far it had come; of one that was deleted, how far it had come when its last change was told
   * of. Null for members.
   */
  readonly version: string | null
  /** Ids of those who changed it since the event before, each once; of a member, whoever it is. Nobody's where nobody signs in. */
  readonly users: readonly string[]
  /** When the event was made, as ISO 8601 in UTC. */
  readonly at: string
}

/** As in `persistence/author.ts`. */
export type EventAuthor = {
  readonly user: string | null
  readonly connection: string | null
  readonly origin: 'client' | 'server' | 'load' | 'restore' | 'agent'
}

export type Delivery = {
  readonly event: FeedEvent
  /** Who is behind it, in more detail than `users`. */
  readonly authors: readonly EventAuthor[]
  /** The durable document as one Yjs update, as it is now; null when there is none. */
  read(): Promise<Uint8Array | null>
  /** Aborted when nobody waits for the outcome any more. */
  readonly signal: AbortSignal
}

export type Outlet = {
  /**
   * What its deliveries are remembered under, over restarts: another outlet of that name takes up where this one was. 1 to
   * 200 characters; shown in metrics and lists, so it holds no secret.
   */
  readonly name: string
  /** Patterns of the names of documents, as in a token. Absent: all. */
  readonly documents?: readonly string[]
  /** Absent: those of documents. */
  readonly types?: readonly EventType[]
  /**
   * Resolves when the receiver has the event for good. Rejects when it has not, or nobody knows: it is delivered again, until
   * it is given up. Of one document one call at a time, in order; of different ones several at once.
   */
  deliver(delivery: Delivery): Promise<void>
  /** Leaves nothing open. Deliveries under way may reject. Called once. */
  close(): Promise<void>
}

/** What an outlet rejects with. The message is for an operator, and names no secret. */
export class OutletError extends Error {
  /** Another attempt at this event would end in the same way: it becomes a dead letter at once. */
  readonly isFinal: boolean

  constructor(message: string, { isFinal = false, cause }: { isFinal?: boolean; cause?: unknown } = {}) {
    super(message, cause === undefined ? {} : { cause })
    this.name = 'OutletError'
    this.isFinal = isFinal
  }
}

export function isMemberEvent(type: EventType): type is MemberEventType {
  return (memberEventTypes as readonly EventType[]).includes(type)
}

/** Bytes of the event as JSON, as outlets send it. */
export function encodeEvent(event: FeedEvent, content: Uint8Array | null = null): Buffer {
  const body = content === null ? event : { ...event, content: Buffer.from(content).toString('base64') }
  return Buffer.from(JSON.stringify(body))
}
