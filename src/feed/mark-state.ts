/**
 * What the feed keeps in a document's mark: the events that each outlet is still to be told, and those that it was given up
 * to be told. Pure: each function gives the state after one step.
 *
 * Of an outlet's events the first may have been tried; what follows was not, and what comes later is united with it. So
 * there are three at most: the one being told, a deletion, and what the document is since.
 */
import type { DocumentEventType } from '../../outlets/outlet.ts'
import type { Author } from '../../persistence/author.ts'

export type StoredEvent = {
  readonly id: string
  readonly type: DocumentEventType
  readonly version: string
  readonly authors: readonly Author[]
  readonly atMs: number
}

/** An event that was given up, and what was said at the last attempt. Later ones are united with it. */
export type DeadLetter = StoredEvent & { readonly reason: string; readonly deadMs: number }

export type MarkState = {
  /** Which node tells, until when others leave it to it. Null: any may. */
  readonly holder: { readonly node: string; readonly untilMs: number } | null
  /** By the names of outlets; none is empty. */
  readonly waiting: ReadonlyMap<string, readonly StoredEvent[]>
  readonly dead: ReadonlyMap<string, DeadLetter>
}

export const nothingKept: MarkState = { holder: null, waiting: new Map(), dead: new Map() }

export function isNothing({ waiting, dead }: MarkState): boolean {
  return waiting.size === 0 && dead.size === 0
}

/** The outlet is to be told of this as well. */
export function withEvent(
  state: MarkState,
  outlet: string,
  event: StoredEvent,
  authorsMax: number
): MarkState {
  const [first, ...later] = state.waiting.get(outlet) ?? []
  if (first === undefined) return withWaiting(state, outlet, [event])
  return withWaiting(state, outlet, [first, ...joined(later, event, authorsMax)])
}

/** The first event of the outlet is told. */
export function delivered(state: MarkState, outlet: string, id: string): MarkState {
  const [first, ...later] = state.waiting.get(outlet) ?? []
  return first?.id === id ? withWaiting(state, outlet, later) : state
}

/** The first event of the outlet is given up. */
export function died(state: MarkState, outlet: string, letter: DeadLetter, authorsMax: number): MarkState {
  const before = state.dead.get(outlet)
  const authors = united(before?.authors ?? [], letter.authors, authorsMax)
  return withDead(delivered(state, outlet, letter.id), outlet, { ...letter, authors })
}

/** The dead letter is to be told again, before what waits. */
export function repeated(state: MarkState, outlet: string, nowMs: number): MarkState {
  const letter = state.dead.get(outlet)
  if (letter === undefined) return state
  const { id, type, version, authors } = letter
  const event: StoredEvent = { id, type, version, authors, atMs: nowMs }
  const waiting = [event, ...(state.waiting.get(outlet) ?? [])]
  return withDead(withWaiting(state, outlet, waiting), outlet, null)
}

export function dropped(state: MarkState, outlet: string): MarkState {
  return withDead(state, outlet, null)
}

/** Each author once, the first ones. */
export function united(one: readonly Author[], other: readonly Author[], authorsMax: number): Author[] {
  const all = new Map([...one, ...other].map(author => [keyOf(author), author]))
  return [...all.values()].slice(0, authorsMax)
}

export function keyOf({ user, connection, origin }: Author): string {
  return JSON.stringify([user, connection, origin])
}

/** `later`: events that were not tried. A deletion says all that came before it. */
function joined(later: readonly StoredEvent[], event: StoredEvent, authorsMax: number): StoredEvent[] {
  const last = later.at(-1)
  if (event.type === 'document.deleted') return [event]
  if (last === undefined || last.type === 'document.deleted') return [...later, event]
  const authors = united(last.authors, event.authors, authorsMax)
  return [...later.slice(0, -1), { ...event, type: last.type, authors }]
}

function withWaiting(state: MarkState, outlet: string, events: readonly StoredEvent[]): MarkState {
  const waiting = new Map(state.waiting)
  if (events.length === 0) waiting.delete(outlet)
  else waiting.set(outlet, events)
  return { holder: waiting.size === 0 ? null : state.holder, waiting, dead: state.dead }
}

function withDead(state: MarkState, outlet: string, letter: DeadLetter | null): MarkState {
  const dead = new Map(state.dead)
  if (letter === null) dead.delete(outlet)
  else dead.set(outlet, letter)
  return { holder: state.holder, waiting: state.waiting, dead }
}

// ── as bytes
// ─────────────────────────────────────────────────────────────────────────────────────────────────────

type Written = {
  readonly v: 1
  readonly holder: MarkState['holder']
  readonly waiting: readonly (readonly [string, readonly StoredEvent[]])[]
  readonly dead: readonly (readonly [string, DeadLetter])[]
}

export function encodeState(state: MarkState): Uint8Array {
  if (isNothing(state)) return new Uint8Array(0)
  const { holder, waiting, dead } = state
  const written: Written = { v: 1, holder, waiting: [...waiting], dead: [...dead] }
  return new Uint8Array(Buffer.from(JSON.stringify(written)))
}

/** A mark that a change has left holds nothing. Throws for what a later version has written. */
export function decodeState(value: Uint8Array): MarkState {
  if (value.length === 0) return nothingKept
  // The store has checked that it is what was written.
  const written = JSON.parse(Buffer.from(value).toString()) as Written
  if (written.v !== 1) throw new Error(`a mark of version ${String(written.v)}`)
  return { holder: written.holder, waiting: new Map(written.waiting), dead: new Map(written.dead) }
}
