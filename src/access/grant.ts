/** What a connection may do with one document, and the question that is put to the application about it. */
import type { IncomingHttpHeaders } from 'node:http'

/** `none` is a refusal, as is a thrown error. */
export type Access = 'none' | 'read' | 'write'

export type User = { readonly id: string; readonly name?: string }

/** `expiresAt`: milliseconds since 1970; looked at when the grant is given, and one that has expired is none. */
export type Grant = {
  readonly user: User | null
  readonly access: Access
  readonly expiresAt?: number
}

/** Somebody wants into a document. Everything here was said by a stranger. */
export type Attempt = {
  readonly document: string
  /** y-websocket: `?token=` of the URL. Hocuspocus: that of the Auth frame; null when the client sends none. */
  readonly token: string | null
  readonly dialect: 'y-websocket' | 'hocuspocus'
  /** The other end of the socket. */
  readonly address: string
  readonly headers: IncomingHttpHeaders
  /** The request target of the upgrade, path and query. */
  readonly url: string
}

/** Decides about an attempt, within `authorizeTimeoutMs`. Throwing refuses. */
export type Authorize = (attempt: Attempt) => Grant | Promise<Grant>
