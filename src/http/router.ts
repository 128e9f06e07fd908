/**
 * Plain HTTP: routes by method and path, answers, and turns any error into one response. It knows Node's http and
 * nothing of WebSockets or documents.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Fault, toFault } from '../errors.ts'
import type { Log } from '../log.ts'

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export type Request = {
  readonly method: string
  /** Percent-encoded, without query, relative to the server's prefix; begins with `/`. */
  readonly path: string
  readonly header: (name: string) => string | undefined
  /** The whole body as text. Throws ERR_BAD_MESSAGE above `bytesMax`. */
  readonly text: (bytesMax: number) => Promise<string>
}

/** Returns null when the request is not this handler's business. */
export type Handler = (request: Request) => Promise<Reply | null> | Reply | null

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin'
}

/** Asks each handler in turn and answers; 404 when none takes the request. Never rejects. */
export async function answer(
  handlers: readonly Handler[],
  {
    request,
    response,
    path,
    log
  }: { request: IncomingMessage; response: ServerResponse; path: string; log: Log }
): Promise<void> {
  const reply = await replyTo(handlers, readable(request, path)).catch((error: unknown) => {
    const fault = toFault(error)
    if (fault.code === 'ERR_INTERNAL') log.error({ error: fault.cause, path }, 'request failed')
    return json(fault.httpStatus, { error: fault.code, message: fault.publicReason })
  })
  response.writeHead(reply.status, {
    ...securityHeaders,
    ...reply.headers,
    'content-length': String(Buffer.byteLength(reply.body))
  })
  response.end(request.method === 'HEAD' ? undefined : reply.body)
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

function readable(request: IncomingMessage, path: string): Request {
  return {
    method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
    path,
    header: name => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
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
