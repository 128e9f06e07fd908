/**
 * What the room of one other node has told of its members' presence, whatever the bus did to its messages: each state
 * once, the latest alone, and what is missing. Pure: no time, no bus.
 */
import { isNullState } from '../dialect/awareness-update.ts'
import type { LogPosition, ToldState, ToldStates } from './presence-line.ts'

/**
 * `publishedAtMs`: by the clock here, and later than it was by as long as the message took. `notBefore`: how much of the
 * document a room has to have shown. `earlier`: what came before and waits for less, so that
 * who moves with every letter is seen to move.
 */
export type ForeignState = ToldState & {
  readonly publishedAtMs: number
  readonly notBefore: LogPosition
  earlier: ForeignState | null
}

/** `moreMax`: of so many clientIDs nothing was known; further ones are left out. */
type Taking = { readonly nowMs: number; readonly moreMax: number }

/** Parts that came too early and are remembered as heard. Above: they are asked for again. */
const aheadMax = 32

export class ForeignRoom {
  readonly node: string
  readonly epoch: number
  /** By clientID. One that is gone stays until everything before it has been heard: it may still arrive. */
  readonly #states = new Map<number, ForeignState>()
  readonly #gone = new Set<number>()
  #ahead: { readonly since: number; readonly upto: number }[] = []
  #heardUpto = 0
  #standsAt = 0

  constructor(node: string, epoch: number) {
    this.node = node
    this.epoch = epoch
  }

  /** Everything up to this number was heard. */
  get heardUpto(): number {
    return this.#heardUpto
  }

  /** It is known to have told more. */
  get isBehind(): boolean {
    return this.#heardUpto < this.#standsAt
  }

  /** It has told so much. */
  stands(number: number): void {
    this.#standsAt = Math.max(this.#standsAt, number)
  }

  /** How many states are kept, those that are gone included. */
  get size(): number {
    return this.#states.size
  }

  state(clientID: number): ForeignState | undefined {
    return this.#states.get(clientID)
  }

  clientIDs(): Iterable<number> {
    return this.#states.keys()
  }

  /** Returns what is new in it. */
  take(told: ToldStates, { nowMs, moreMax }: Taking): ForeignState[] {
    const { position: notBefore } = told
    this.stands(told.upto)
    if (told.upto <= this.#heardUpto) return []
    const taken: ForeignState[] = []
    let more = 0
    for (const state of told.states) {
      const known = this.#states.get(state.clientID)
      if (state.number <= Math.max(this.#heardUpto, known?.number ?? 0)) continue
      if (known === undefined && ++more > moreMax) continue
      const publishedAtMs = nowMs - state.ageMs
      taken.push(this.#keep({ ...state, publishedAtMs, notBefore, earlier: earlierOf(known, notBefore) }))
    }
    this.#advance(told)
    return taken
  }

  /** It is not there: what says so was lost. */
  drop(clientID: number): void {
    this.#states.delete(clientID)
    this.#gone.delete(clientID)
  }

  #keep(state: ForeignState): ForeignState {
    const { clientID } = state
    this.#states.set(clientID, state)
    if (isNullState(state.state)) this.#gone.add(clientID)
    else this.#gone.delete(clientID)
    return state
  }

  #advance({ since: after, upto: end }: ToldStates): void {
    this.#ahead.push({ since: after, upto: end })
    const isNext = ({ since }: { since: number }) => since <= this.#heardUpto
    for (let next = this.#ahead.find(isNext); next !== undefined; next = this.#ahead.find(isNext)) {
      this.#heardUpto = Math.max(this.#heardUpto, next.upto)
      this.#ahead = this.#ahead.filter(({ upto }) => upto > this.#heardUpto)
    }
    if (this.#ahead.length > aheadMax) this.#ahead.shift()
    for (const clientID of this.#gone) {
      if ((this.#states.get(clientID)?.number ?? 0) <= this.#heardUpto) this.drop(clientID)
    }
  }
}

/** The one that waits for least, unless the new one does. */
function earlierOf(known: ForeignState | undefined, notBefore: LogPosition): ForeignState | null {
  const earlier = known?.earlier ?? known
  if (earlier === undefined || isNullState(earlier.state)) return null
  if (earlier.notBefore.sequence >= notBefore.sequence) return null
  return { ...earlier, earlier: null }
}

/**
 * Whether the state may be shown by a room that has shown so much. What belongs to another life of the document never
 * is: one of the two rooms is about to end. A room of which nothing is stored may be of any life.
 */
export function isDue({ notBefore }: ForeignState, shown: LogPosition): boolean {
  const { incarnation, sequence } = notBefore
  return sequence <= shown.sequence && (incarnation === null || incarnation === shown.incarnation)
}
