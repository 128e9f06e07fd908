/**
 * What a room has told other nodes of its own members' presence: the latest of each clientID, numbered in the order of
 * telling, so that a node which missed something asks for what came after the last number it has. Pure: it sends nothing.
 */
import { isNullState } from '../dialect/awareness-update.ts'
import type { ToldState } from './presence-line.ts'

/** A state as it was published here, when it was. */
export type Publishing = Omit<ToldState, 'number' | 'ageMs'> & { readonly publishedAtMs: number }

type Told = Publishing & { readonly number: number }

export class ToldPresence {
  readonly #goneMax: number
  /** In the order of their numbers. */
  readonly #states = new Map<number, Told>()
  /** ClientIDs among them that are gone, the first to go first. */
  readonly #gone = new Set<number>()
  #number = 0
  /** The highest number of one that is forgotten: who has heard less cannot be told what it missed. */
  #forgotten = 0

  /** `goneMax`: of so many that are gone it is known. */
  constructor(goneMax: number) {
    this.#goneMax = goneMax
  }

  /** How much has been told. */
  get number(): number {
    return this.#number
  }

  /** Numbers a state and keeps it. `state` must not be written into afterwards. */
  tell(state: Publishing, nowMs: number): ToldState {
    const { clientID } = state
    const told = { ...state, number: ++this.#number }
    this.#states.delete(clientID)
    this.#states.set(clientID, told)
    this.#gone.delete(clientID)
    if (isNullState(told.state)) this.#gone.add(clientID)
    if (this.#gone.size > this.#goneMax) this.#forgetFirst()
    return aged(told, nowMs)
  }

  /** The latest of a clientID with a new number; null: nothing is known of it. */
  again(clientID: number, nowMs: number): ToldState | null {
    const told = this.#states.get(clientID)
    return told === undefined ? null : this.tell(told, nowMs)
  }

  /** In order, what was told after a number; null where that is not known any more. From 0 on it always is. */
  after(since: number, nowMs: number): ToldState[] | null {
    if (since > 0 && since < this.#forgotten) return null
    const later = [...this.#states.values()].filter(({ number }) => number > since)
    return later.map(told => aged(told, nowMs))
  }

  #forgetFirst(): void {
    const [clientID] = this.#gone
    if (clientID === undefined) return
    this.#forgotten = Math.max(this.#forgotten, this.#states.get(clientID)?.number ?? 0)
    this.#gone.delete(clientID)
    this.#states.delete(clientID)
  }
}

/** Older ones are told as being as old as that: nobody knows their clocks from elsewhere any more. */
const ageMsMax = 86_400_000

function aged({ publishedAtMs, ...told }: Told, nowMs: number): ToldState {
  return { ...told, ageMs: Math.min(ageMsMax, Math.max(0, nowMs - publishedAtMs)) }
}
