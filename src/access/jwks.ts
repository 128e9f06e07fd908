/**
 * Public keys from a URL, kept. A server of keys that is slow or down costs those whose key is not known yet a refusal,
 * and nobody else anything: keys that are known go on working while a newer set is asked for beside them.
 */
import type { createLocalJWKSet, JWTVerifyGetKey } from 'jose'
import { exchange } from './request.ts'

export type RemoteKeysOptions = {
  readonly url: URL
  readonly timeoutMs: number
  /** No request begins sooner after the one before, whatever came of it. */
  readonly cooldownMs: number
  /** Keys older than this are asked for anew, beside their use. */
  readonly freshMs: number
  /** Keys older than this are used no more. */
  readonly staleMsMax: number
  readonly bytesMax: number
  readonly nowMs: () => number
  /** A request failed; what it says holds no secret. */
  readonly onFailure: (error: Error) => void
}

type Keys = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetchedAtMs: number }

export class RemoteKeys {
  readonly #options: RemoteKeysOptions
  #keys: Keys | null = null
  #fetching: Promise<void> | null = null
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: RemoteKeysOptions) {
    this.#options = options
  }

  /** The key that a token names, as jose's verification asks for it. Rejects when there is none. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { nowMs, freshMs, staleMsMax } = this.#options
    if (this.#keys !== null && nowMs() - this.#keys.fetchedAtMs > staleMsMax) this.#keys = null
    if (this.#keys === null) await this.#refresh()
    else if (nowMs() - this.#keys.fetchedAtMs > freshMs) void this.#refresh()
    const keys = this.#keys
    if (keys === null) throw new KeysUnavailable()
    const { errors } = await import('jose')
    try {
      return await keys.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      // The keys may have been changed a moment ago.
      await this.#refresh()
      if (this.#keys === null || this.#keys === keys) throw error
      return this.#keys.find(header, token)
    }
  }

  /** Asks for the keys unless that was done a moment ago; all who wait, wait for one request. Never rejects. */
  #refresh(): Promise<void> {
    const { nowMs, cooldownMs } = this.#options
    if (this.#fetching !== null) return this.#fetching
    if (nowMs() - this.#askedAtMs < cooldownMs) return Promise.resolve()
    this.#askedAtMs = nowMs()
    this.#fetching = this.#fetch()
      .catch((error: unknown) =>
        this.#options.onFailure(error instanceof Error ? error : new Error(String(error)))
      )
      .finally(() => {
        this.#fetching = null
      })
    return this.#fetching
  }

  async #fetch(): Promise<void> {
    const { url, timeoutMs, bytesMax, nowMs } = this.#options
    const { status, body } = await exchange({ url, timeoutMs, answerBytesMax: bytesMax })
    if (status !== 200) throw new Error(`${url.origin}${url.pathname}: answered with ${status}`)
    const { createLocalJWKSet } = await import('jose')
    // It checks what it is given, and takes public keys only.
    const find = createLocalJWKSet(body as Parameters<typeof createLocalJWKSet>[0])
    this.#keys = { find, fetchedAtMs: nowMs() }
  }
}

/** Nobody's token can be looked at: not the fault of whoever sent it. */
export class KeysUnavailable extends Error {
  constructor() {
    super('the keys could not be had')
  }
}
