/**
 * Puts attempts to whoever decides and makes of whatever comes back, or does not, a grant or a fault: it fails closed,
 * and what was tried as a token never reaches the log.
 */
import { Fault, toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'
import { carriedToken, withoutAddress, withoutSecrets } from './carriers.ts'
import type { Gate } from './gate.ts'
import {
  type Admitted,
  type Attempt,
  type Authorize,
  everybody,
  type Grant,
  type HistoryAccess,
  isHistoryAccess,
  lesserAccess,
  lesserHistory,
  type User,
  type Visitor
} from './grant.ts'
import { matchesRoom } from './patterns.ts'
import { Revocations } from './revocations.ts'

export type AdmissionOptions = {
  /** Null: nobody is asked, and everybody may write. */
  readonly authorize: Authorize | null
  /** What everybody may do with the history of a document then. */
  readonly openHistory: (document: string) => HistoryAccess
  readonly gate: Gate
  /** The cookie that carries a token, if one does. */
  readonly tokenCookie: string | null
}

export type AdmissionParts = {
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** How often an attempt is asked about again because rights were changed while it was being looked at. */
const roundsMax = 3

/** Failures of `authorize` are warned of no more often; all are counted, and logged at the level debug. */
const failureLogMs = 1_000

export class Admission {
  readonly revocations: Revocations
  readonly #options: AdmissionOptions
  readonly #parts: AdmissionParts
  /** Counts the times that rights may have changed: an answer to a question asked before is worth nothing. */
  #epoch = 0
  #hasWarned = false
  #failureLoggedAtMs = Number.NEGATIVE_INFINITY
  /** Ends a question that is being asked. Bounded by how many may be asked about each connection. */
  readonly #abandon = new Set<(fault: Fault) => void>()
  #isClosed = false

  constructor(options: AdmissionOptions, parts: AdmissionParts) {
    this.#options = options
    this.#parts = parts
    this.revocations = new Revocations(parts.time, parts.limits)
  }

  /** Whether anybody decides. */
  get asks(): boolean {
    return this.#options.authorize !== null
  }

  /** Nobody is asked: `everybody` is what each attempt of this visitor would come to. */
  isOpenTo({ barred }: Visitor): boolean {
    return this.#options.authorize === null && barred === null
  }

  /** The question about a visitor; `token` is what the dialect's own frame said. Throws when there is none to put. */
  question(visitor: Visitor, asked: Pick<Attempt, 'document' | 'token' | 'dialect'>): Attempt {
    const { address, headers, url, barred } = visitor
    if (barred !== null) throw this.#barred(barred)
    const { gate, tokenCookie } = this.#options
    const cookie = tokenCookie !== null && gate.trustsCookies(headers) ? tokenCookie : null
    const token = asked.token === null || asked.token === '' ? carriedToken(visitor, cookie) : asked.token
    return {
      ...asked,
      token: token ?? asked.token,
      address,
      headers,
      url,
      purpose: 'enter',
      epoch: this.#epoch
    }
  }

  /** From now on what was answered before is asked again. */
  rightsChanged(): void {
    this.#epoch++
  }

  /** Answers who waits with ERR_GOING_DOWN, asks no more, and leaves no timer. */
  close(): void {
    this.#isClosed = true
    for (const abandon of this.#abandon) abandon(new Fault('ERR_GOING_DOWN'))
  }

  /**
   * Rejects with a Fault: ERR_NOT_AUTHENTICATED (no token, or none that could be read), ERR_EXPIRED, ERR_FORBIDDEN,
   * ERR_NOT_NOW, ERR_AUTHENTICATION_TIMEOUT, ERR_AUTHENTICATION_UNAVAILABLE.
   */
  async admit(attempt: Attempt): Promise<Admitted> {
    const { authorize } = this.#options
    if (authorize === null) return { ...everybody, history: this.#options.openHistory(attempt.document) }
    let asked: Attempt = { ...attempt, epoch: this.#epoch }
    for (let round = 1; ; round++) {
      const epoch = this.#epoch
      const admitted = this.#admitted(await this.#ask(authorize, asked), asked)
      if (epoch === this.#epoch) return admitted
      if (round === roundsMax) {
        throw new Fault('ERR_AUTHENTICATION_UNAVAILABLE', 'rights change faster than they can be asked about')
      }
      asked = { ...attempt, purpose: 'recheck', epoch: this.#epoch }
    }
  }

  /** Plain JavaScript may return anything: only what is plainly a grant is one. */
  #admitted(grant: Grant | null, attempt: Attempt): Admitted {
    const { access, user = null, rooms, expiresAt = Number.POSITIVE_INFINITY } = grant ?? {}
    const { history } = grant ?? {}
    if (access !== 'read' && access !== 'write') throw refusal(attempt)
    if (!isUser(user, this.#parts.limits)) throw this.#failed(new TypeError('a grant for no user'), attempt)
    if (rooms != null && !isFor(rooms, attempt.document)) throw refusal(attempt)
    // Written so that what is no number has expired.
    if (typeof expiresAt !== 'number' || !(expiresAt > this.#parts.time.wallMs()))
      throw new Fault('ERR_EXPIRED')
    const ceiling = this.revocations.ceiling(user?.id ?? null, attempt.document)
    const left = lesserAccess(access, ceiling)
    if (left === 'none') throw new Fault('ERR_FORBIDDEN', 'revoked')
    return { user, access: left, history: historyOf(history, left), expiresAtMs: expiresAt }
  }

  async #ask(authorize: Authorize, attempt: Attempt): Promise<Grant | null> {
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    const { time, limits } = this.#parts
    let abandon: (fault: Fault) => void = () => {}
    const abandoned = new Promise<never>((_, reject) => {
      abandon = reject
    })
    this.#abandon.add(abandon)
    const tooLate = () => abandon(new Fault('ERR_AUTHENTICATION_TIMEOUT', 'authorize did not answer in time'))
    const cancel = time.after(limits.authorizeTimeoutMs, tooLate)
    try {
      return await Promise.race([Promise.resolve(attempt).then(authorize), abandoned])
    } catch (error) {
      throw this.#failed(error, attempt)
    } finally {
      cancel()
      this.#abandon.delete(abandon)
    }
  }

  /** A Fault is the application's own answer; anything else is reported, without what the client sent. */
  #failed(error: unknown, attempt: Attempt): Fault {
    const { log, metrics } = this.#parts
    const reason = withoutAddress(withoutSecrets(toFault(error).message, attempt, attempt.token), attempt)
    const outcome = outcomeOf(error)
    if (outcome !== null) {
      metrics.hookCalled('authorize', outcome)
      // Whoever floods the server must not fill the log.
      const nowMs = this.#parts.time.nowMs()
      const isQuiet = nowMs - this.#failureLoggedAtMs < failureLogMs
      if (!isQuiet) this.#failureLoggedAtMs = nowMs
      const say = isQuiet ? log.debug : log.warn
      say.call(log, { document: attempt.document, reason }, 'authorize failed; the attempt is refused')
    }
    if (!(error instanceof Fault)) return refusal(attempt)
    return new Fault(error.code, reason, {
      publicReason: withoutSecrets(error.publicReason, attempt, attempt.token)
    })
  }

  /** Said once: whoever runs the server has to do something, and whoever floods it must not fill the log. */
  #barred(why: NonNullable<Visitor['barred']>): Fault {
    const { log } = this.#parts
    if (!this.#hasWarned) {
      this.#hasWarned = true
      if (why === 'not-loopback') {
        log.warn(
          {},
          'a connection from elsewhere, or through a proxy, was refused: nobody is asked who they are, so only this ' +
            'machine may connect; say how people sign in (authorize, --auth)'
        )
      } else {
        log.warn(
          {},
          'a page of another origin was refused; if it is yours, list it in origins (--origins): whoever made it can ' +
            'then read and write what its visitors may'
        )
      }
    }
    return new Fault(why === 'origin' ? 'ERR_ORIGIN' : 'ERR_FORBIDDEN', `barred: ${why}`)
  }
}

/** Who may not write may not restore. */
function historyOf(given: unknown, access: 'read' | 'write'): HistoryAccess {
  if (!isHistoryAccess(given)) return 'none'
  return access === 'write' ? given : lesserHistory(given, 'read')
}

function refusal({ token }: Attempt): Fault {
  return new Fault(token === null || token === '' ? 'ERR_NOT_AUTHENTICATED' : 'ERR_FORBIDDEN')
}

/** What is to be counted and logged of it; null for an answer. */
function outcomeOf(error: unknown): 'timed-out' | 'failed' | null {
  if (!(error instanceof Fault)) return 'failed'
  if (error.code === 'ERR_AUTHENTICATION_TIMEOUT') return 'timed-out'
  return error.code === 'ERR_AUTHENTICATION_UNAVAILABLE' ? 'failed' : null
}

function isFor(rooms: unknown, document: string): boolean {
  return Array.isArray(rooms) && rooms.some(each => typeof each === 'string' && matchesRoom(each, document))
}

function isUser(user: unknown, { userIdLengthMax }: Limits): user is User | null {
  if (user === null) return true
  if (typeof user !== 'object' || !('id' in (user as object))) return false
  const { id } = user as { id: unknown }
  return typeof id === 'string' && id.length > 0 && id.length <= userIdLengthMax
}
