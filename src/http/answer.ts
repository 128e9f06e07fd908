/** Answers of handlers over Node's http: the one place that reads its requests and writes its responses. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Visitor } from '../access/grant.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { corsHeaders, preflight } from './cors.ts'
import { type Endless, type Handler, json, type Reply, type Request } from './message.ts'

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin'
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
  const reply = await replyTo([preflight, ...handlers], readable).catch((error: unknown) => {
    const fault = toFault(error)
    if (fault.code === 'ERR_INTERNAL')
      log.error({ error: fault.cause, path: readable.path }, 'request failed')
    return refusal(fault)
  })
  const { body } = reply
  if (isEndless(body)) return open(body, reply, exchange)
  const isWhole = typeof body === 'string' || body instanceof Uint8Array
  const length = isWhole ? { 'content-length': String(Buffer.byteLength(body)) } : {}
  // Nothing lies behind a 204, not even a length.
  const size = reply.status === 204 ? {} : length
  response.writeHead(reply.status, {
    ...securityHeaders,
    ...reply.headers,
    ...corsHeaders(readable),
    ...size
  })
  if (request.method === 'HEAD') response.end()
  else if (isWhole) response.end(body)
  else if (typeof body === 'function') body(response)
  else await stream(body, response, log)
}

function isEndless(body: Reply['body']): body is Endless {
  return typeof body === 'object' && 'opened' in body
}

/** Until the connection ends: so every write is the bytes alone, without a length before them. */
function open({ opened, closed }: Endless, { status, headers }: Reply, exchange: Exchange): void {
  const { request, response } = exchange
  if (response.destroyed) return closed()
  response.once('close', closed)
  response.removeHeader('transfer-encoding')
  response.writeHead(status, { ...securityHeaders, ...headers, ...corsHeaders(requestOf(exchange)) })
  if (request.method === 'HEAD') return void response.end()
  response.flushHeaders()
  opened({
    write: bytes => void response.write(bytes),
    get queuedBytes() {
      return response.writableLength
    },
    // Whoever does not read would keep what is queued for ever.
    end: () => void (response.writableLength === 0 ? response.end() : response.destroy())
  })
}

/** A fault as whoever asked is told of it. */
function refusal(fault: Fault): Reply {
  const reply = json(fault.httpStatus, { error: fault.code, message: fault.publicReason })
  return { ...reply, headers: { ...reply.headers, ...advice(fault) } }
}

function advice({ code, httpStatus, retryAfterMs }: Fault): Readonly<Record<string, string>> {
  if (httpStatus === 401) return { 'www-authenticate': 'Bearer' }
  // Nothing more of the body is read.
  if (code === 'ERR_BODY_TOO_LARGE') return { connection: 'close' }
  if (httpStatus !== 429 && httpStatus !== 503) return {}
  return { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
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
  let query: URLSearchParams | null = null
  return {
    method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
    isHead: request.method === 'HEAD',
    path,
    get query() {
      query ??= new URLSearchParams(url.slice(path.length))
      return query
    },
    header: name => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    body: request,
    visitor,
    gone: () => goneSignal(response),
    bytes: bytesMax => readAll(request, bytesMax)
  }
}

/** By events: to leave a loop over the request early would end its connection before it is answered. */
function readAll(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(tooLarge(bytesMax))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const take = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= bytesMax) return
      request.off('data', take)
      request.pause()
      reject(tooLarge(bytesMax))
    }
    request.on('data', take)
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('close', () => reject(new Fault('ERR_CANCELLED', 'the request was not sent to its end')))
  })
}

function tooLarge(bytesMax: number): Fault {
  const publicReason = `the body of this request may have ${bytesMax} bytes at most`
  return new Fault('ERR_BODY_TOO_LARGE', publicReason, { publicReason })
}
