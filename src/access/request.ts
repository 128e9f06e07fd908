/**
 * One HTTP exchange with an application's server: JSON in, JSON out, bounded in time and bytes. No redirects are
 * followed, so that an answer comes from the address that was configured; and errors name nothing that was sent.
 */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { parseJson } from '../base/json.ts'
import { defaultLimits } from '../base/limits.ts'

export type Exchange = {
  readonly url: URL
  /** Sent as JSON with POST; without it the request is a GET. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly answerBytesMax: number
}

export type Answer = { readonly status: number; readonly body: unknown }

/** Rejects with an Error: no answer in time, none at all, or one that is no JSON or too large. */
export async function exchange({ url, body, headers, timeoutMs, answerBytesMax }: Exchange): Promise<Answer> {
  const sent = body === undefined ? null : Buffer.from(JSON.stringify(body))
  const signal = AbortSignal.timeout(timeoutMs)
  const request: typeof requestHttp = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : error.message
      reject(new Error(`${url.origin}${url.pathname}: ${reason}`))
    }
    const options = {
      method: sent === null ? 'GET' : 'POST',
      signal,
      // A connection of its own, closed at the end: nothing is left open when the server stops.
      agent: false as const,
      headers: {
        accept: 'application/json',
        ...(sent === null
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(sent.length) }),
        ...headers
      }
    }
    const exchanged = request(url, options, response => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('error', failed)
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes > answerBytesMax) response.destroy(new Error(`an answer above ${answerBytesMax} bytes`))
      })
      response.on('end', () => {
        const status = response.statusCode ?? 0
        try {
          const body = Buffer.concat(chunks)
          resolve({ status, body: bytes === 0 ? null : parseJson(body, defaultLimits.jsonDepthMax) })
        } catch {
          // What JSON.parse says quotes what it read; an error page needs no quoting, its status does.
          if (status >= 400) resolve({ status, body: null })
          else failed(new Error('the answer is not JSON'))
        }
      })
    })
    exchanged.on('error', failed)
    exchanged.end(sent ?? undefined)
  })
}
