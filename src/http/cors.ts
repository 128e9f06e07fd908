/**
 * Which pages of other origins may ask the API, and read what it answers: those that may connect as well, as the gate says.
 * They send a token of their own; a cookie of the browser is no part of it.
 */
import type { Reply, Request } from './message.ts'

const none = {}

/** What is added to an answer; nothing for programs, and for pages that may not. */
export function corsHeaders(request: Request): Readonly<Record<string, string>> {
  const origin = request.header('origin')
  if (origin === undefined || !isApi(request.path) || request.visitor().barred !== null) return none
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'ETag, Retry-After',
    vary: 'origin, authorization, accept'
  }
}

/** The answer to what a browser asks before a page's request; null: it is no such question. */
export function preflight(request: Request): Reply | null {
  const method = request.header('access-control-request-method')
  if (request.method !== 'OPTIONS' || method === undefined || !isApi(request.path)) return null
  const headers = corsHeaders(request)
  // Without these the browser does not ask further.
  if (headers === none) return { status: 403, headers, body: '' }
  return {
    status: 204,
    headers: {
      ...headers,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers':
        'Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID',
      'access-control-max-age': '600'
    },
    body: ''
  }
}

function isApi(path: string): boolean {
  return path.startsWith('/api/')
}
