/**
 * Events that were given up: listed, told again, removed. They lie in the marks of their documents, so that no step of theirs
 * can be lost; while no outlet is there, they are listed and removed all the same.
 */
import type { MarkStore } from '../../persistence/marks.ts'
import { Fault } from '../base/errors.ts'
import { allMarks } from './all-marks.ts'
import type { Feed } from './feed.ts'
import {
  decodeState,
  dropped,
  encodeState,
  type DeadLetter as KeptLetter,
  type MarkState,
  repeated
} from './mark-state.ts'

/** An event that an outlet was not told of until it was given up. */
export type DeadLetter = {
  readonly outlet: string
  readonly document: string
  readonly id: string
  readonly type: string
  readonly version: string
  /** When the event was made, and when it was given up: ISO 8601, in UTC. */
  readonly at: string
  readonly deadAt: string
  /** What was said at the last attempt. */
  readonly reason: string
}

export type WhichLetter = { readonly document: string; readonly outlet: string }

type Parts = {
  /** Null: no outlet is there. */
  readonly feed: Feed | null
  /** Undefined: the store keeps none. */
  readonly marks: MarkStore | undefined
  readonly wallMs: () => number
  readonly lettersMax: number
}

export class DeadLetters {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** In no order. `isComplete`: whether these are all. Rejects as the store does. */
  async list(): Promise<{ readonly letters: readonly DeadLetter[]; readonly isComplete: boolean }> {
    const { marks, lettersMax } = this.#parts
    const letters: DeadLetter[] = []
    if (marks === undefined) return { letters, isComplete: true }
    for await (const { document, value } of allMarks(marks)) {
      for (const [outlet, letter] of decodeState(value).dead) {
        if (letters.length >= lettersMax) return { letters, isComplete: false }
        letters.push(described(document, outlet, letter))
      }
    }
    return { letters, isComplete: true }
  }

  /** The outlet is told of it again. False: there is no such letter. */
  async repeat(which: WhichLetter): Promise<boolean> {
    if (this.#parts.feed === null)
      throw new Fault('ERR_OVERLOADED', 'this server has no outlet that could be told')
    return this.#amend(which, state => repeated(state, which.outlet, this.#parts.wallMs()))
  }

  /** Removes it. False: there is no such letter. */
  drop(which: WhichLetter): Promise<boolean> {
    return this.#amend(which, state => dropped(state, which.outlet))
  }

  async #amend({ document, outlet }: WhichLetter, change: (state: MarkState) => MarkState): Promise<boolean> {
    const { feed, marks } = this.#parts
    let isThere = false
    const amended = (state: MarkState) => {
      isThere = state.dead.has(outlet)
      return isThere ? change(state) : state
    }
    if (feed !== null) await feed.amend(document, amended)
    else if (marks !== undefined) await amendUntold(marks, document, amended)
    return isThere
  }
}

/** Where nobody tells: what is left of the mark stays for whoever does. */
async function amendUntold(
  marks: MarkStore,
  document: string,
  change: (state: MarkState) => MarkState
): Promise<void> {
  const present = await marks.read(document)
  if (present === null) return
  const { incarnation, after, value } = present
  await marks.write([
    { present, next: { incarnation, after, value: encodeState(change(decodeState(value))) } }
  ])
}

function described(document: string, outlet: string, letter: KeptLetter): DeadLetter {
  const { id, type, version, atMs, deadMs, reason } = letter
  const at = new Date(atMs).toISOString()
  return { outlet, document, id, type, version, at, deadAt: new Date(deadMs).toISOString(), reason }
}
