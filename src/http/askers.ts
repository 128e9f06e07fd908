/**
 * Who asks over HTTP about a document's history: the operator, by a token, or a person, of whom `authorize` says what they
 * may, as when they connect. How many questions one of them may have under way is bounded here.
 */
import type { Passes } from '../access/passes.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { isBearer } from './bearer.ts'
import type { Request } from './router.ts'

type Parts = {
  readonly passes: Pick<Passes, 'admission'>
  /** Of the operator. */
  readonly tokens: readonly string[]
  readonly limits: Pick<Limits, 'historyQuestionsMax'>
}

/** What a route needs somebody to have. */
export type Needed = 'read' | 'restore' | 'operator'

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

  /** Rejects as `Admission.admit` does, and with ERR_FORBIDDEN for who has not what is needed. */
  async askerOf(request: Request, document: string, needed: Needed): Promise<Asker> {
    const { passes, tokens } = this.#parts
    const authorization = request.header('authorization')
    if (isBearer(authorization, tokens)) return { isOperator: true, user: null, source: 'operator' }
    if (needed === 'operator') throw new Fault('ERR_NOT_AUTHENTICATED')
    const visitor = request.visitor()
    const { admission } = passes
    const attempt = admission.question(visitor, { document, token: null, dialect: 'http' })
    const { user, history } = await admission.admit(attempt)
    const isEnough = history === 'restore' || history === needed
    if (!isEnough) throw new Fault('ERR_FORBIDDEN', noHistory, { publicReason: noHistory })
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
