/**
 * How a route is declared, once: what it takes, who may ask it, what it answers, in sentences for people. The router asks it
 * by this; the OpenAPI description and docs/http.md are made of it, and a test holds every answer to it.
 */
import type { z } from 'zod'
import type { FaultCode } from '../base/errors.ts'
import type { Asker, Needed } from './askers.ts'
import type { Reply, Request } from './message.ts'

/** Values by name: the parts of a path, a query, headers. */
export type Fields = Readonly<Record<string, z.ZodType>>

type Values<F extends Fields> = { readonly [name in keyof F]: z.output<F[name]> }

/**
 * `operator`: whoever has the admin token. `machine`: a command on the same machine, by the token in the data directory.
 * Else what a person needs in the document that the path names, as `authorize` says; the operator may as well.
 */
export type Who = 'anyone' | 'operator' | 'machine' | Needed

/** JSON that fits the schema. Another content type does no harm. */
export type JsonBody<S extends z.ZodType = z.ZodType> = {
  readonly form: 'json'
  readonly schema: S
  readonly bytesMax: number
}

/** Bytes of one of these types: what each is, for people; or the schema of what is JSON. */
export type BytesBody = {
  readonly form: 'bytes'
  readonly types: Readonly<Record<string, string | z.ZodType>>
  readonly bytesMax: number
}

/** `type`: one of those that were declared. */
export type Incoming = { readonly type: string; readonly bytes: () => Promise<Uint8Array> }

type BodyValue<B> = B extends JsonBody<infer S> ? z.output<S> : B extends BytesBody ? Incoming : null

/** What each media type of an answer is: a schema, or for bytes and text a sentence. */
export type Contents = Readonly<Record<string, z.ZodType | string>>

export type Answer = {
  readonly says: string
  readonly content?: Contents
  /** What each header says, by its name. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A request whose asker may ask, with everything that it says read. */
export type Asked<
  P extends Fields = Fields,
  Q extends Fields = Fields,
  H extends Fields = Fields,
  B = JsonBody | BytesBody | null
> = {
  readonly request: Request
  readonly parameters: Values<P>
  readonly query: Values<Q>
  readonly headers: Values<H>
  readonly body: BodyValue<B>
  /** Null where nobody was asked who they are: `anyone`. */
  readonly asker: Asker | null
}

type Declared<P extends Fields, Q extends Fields, H extends Fields, B> = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /**
   * `/api/documents/*document/history/:version`: `:version` is one part of the path, `*document` one or more; in either a
   * slash may be written %2F. Both are decoded once. Of several paths that match, the one with most literal parts counts.
   */
  readonly path: string
  /** Names the operation: of all routes, once. */
  readonly id: string
  /** Under which heading it is described. */
  readonly group: string
  /** One sentence: what it does. */
  readonly says: string
  /** Further sentences, Markdown. */
  readonly more?: string
  readonly who: Who
  /** The reply asks itself whether they may, as it keeps what was granted. */
  readonly asksItself?: boolean
  readonly parameters?: P
  readonly query?: Q
  readonly headers?: H
  readonly body?: B
  readonly answers: Readonly<Record<number, Answer>>
  /** Beside those that follow from `who`, the body and the parameters. */
  readonly faults?: readonly FaultCode[]
  readonly reply: (asked: Asked<P, Q, H, B>) => Reply | Promise<Reply>
}

/** Of whichever shape. */
export type Route = Declared<Fields, Fields, Fields, JsonBody | BytesBody | null>

/** Checks the declaration against what its reply takes; the table has no need of that. */
export function route<
  P extends Fields = Record<never, never>,
  Q extends Fields = Record<never, never>,
  H extends Fields = Record<never, never>,
  B extends JsonBody | BytesBody | null = null
>(declared: Declared<P, Q, H, B>): Route {
  return declared as unknown as Route
}

export function jsonBody<S extends z.ZodType>(schema: S, bytesMax: number = smallBytesMax): JsonBody<S> {
  return { form: 'json', schema, bytesMax }
}

/** More than any request of ours needs that is no document. */
const smallBytesMax = 64 * 1024
