/** What a room needs of the other nodes that may have its document open. A server that is alone has none. */
import type { DocumentHead, HeadQuery, Incarnation, RecordIdentity } from '../../persistence/store.ts'
import type { PresenceLine, PresenceListener } from './presence-line.ts'

/** A record that is in the store. `record`: null where it was too long to be told. */
export type Notice = {
  readonly incarnation: string
  readonly sequence: number
  readonly identity: RecordIdentity
  readonly record: Uint8Array | null
}

/** What a node has of a document. `visible`: the number up to which everything is shown; 0: nothing. */
export type Known = { readonly incarnation: Incarnation; readonly visible: number }

/** What is told to whoever follows a document. */
export type Followed = {
  readonly known: Known
  heard(notice: Notice): void
  /** The document has a new checkpoint, or was deleted: the store says which. */
  changed(): void
  /** `head` was asked for when `known` was known here; its identity is that of the number up to which all was shown. */
  headIs(head: DocumentHead, known: Known): void
}

export type Nodes = {
  /** This one's id: as in the identities of what it appends. */
  readonly node: string
  /** Until the returned function is called. One follower for each document. */
  follow(document: string, followed: Followed): () => void
  /** Tells the others, if they can be told. Never throws. */
  announce(document: string, notice: Notice): void
  /** Tells the others, if they can be told, that there is a new checkpoint, or that the document is gone. Never throws. */
  announceChange(document: string): void
  /** Where the document stands now: nothing that was durable before the call is missed. Rejects with a Fault. */
  freshHead(query: HeadQuery): Promise<DocumentHead>
  /** The rooms of the document on other nodes, as far as presence goes, until the line is closed. */
  sharePresence(document: string, listener: PresenceListener): PresenceLine
}
