/**
 * Puts attempts to the application's `authorize` and makes of whatever comes back, or does not, a grant or a fault:
 * it fails closed, and what was tried as a token never reaches the log.
 */
import { Fault, toFault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Time } from '../time.ts'
import type { Attempt, Authorize, Grant, User } from './grant.ts'

/** A grant that lets somebody in. */
export type Admitted = { readonly user: User | null; readonly access: 'read' | 'write' }

type Parts = {
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

export class Admission {
  readonly #authorize: Authorize | null
  readonly #parts: Parts

  /** Without `authorize` everybody may write. */
  constructor(authorize: Authorize | null, parts: Parts) {
    this.#authorize = authorize
    this.#parts = parts
  }

  /** Nobody is asked: `everybody` is what each attempt would come to. */
  get isOpen(): boolean {
    return this.#authorize === null
  }

  /** Rejects with a Fault: ERR_NOT_AUTHENTICATED (no token), ERR_FORBIDDEN, ERR_AUTHENTICATION_TIMEOUT. */
  async admit(attempt: Attempt): Promise<Admitted> {
    if (this.#authorize === null) return everybody
    const grant = await this.#ask(this.#authorize, attempt)
    const { access, user = null, expiresAt = Number.POSITIVE_INFINITY } = grant ?? {}
    // Plain JavaScript may return anything: only what is plainly a grant is one.
    const isGranted = (access === 'read' || access === 'write') && expiresAt > this.#parts.time.wallMs()
    if (!isGranted) throw refusal(attempt)
    return { user, access }
  }

  async #ask(authorize: Authorize, attempt: Attempt): Promise<Grant | null> {
    const { time, limits } = this.#parts
    let cancel = () => {}
    const timeout = new Promise<never>((_, reject) => {
      const tooLate = () =>
        reject(new Fault('ERR_AUTHENTICATION_TIMEOUT', 'authorize did not answer in time'))
      cancel = time.after(limits.authorizeTimeoutMs, tooLate)
    })
    try {
      return await Promise.race([Promise.resolve(attempt).then(authorize), timeout])
    } catch (error) {
      throw this.#failed(error, attempt)
    } finally {
      cancel()
    }
  }

  /** A Fault is the application's own answer; anything else is reported, without what the client sent. */
  #failed(error: unknown, attempt: Attempt): Fault {
    const { log, metrics } = this.#parts
    if (error instanceof Fault && error.code !== 'ERR_AUTHENTICATION_TIMEOUT') return error
    const isTimeout = error instanceof Fault
    metrics.hookCalled('authorize', isTimeout ? 'timed-out' : 'failed')
    const reason = withoutToken(toFault(error).message, attempt.token)
    log.warn({ document: attempt.document, reason }, 'authorize failed; the attempt is refused')
    return isTimeout ? error : refusal(attempt)
  }
}

/** What everybody is granted when nobody is asked. */
export const everybody: Admitted = { user: null, access: 'write' }

function refusal({ token }: Attempt): Fault {
  return new Fault(token === null || token === '' ? 'ERR_NOT_AUTHENTICATED' : 'ERR_FORBIDDEN')
}

function withoutToken(text: string, token: string | null): string {
  return token === null || token === '' ? text : text.replaceAll(token, '[token]')
}
