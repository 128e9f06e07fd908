/**
 * Plain HTTP: a table of routes by method and path, one check of who may ask, answers, and any error as one response. It
 * knows Node's http and nothing of WebSockets or documents.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Visitor } from '../access/grant.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { checkBearer } from './bearer.ts'

/** Writes a body in its own time, and ends it; it hears of whoever asked and has gone by the event `close`. Must not throw. */
export type Pour = (response: Writable) => void

/** A body that is a stream is sent as it comes; it is destroyed when whoever asked has gone. */
export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array | string> | Pour
}

export type Request = {
  /** GET for HEAD, whose answer has no body. */
  readonly method: string
  readonly isHead: boolean
  /** Percent-encoded, without query, relative to the server's prefix; begins with `/`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly header: (name: string) => string | undefined
  /** The whole body as text. Throws ERR_BAD_MESSAGE above `bytesMax`. */
  readonly text: (bytesMax: number) => Promise<string>
  /** The body as it comes. Read once, by either. */
  readonly body: AsyncIterable<Uint8Array>
  /** Who asks, for routes that people may ask. */
  readonly visitor: () => Visitor
  /** Aborted when whoever asked has gone before the answer. */
  readonly gone: () => AbortSignal
}

/** What the parts of a path that begin with `:` or `*` stand for, decoded. */
export type Parameters = Readonly<Record<string, string>>

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/api/documents/:name`: `:name` is one part of the path. `*rest` at the end is all that follows. */
  readonly path: string
  /** Whoever sends one of these as `Authorization: Bearer` may ask; `anyone`: everybody. */
  readonly tokens: readonly string[] | 'anyone'
  readonly reply: (request: Request, parameters: Parameters) => Reply | Promise<Reply>
}

/** Returns null when the request is not this handler's business. */
export type Handler = (request: Request) => Promise<Reply | null> | Reply | null

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin'
}

/**
 * The table as a handler. Of several routes that match, the first counts. A path that is there under other methods is
 * answered with 405. Rights are checked before anything of the body is read.
 */
export function routed(routes: readonly Route[]): Handler {
  const matchers = routes.map(route => ({ route, match: matcherOf(route.path) }))
  return request => {
    const found = matchers.flatMap(({ route, match }) => {
      const parameters = match(request.path)
      return parameters === null ? [] : [{ route, parameters }]
    })
    if (found.length === 0) return null
    const chosen = found.find(({ route }) => route.method === request.method)
    if (chosen === undefined) return otherMethods(found.map(({ route }) => route.method))
    const { route, parameters } = chosen
    if (route.tokens !== 'anyone') checkBearer(request.header('authorization'), route.tokens)
    return route.reply(request, parameters)
  }
}

function matcherOf(pattern: string): (path: string) => Parameters | null {
  const names: string[] = []
  const form = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/([:*])(\w+)/g, (_, kind, name) => {
      names.push(name)
      return kind === ':' ? '([^/]+)' : '(.+)'
    })
  const matches = new RegExp(`^${form}$`)
  return path => {
    const values = matches.exec(path)?.slice(1)
    if (values === undefined) return null
    return Object.fromEntries(names.map((name, at) => [name, decoded(values[at] ?? '')]))
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Fault('ERR_BAD_MESSAGE', 'a path with escapes that are none')
  }
}

function otherMethods(methods: readonly string[]): Reply {
  const allow = [...new Set(methods)].join(', ')
  const reply = json(405, { error: 'ERR_METHOD', message: `this address takes ${allow}` })
  return { ...reply, headers: { ...reply.headers, allow } }
}

type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Relative to the server's prefix, with its query. */
  readonly url: string
  readonly visitor: () => Visitor
  readonly log: Log
}

/** Asks each handler in turn and answers; 404 when none takes the request. Never rejects. */
export async function answer(handlers: readonly Handler[], exchange: Exchange): Promise<void> {
  const { request, response, log } = exchange
  const readable = requestOf(exchange)
  const reply = await replyTo(handlers, readable).catch((error: unknown) => {
    const fault = toFault(error)
    if (fault.code === 'ERR_INTERNAL')
      log.error({ error: fault.cause, path: readable.path }, 'request failed')
    return json(fault.httpStatus, { error: fault.code, message: fault.publicReason })
  })
  const { body } = reply
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  const length = isWhole ? { 'content-length': String(Buffer.byteLength(body)) } : {}
  response.writeHead(reply.status, { ...securityHeaders, ...reply.headers, ...length })
  if (request.method === 'HEAD') response.end()
  else if (isWhole) response.end(body)
  else if (typeof body === 'function') body(response)
  else await stream(body, response, log)
}

/** The status is sent already: what fails now can only end the connection, so that nobody takes a part for all. */
async function stream(body: AsyncIterable<Uint8Array | string>, response: ServerResponse, log: Log) {
  try {
    await pipeline(Readable.from(body), response)
  } catch (error) {
    response.destroy()
    if (!isPrematureClose(error)) log.error({ error }, 'a streamed answer failed')
  }
}

/** Whoever asked has gone. */
function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}

async function replyTo(handlers: readonly Handler[], request: Request): Promise<Reply> {
  for (const handler of handlers) {
    const reply = await handler(request)
    if (reply !== null) return reply
  }
  return json(404, { error: 'ERR_NOT_FOUND', message: 'there is nothing here' })
}

export function json(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: `${JSON.stringify(value)}\n`
  }
}

function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  if (response.destroyed) gone.abort()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}

function requestOf({ request, response, url, visitor }: Exchange): Request {
  const [path = '/'] = url.split('?', 1)
  return {
    method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
    isHead: request.method === 'HEAD',
    path,
    query: new URLSearchParams(url.slice(path.length)),
    header: name => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    body: request,
    visitor,
    gone: () => goneSignal(response),
    text: async bytesMax => {
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of request) {
        bytes += (chunk as Buffer).length
        if (bytes > bytesMax) throw new Fault('ERR_BAD_MESSAGE', `a request body above ${bytesMax} bytes`)
        chunks.push(chunk as Buffer)
      }
      return Buffer.concat(chunks).toString()
    }
  }
}
