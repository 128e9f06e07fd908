/**
 * Grants from an application's URL: it is sent who wants in and where, and answers what they may do. An answer counts
 * for a short while for the same question; no answer lets nobody in, and is worth a retry.
 */
import { createHash } from 'node:crypto'
import { checkOptions, either, limitsOption, matching, text } from '../base/check.ts'
import { Fault, faults, Refusal } from '../base/errors.ts'
import { type Limits, withLimits } from '../base/limits.ts'
import { queryWithoutToken } from './carriers.ts'
import type { Attempt, Authorize, Grant } from './grant.ts'
import { exchange } from './request.ts'

export type WebhookOptions = {
  /** `http:` or `https:`. Gets a POST with a JSON body for each attempt; redirects are not followed. */
  readonly url: string | URL
  /** Sent with each request, for the application to know who asks. */
  readonly headers?: Readonly<Record<string, string>>
  /** Bounds that differ from the defaults: those whose names begin with `webhook` count here. */
  readonly limits?: Partial<Limits>
}

/** Every option of `webhook`, and what it may be. */
export const webhookShape = {
  url: either(
    text('an http or https URL', /^https?:\/\/\S+$/),
    matching<URL>('a URL', value => value instanceof URL)
  ),
  headers: matching<Readonly<Record<string, string>>>(
    'an object of strings',
    value =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every(each => typeof each === 'string')
  ),
  limits: limitsOption
}

type Cached = { readonly answer: Promise<Grant>; readonly untilMs: number }

/**
 * A function for the option `authorize`, and to be called by one of your own. The URL is sent `{ document, token,
 * purpose, dialect, address, origin, query }` and answers with 200 and a grant as JSON, or with 401 (who is that?) or 403
 * (not here). `query` is that of the connection's URL, without the token. A 401, 403 or 404 may hold `{ reason, retry }`: what
 * the client is told, and whether it comes back (`later`) or not (`never`). Any other answer is none.
 */
export function webhook(options: WebhookOptions): Authorize {
  const hook = new Webhook(options)
  return attempt => hook.ask(attempt)
}

class Webhook {
  readonly #options: WebhookOptions
  readonly #url: URL
  readonly #limits: Limits
  /** In the order in which they were asked. Those of earlier epochs are found no more, and fall out at the end. */
  readonly #cache = new Map<string, Cached>()
  #calls = 0

  constructor(options: WebhookOptions) {
    checkOptions('webhook', options, webhookShape)
    if (options.url === undefined) throw new TypeError('webhook: url must be given')
    this.#options = options
    this.#url = new URL(options.url)
    this.#limits = withLimits(options.limits)
    if (this.#url.protocol !== 'http:' && this.#url.protocol !== 'https:') {
      throw new TypeError(`${this.#url.protocol} is neither http: nor https:`)
    }
  }

  ask(attempt: Attempt): Promise<Grant> {
    const key = keyOf(attempt)
    const nowMs = performance.now()
    const cached = this.#cache.get(key)
    // Who says that something has changed does not want to hear what was before.
    if (cached !== undefined && cached.untilMs > nowMs && attempt.purpose !== 'recheck') return cached.answer
    const answer = this.#call(attempt)
    this.#cache.delete(key)
    this.#cache.set(key, { answer, untilMs: nowMs + this.#limits.webhookCacheMs })
    for (const oldest of this.#cache.keys()) {
      if (this.#cache.size <= this.#limits.webhookCacheMax) break
      this.#cache.delete(oldest)
    }
    // That there was no answer is not remembered: the next one may find the application back.
    answer.catch((error: unknown) => {
      const isAnswer = error instanceof Fault && error.code !== 'ERR_AUTHENTICATION_UNAVAILABLE'
      if (!isAnswer && this.#cache.get(key)?.answer === answer) this.#cache.delete(key)
    })
    return answer
  }

  async #call({ document, token, purpose, dialect, address, headers, url }: Attempt): Promise<Grant> {
    const {
      webhookCallsMax,
      webhookTimeoutMs: timeoutMs,
      webhookAnswerBytesMax: answerBytesMax
    } = this.#limits
    if (this.#calls >= webhookCallsMax) throw unavailable(`${webhookCallsMax} calls are under way`)
    this.#calls++
    const body = {
      document,
      token,
      purpose,
      dialect,
      address,
      origin: headers.origin ?? null,
      query: queryWithoutToken(url)
    }
    const sent = { url: this.#url, body, headers: this.#options.headers ?? {}, timeoutMs, answerBytesMax }
    try {
      return readAnswer(await exchange(sent))
    } catch (error) {
      if (error instanceof Fault) throw error
      throw unavailable(error instanceof Error ? error.message : String(error))
    } finally {
      this.#calls--
    }
  }
}

function readAnswer({ status, body }: { status: number; body: unknown }): Grant {
  if (status === 401 || status === 403 || status === 404) {
    throw ownRefusal(body) ?? new Fault(status === 401 ? 'ERR_NOT_AUTHENTICATED' : 'ERR_FORBIDDEN')
  }
  if (status !== 200) throw unavailable(`the webhook answered with ${status}`)
  if (typeof body !== 'object' || body === null) throw unavailable('the webhook answered with no grant')
  // Whether it is a grant is looked at where all of them are, in Admission.
  return body as Grant
}

/** A refusal with a reason of the application's own; null when the answer holds none. */
function ownRefusal(body: unknown): Refusal | null {
  const { reason, retry } = (body ?? {}) as { readonly reason?: unknown; readonly retry?: unknown }
  const isLater = retry === 'later'
  if (typeof reason === 'string' && reason !== '')
    return new Refusal(reason, { retry: isLater ? 'later' : 'never' })
  return isLater ? new Refusal(faults.ERR_NOT_NOW.publicReason, { retry: 'later' }) : null
}

function unavailable(reason: string): Fault {
  return new Fault('ERR_AUTHENTICATION_UNAVAILABLE', reason)
}

/** What the answer may hang on, and no token in memory for longer than its question. */
function keyOf({ document, token, dialect, address, headers, url, epoch }: Attempt): string {
  const query = queryWithoutToken(url)
  const parts = JSON.stringify([document, token, dialect, address, headers.origin ?? null, query, epoch])
  return createHash('sha256').update(parts).digest('base64')
}
