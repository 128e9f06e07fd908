/**
 * Who asks over HTTP about a document: the operator, by a token, or a person, of whom `authorize` says what they may, as when
 * they connect. How many questions one of them may have under way is bounded here.
 */
import type { Admitted } from '../access/grant.ts'
import type { Passes } from '../access/passes.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { isBearer } from './bearer.ts'
import type { Request } from './message.ts'

type Parts = {
  readonly passes: Pick<Passes, 'admission'>
  /** Of the operator. */
  readonly tokens: readonly string[]
  readonly limits: Pick<Limits, 'historyQuestionsMax'>
  /** Throws ERR_ROOM_NAME: nobody is asked about what cannot be. */
  readonly checkName: (document: string) => void
}

/** What a route needs a person to have in a document. */
export type Needed = 'read' | 'write' | 'history' | 'restore'

/** `user`: the id under which it is logged; null: nobody is named. */
export type Asker = { readonly isOperator: boolean; readonly user: string | null; readonly source: string }

const noHistory = 'no access to the history of this document'

export class Askers {
  readonly #parts: Parts
  /** Questions under way, by who asks. Bounded by the requests that are. */
  readonly #asking = new Map<string, number>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The operator, or null. */
  operator(request: Request): Asker | null {
    const isOperator = isBearer(request.header('authorization'), this.#parts.tokens)
    return isOperator ? { isOperator, user: null, source: 'operator' } : null
  }

  /** Rejects as `Admission.admit` does, and with ERR_FORBIDDEN for who has not what is needed. */
  async askerOf(request: Request, document: string, needed: Needed): Promise<Asker> {
    const { passes, checkName } = this.#parts
    checkName(document)
    const operator = this.operator(request)
    if (operator !== null) return operator
    const visitor = request.visitor()
    const { admission } = passes
    const attempt = admission.question(visitor, { document, token: null, dialect: 'http' })
    const admitted = await admission.admit(attempt)
    check(admitted, needed)
    const { user } = admitted
    const source = user === null ? { address: visitor.address } : { user: user.id }
    return { isOperator: false, user: user?.id ?? null, source: JSON.stringify(source) }
  }

  /** What the work comes to. Rejects with ERR_OVERLOADED, the work not begun, above `historyQuestionsMax` of this asker. */
  async bounded<T>({ source }: Asker, work: () => Promise<T>): Promise<T> {
    const asking = this.#asking.get(source) ?? 0
    if (asking >= this.#parts.limits.historyQuestionsMax) {
      throw new Fault('ERR_OVERLOADED', `${asking} questions of ${source} are under way`)
    }
    this.#asking.set(source, asking + 1)
    try {
      return await work()
    } finally {
      const left = (this.#asking.get(source) ?? 1) - 1
      if (left === 0) this.#asking.delete(source)
      else this.#asking.set(source, left)
    }
  }
}

/** Whoever was admitted may read. */
function check({ access, history }: Admitted, needed: Needed): void {
  switch (needed) {
    case 'read':
      return
    case 'write':
      if (access === 'write') return
      throw new Fault('ERR_FORBIDDEN', 'may only read', { publicReason: 'this access may only read' })
    case 'history':
      if (history !== 'none') return
      break
    case 'restore':
      if (history === 'restore') return
      break
    default:
      return needed satisfies never
  }
  throw new Fault('ERR_FORBIDDEN', noHistory, { publicReason: noHistory })
}
