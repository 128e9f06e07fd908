/** An HTTP request as routes and pages see it, and what they answer. Nothing of it is Node's. */
import type { Writable } from 'node:stream'
import type { Visitor } from '../access/grant.ts'

/** Writes a body in its own time, and ends it; it hears of whoever asked and has gone by the event `close`. Must not throw. */
export type Pour = (response: Writable) => void

/** A body that is a stream is sent as it comes; it is destroyed when whoever asked has gone. */
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array | string> | Endless | Pour
}

/** An answer that goes on until either side ends it. Of the two, `opened` may never be called; `closed` is, once. */
export type Endless = {
  readonly opened: (sink: Sink) => void
  /** Whoever asked has gone, or it was ended. */
  readonly closed: () => void
}

export type Sink = {
  readonly write: (bytes: Uint8Array) => void
  /** Bytes that were written and that the network has not taken. */
  readonly queuedBytes: number
  readonly end: () => void
}

export type Request = {
  /** GET for HEAD, whose answer has no body. */
  readonly method: string
  readonly isHead: boolean
  /** Percent-encoded, without query, relative to the server's prefix; begins with `/`. */
  readonly path: string
  readonly query: URLSearchParams
  /** `name` in lower case. */
  readonly header: (name: string) => string | undefined
  /** The whole body. Rejects with ERR_BODY_TOO_LARGE above `bytesMax`: nothing more of it is read. */
  readonly bytes: (bytesMax: number) => Promise<Uint8Array>
  /** The body as it comes. Read once, by either. */
  readonly body: AsyncIterable<Uint8Array>
  /** Who asks, for routes that people may ask. */
  readonly visitor: () => Visitor
  /** Aborted when whoever asked has gone before the answer. */
  readonly gone: () => AbortSignal
}

/** Returns null when the request is not this handler's business. */
export type Handler = (request: Request) => Promise<Reply | null> | Reply | null

export function json(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: `${JSON.stringify(value)}\n`
  }
}
