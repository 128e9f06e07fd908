/**
 * How a provider reaches the server: one channel at a time, for one document. What the channel runs on (a WebSocket of its
 * own, one that several documents share) is a transport's business, and so is what access looks like there.
 */

/** One try to get into a document. */
export type Attempt = {
  /** As the application named it: what y-websocket puts into the URL. */
  readonly room: string
  readonly token: string | null
  /** Query parameters, where there is a URL for each document. */
  readonly params: Readonly<Record<string, string>>
}

/** Why a channel ended. `code`: of the WebSocket, or the one that stands for it; 1006 when it just broke. */
export type Closed = { readonly code: number; readonly reason: string }

/** What a channel tells. Nothing more comes after `closed`. */
export type ChannelEvents = {
  /** Messages may be sent. */
  opened(): void
  /** One message of the sync protocol, without what the transport adds. Valid until this returns. */
  received(message: Uint8Array): void
  /** The grant ends soon: a token given to `renew` keeps the channel. */
  tokenWanted(): void
  closed(closed: Closed): void
}

export type Channel = {
  /** Sends one message. Called after `opened` only. */
  send(message: Uint8Array): void
  renew(token: string): void
  /** Ends it; `closed` is not called. */
  close(): void
}

export type Transport = {
  /** Where it goes, for people and for what is kept by address. */
  readonly url: string
  /** Throws for an address that cannot be one. */
  open(attempt: Attempt, events: ChannelEvents): Channel
}
