/**
 * Events that were given up: listed, told again, removed. They lie in the marks of their documents, so that no step of theirs
 * can be lost.
 */
import type { MarkStore } from '../../persistence/marks.ts'
import type { Feed } from './feed.ts'
import { dropped, repeated } from './mark-state.ts'
import { amendLetter, type DeadLetter, listLetters, type WhichLetter } from './stored-letters.ts'

export type { DeadLetter, WhichLetter } from './stored-letters.ts'

type Parts = {
  /** Null: no outlet is there; what is to be told again waits for one. */
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
    return marks === undefined ? { letters: [], isComplete: true } : listLetters(marks, lettersMax)
  }

  /** The outlet is told of it again. False: there is no such letter. */
  repeat(which: WhichLetter): Promise<boolean> {
    return this.#amend(which, 'repeat')
  }

  /** Removes it. False: there is no such letter. */
  drop(which: WhichLetter): Promise<boolean> {
    return this.#amend(which, 'drop')
  }

  async #amend(which: WhichLetter, action: 'repeat' | 'drop'): Promise<boolean> {
    const { feed, marks, wallMs } = this.#parts
    const { document, outlet } = which
    if (feed === null) return marks !== undefined && amendLetter(marks, which, action)
    let isThere = false
    await feed.amend(document, state => {
      isThere = state.dead.has(outlet)
      if (!isThere) return state
      return action === 'drop' ? dropped(state, outlet) : repeated(state, outlet, wallMs())
    })
    return isThere
  }
}
