/**
 * Whether a connection on another node still has its clientID (AW5): the question is put until it is answered, and
 * answered by a ping. A node that says nothing for as long as one that is taken for dead has lost it.
 */
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { SharedState } from './presence.ts'
import type { OwnerAnswer, OwnerAsked } from './presence-line.ts'

type Host = {
  send(message: OwnerAsked | OwnerAnswer): void
  ownState(clientID: number): SharedState | undefined
  /** The last clock of one that has left, or -1. */
  departedClock(clientID: number): number
  /** Its connection does not answer. */
  lost(shared: SharedState): void
}

export type OwnerSays = Pick<OwnerAnswer, 'outcome' | 'clock'>

type Question = {
  readonly asked: OwnerAsked
  readonly answer: (says: OwnerSays) => void
  times: number
  cancel: Cancel
}

type Asker = { readonly to: string; readonly question: number }

/** Askers that wait for one ping. Above: they ask again. */
const askersMax = 64

export class ForeignOwners {
  readonly #time: Time
  readonly #limits: Limits
  readonly #host: Host
  /** Bounded by members and the clientIDs that each may speak for. */
  readonly #questions = new Map<number, Question>()
  /** By clientID, who waits for the ping under way. */
  readonly #pinged = new Map<number, Asker[]>()
  #lastQuestion = 0
  #isClosed = false

  constructor(time: Time, limits: Limits, host: Host) {
    this.#time = time
    this.#limits = limits
    this.#host = host
  }

  /** Never rejects. */
  ask(node: string, clientID: number): Promise<OwnerSays> {
    return new Promise(answer => {
      const question = ++this.#lastQuestion
      const asked = { type: 'claim', to: node, question, clientID } as const
      const open = { asked, answer, times: 0, cancel: () => {} }
      this.#questions.set(question, open)
      this.#put(open)
    })
  }

  answered({ question, outcome, clock }: OwnerAnswer): void {
    const open = this.#questions.get(question)
    if (open !== undefined) this.#close(open, { outcome, clock })
  }

  /** Nothing is heard of the node any more. */
  silent(node: string): void {
    for (const open of this.#questions.values()) {
      if (open.asked.to === node) this.#close(open, { outcome: 'yours', clock: -1 })
    }
  }

  /** Another node asks. */
  asked(from: string, { question, clientID }: OwnerAsked): void {
    const asker = { to: from, question }
    const own = this.#host.ownState(clientID)
    if (own === undefined) return this.#answer([asker], 'yours', this.#host.departedClock(clientID))
    const waiting = this.#pinged.get(clientID)
    if (waiting === undefined) return this.#ping(own, asker)
    const isNew = !waiting.some(each => each.to === from && each.question === question)
    if (isNew && waiting.length < askersMax) waiting.push(asker)
  }

  close(): void {
    this.#isClosed = true
    for (const { cancel } of this.#questions.values()) cancel()
    this.#questions.clear()
    this.#pinged.clear()
  }

  #put(open: Question): void {
    if (open.times++ >= this.#limits.presenceAsksMax)
      return this.#close(open, { outcome: 'yours', clock: -1 })
    this.#host.send(open.asked)
    open.cancel = this.#time.after(this.#limits.presenceAskMs, () => this.#put(open))
  }

  #close(open: Question, says: OwnerSays): void {
    open.cancel()
    this.#questions.delete(open.asked.question)
    open.answer(says)
  }

  #ping(own: SharedState, asker: Asker): void {
    this.#pinged.set(own.clientID, [asker])
    void own.owner.member.port
      .probe(this.#limits.awarenessTakeoverMs)
      .then(isAlive => this.#pingOver(own, isAlive ? 'mine' : 'yours'))
  }

  #pingOver(own: SharedState, outcome: 'mine' | 'yours'): void {
    if (this.#isClosed) return
    const { clientID } = own
    const askers = this.#pinged.get(clientID) ?? []
    this.#pinged.delete(clientID)
    const present = this.#host.ownState(clientID)
    // Somebody else here has taken it over meanwhile, and is there.
    if (present !== undefined && present !== own) return this.#answer(askers, 'mine', present.published)
    if (present === own && outcome === 'mine') return this.#answer(askers, 'mine', own.published)
    if (present === own) this.#host.lost(own)
    this.#answer(askers, 'yours', Math.max(own.published, this.#host.departedClock(clientID)))
  }

  #answer(askers: readonly Asker[], outcome: 'mine' | 'yours', clock: number): void {
    for (const asker of askers) this.#host.send({ type: 'answer', ...asker, outcome, clock })
  }
}
