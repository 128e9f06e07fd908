/** Answers of the Durable Streams dialect: errors as its clients read them, and what pages of other origins may see. */
import type { Gate } from '../access/gate.ts'
import type { Visitor } from '../access/grant.ts'
import { Fault, type FaultCode } from '../base/errors.ts'
import { headers } from '../dialect/durable-streams.ts'
import type { Reply, Request } from '../http/message.ts'

export type ErrorCode =
  | 'INVALID_REQUEST'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'DOCUMENT_NOT_FOUND'
  | 'SNAPSHOT_NOT_FOUND'
  | 'STREAM_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'TIMEOUT'
  | 'CONFLICT'
  | 'SEQUENCE_GAP'
  | 'STALE_EPOCH'
  | 'OLD_COPY'
  | 'PAYLOAD_TOO_LARGE'
  | 'TOO_MANY_REQUESTS'
  | 'UNAVAILABLE'
  | 'INTERNAL_ERROR'

/** `extra`: further headers. */
export function refusal(
  status: number,
  [code, message]: readonly [ErrorCode, string],
  extra: Readonly<Record<string, string>> = {}
): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...extra },
    body: `${JSON.stringify({ error: { code, message } })}\n`
  }
}

const byStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'DOCUMENT_NOT_FOUND',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  410: 'OLD_COPY',
  413: 'PAYLOAD_TOO_LARGE',
  503: 'UNAVAILABLE'
}

/** What a client is told of a fault, and when it is worth another try. */
export function refusalOf(fault: Fault): Reply {
  const { httpStatus, publicReason } = fault
  const later = httpStatus === 503 ? { 'retry-after': '1' } : {}
  const challenge = httpStatus === 401 ? { 'www-authenticate': 'Bearer' } : {}
  return refusal(httpStatus, [byStatus[httpStatus] ?? 'INTERNAL_ERROR', publicReason], {
    ...later,
    ...challenge
  })
}

export function tooLarge(what: string): Reply {
  // What is left of the body is not read.
  return refusal(413, ['PAYLOAD_TOO_LARGE', what], { connection: 'close' })
}

export function tooMany(owedMs: number): Reply {
  return refusal(429, ['TOO_MANY_REQUESTS', 'more than is taken at once; try again later'], {
    'retry-after': String(Math.ceil(owedMs / 1000)),
    connection: 'close'
  })
}

export const noDocument: Reply = refusal(404, ['DOCUMENT_NOT_FOUND', 'there is no such document'])

/** What cannot be meant. The reason is told. */
export function wrong(reason: string): Fault {
  return new Fault('ERR_BAD_MESSAGE' satisfies FaultCode, reason, { publicReason: reason })
}

/** How long a read lasts: until it has all there is, or on. */
export function liveOf(text: string | null): 'sse' | 'long-poll' | null {
  if (text === null || text === 'sse' || text === 'long-poll') return text
  throw wrong('live is sse or long-poll')
}

const methods = 'GET, HEAD, POST, PUT, DELETE'
const sentHeaders = [
  'authorization',
  'content-type',
  headers.producerId,
  headers.producerEpoch,
  headers.producerSeq,
  headers.closed
].join(', ')
const seenHeaders = [
  headers.nextOffset,
  headers.upToDate,
  headers.cursor,
  headers.sseEncoding,
  headers.producerEpoch,
  headers.producerSeq,
  headers.expectedSeq,
  headers.receivedSeq,
  'location',
  'retry-after'
].join(', ')

type Page = { readonly visitor: Visitor; readonly gate: Gate }

/** The answer as a page of another origin may read it, if pages of that origin may connect. */
export function readable(reply: Reply, request: Request, { visitor, gate }: Page): Reply {
  const origin = request.header('origin')
  if (origin === undefined || visitor.barred !== null) return reply
  // Only where a cookie of such a page would count.
  const credentials = gate.trustsCookies(visitor.headers)
    ? { 'access-control-allow-credentials': 'true' }
    : {}
  const { vary } = reply.headers
  const cors = {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': seenHeaders,
    vary: vary === undefined ? 'origin' : `${vary}, origin`,
    ...credentials
  }
  return { ...reply, headers: { ...reply.headers, ...cors } }
}

/** Any other method than these. A browser asks before it lets a page use some of them. */
export function otherMethod(request: Request): Reply {
  if (request.method !== 'OPTIONS' || request.header('access-control-request-method') === undefined) {
    return refusal(405, ['METHOD_NOT_ALLOWED', `this address takes ${methods}`], { allow: methods })
  }
  const preflight = {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': sentHeaders,
    'access-control-max-age': '600'
  }
  return { status: 204, headers: preflight, body: '' }
}
