/** What a room needs of the other nodes that may have its document open. A server that is alone has none. */
import type { DocumentHead, RecordIdentity } from '../../persistence/store.ts'
import type { PresenceLine, PresenceListener } from './presence-line.ts'

/** A record that is in the store. `record`: null where it was too long to be told. */
export type Notice = {
  readonly incarnation: string
  readonly sequence: number
  readonly identity: RecordIdentity
  readonly record: Uint8Array | null
}

/** What is told to whoever follows a document. */
export type Followed = {
  /** The number up to which everything is shown; 0: nothing. */
  readonly visible: number
  heard(notice: Notice): void
  /** `head` was read when everything up to `visible` was shown; its identity is that of this number. */
  headIs(head: DocumentHead, visible: number): void
}

export type Nodes = {
  /** This one's id: as in the identities of what it appends. */
  readonly node: string
  /** Until the returned function is called. One follower for each document. */
  follow(document: string, followed: Followed): () => void
  /** Tells the others, if they can be told. Never throws. */
  announce(document: string, notice: Notice): void
  /** Where the document stands now: nothing that was durable before the call is missed. Rejects with a Fault. */
  freshHead(document: string): Promise<DocumentHead>
  /** The rooms of the document on other nodes, as far as presence goes, until the line is closed. */
  sharePresence(document: string, listener: PresenceListener): PresenceLine
}
