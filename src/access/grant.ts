/** What a connection may do with one document, and the question about it that is put to whoever decides. */
import type { IncomingHttpHeaders } from 'node:http'

/** `none` is a refusal, as is a thrown error. */
export type Access = 'none' | 'read' | 'write'

/**
 * What somebody may do with a document's past, which holds what was deleted, also before they came: ask about it, or bring
 * it back as well.
 */
export type HistoryAccess = 'none' | 'read' | 'restore'

/** `id` tells people apart; it is what limits, refusals, `recheck` and `revoke` go by. Further fields are the application's. */
export type User = { readonly id: string; readonly name?: string; readonly [field: string]: unknown }

/**
 * What somebody may do. `rooms`: patterns as in `matchesRoom`; if they are there and the document matches none, it is a
 * refusal. `expiresAt`: milliseconds since 1970, by when the grant must have been renewed.
 */
export type Grant = {
  readonly user: User | null
  readonly access: Access
  /** Default `none`. `restore` needs `access: 'write'`, else it is `read`. */
  readonly history?: HistoryAccess
  readonly rooms?: readonly string[]
  readonly expiresAt?: number
}

/** Somebody wants into a document. Everything here was said by a stranger. */
export type Attempt = {
  readonly document: string
  /**
   * That of the Auth frame (Hocuspocus), else of the URL (`?token=`), the subprotocol, the Authorization header or the
   * cookie; see `carriers.ts`. Null when there is none.
   */
  readonly token: string | null
  /**
   * `durable-streams`: one request of a client that reads and writes by HTTP; each is asked about by itself. `http`: a
   * request about a document's history.
   */
  readonly dialect: 'y-websocket' | 'hocuspocus' | 'durable-streams' | 'http'
  /** Who asks, as far as the network tells: the other end of the socket, or what a trusted proxy says of it. */
  readonly address: string
  readonly headers: IncomingHttpHeaders
  /** The request target of the upgrade, path and query. */
  readonly url: string
  /**
   * `enter`: it wants in. `renew`: it is in, and has sent a token again. `recheck`: it is in, and the application says
   * that something has changed: an answer must not come from a cache.
   */
  readonly purpose: 'enter' | 'renew' | 'recheck'
  /** Counts how often rights may have changed so far: an answer to a question of an earlier epoch counts no more. */
  readonly epoch: number
}

/** Decides about an attempt, within `authorizeTimeoutMs`. Throwing refuses. */
export type Authorize = (attempt: Attempt) => Grant | Promise<Grant>

/** A grant that lets somebody in. `expiresAtMs` is milliseconds since 1970, Infinity for never. */
export type Admitted = {
  readonly user: User | null
  readonly access: 'read' | 'write'
  readonly history: HistoryAccess
  readonly expiresAtMs: number
}

/** What everybody is granted when nobody is asked. */
export const everybody: Admitted = {
  user: null,
  access: 'write',
  history: 'none',
  expiresAtMs: Number.POSITIVE_INFINITY
}

/** What an upgrade request says of whoever asks, before it is known for which document. */
export type Visitor = Pick<Attempt, 'address' | 'headers' | 'url'> & {
  /** The page that connects may not, or nobody may here: see `Gate`. Null when that is fine. */
  readonly barred: 'origin' | 'not-loopback' | null
}

const accesses: readonly Access[] = ['none', 'read', 'write']
const histories: readonly HistoryAccess[] = ['none', 'read', 'restore']

/** The lesser of the two. */
export function lesserAccess(a: Access, b: Access): Access {
  return accesses.indexOf(a) < accesses.indexOf(b) ? a : b
}

/** The lesser of the two. */
export function lesserHistory(a: HistoryAccess, b: HistoryAccess): HistoryAccess {
  return histories.indexOf(a) < histories.indexOf(b) ? a : b
}

/** Whether it is one; whatever is none gives nothing. */
export function isHistoryAccess(value: unknown): value is HistoryAccess {
  return histories.some(each => each === value)
}

/** Who it is across reconnects and documents: the user where one is known, else where it comes from. */
export function sourceOf(user: Pick<User, 'id'> | null, address: string): string {
  return JSON.stringify(user === null ? { address } : { user: user.id })
}

/** The same in one document. Refusals are counted by it. */
export function peerOf(source: string, document: string): string {
  return JSON.stringify([source, document])
}
