/**
 * The outlet that posts each event to a URL, signed as the Standard Webhooks specification says, so that its libraries verify
 * it. Only an answer of 2xx means that the event has arrived.
 */
import { createHmac } from 'node:crypto'
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { bounds } from './bounds.ts'
import { namedOutlet, type OutletOptions, shownAddress, wrong } from './options.ts'
import { encodeEvent, type Outlet, OutletError } from './outlet.ts'
import { checkHost, lookupPublic } from './public-addresses.ts'

export type WebhookOutletOptions = OutletOptions & {
  /** `http:` or `https:`. Redirects are not followed. */
  readonly url: string | URL
  /** `whsec_` and base64 of 24 to 64 bytes. Several sign each event, as while a new one replaces an old one. */
  readonly secret: string | readonly string[]
  /** `update`: the body holds the document as it is at the delivery: a Yjs update in base64, as `content`. Default `none`. */
  readonly content?: 'none' | 'update'
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the URL may lead to addresses that are not of the public internet. Default `refused`. */
  readonly privateAddresses?: 'refused' | 'allowed'
}

/** Throws OutletError with `isFinal` for what cannot be. */
export function webhookOutlet(options: WebhookOutletOptions): Outlet {
  const url = urlOf(options)
  const keys = [options.secret].flat().map(keyOf)
  if (keys.length === 0 || keys.length > bounds.secretsMax)
    throw wrong(`it has 1 to ${bounds.secretsMax} secrets`)
  const { content = 'none', headers = {}, privateAddresses = 'refused' } = options
  checkHeaders(headers)
  return {
    ...namedOutlet(options, `webhook ${shownAddress(url.href)}`),
    deliver: async delivery => {
      const body = encodeEvent(delivery.event, content === 'update' ? await delivery.read() : null)
      const signed = signedHeaders(delivery.event.id, body, { keys, nowMs: Date.now() })
      if (privateAddresses === 'refused') checkHost(url)
      const status = await post(url, body, {
        headers: { ...headers, ...signed },
        signal: delivery.signal,
        ...(privateAddresses === 'refused' ? { lookup: lookupPublic } : {})
      })
      checkStatus(status)
    },
    // Each request has a connection of its own.
    close: async () => {}
  }
}

function urlOf({ url: given }: WebhookOutletOptions): URL {
  const url = URL.parse?.(String(given)) ?? (URL.canParse(String(given)) ? new URL(given) : null)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw wrong('it needs an http or https URL')
  return url
}

function keyOf(secret: string): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  if (key.length >= 24 && key.length <= 64) return key
  throw wrong('a secret is whsec_ and base64 of 24 to 64 bytes')
}

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value)) continue
    throw wrong(`the header ${JSON.stringify(name)} is none`)
  }
}

/** Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.seconds.body`, one for each key. */
export function signedHeaders(
  id: string,
  body: Buffer,
  { keys, nowMs }: { readonly keys: readonly Buffer[]; readonly nowMs: number }
): Record<string, string> {
  const seconds = Math.floor(nowMs / 1000)
  const signatureBy = (key: Buffer) =>
    `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
  return {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': keys.map(signatureBy).join(' ')
  }
}

function checkStatus(status: number): void {
  if (status >= 200 && status < 300) return
  const isMoved = status >= 300 && status < 400
  const text = isMoved ? `it answered ${status}, and redirects are not followed` : `it answered ${status}`
  // Gone: whoever answers so wants no more of them.
  throw new OutletError(text, { isFinal: status === 410 })
}

function post(url: URL, body: Buffer, options: RequestOptions): Promise<number> {
  const request: typeof requestHttp = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(error instanceof OutletError ? error : new OutletError(error.message))
    const posted = request(url, { ...options, method: 'POST', agent: false }, response => {
      let bytes = 0
      response.on('error', failed)
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        // Its status is known, and is what counts.
        if (bytes > bounds.answerBytesMax) response.destroy()
      })
      response.on('close', () => resolve(response.statusCode ?? 0))
    })
    posted.on('error', failed)
    posted.end(body)
  })
}
