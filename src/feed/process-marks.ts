/** Marks for a store that leaves none: they end with the process, and so what was not told by then is told no more. */
import type { ChangeMark, MarkStore, MarkWrite } from '../../persistence/marks.ts'

/** The life that nobody has looked at yet. */
export const unknownLife = ''

export class ProcessMarks implements MarkStore {
  /** One for each document that is being told of, as the feed is told of every change. */
  readonly #marks = new Map<string, ChangeMark>()

  leave(document: string): void {
    if (this.#marks.has(document)) return
    this.#marks.set(document, { document, incarnation: unknownLife, after: 0, value: new Uint8Array(0) })
  }

  async read(document: string): Promise<ChangeMark | null> {
    return this.#marks.get(document) ?? null
  }

  /** Nothing is left of an earlier process. */
  async list(): Promise<readonly ChangeMark[]> {
    return []
  }

  async write(writes: readonly MarkWrite[]): Promise<boolean[]> {
    return writes.map(({ present, next }) => {
      const { document } = present
      if (!this.#marks.has(document)) return false
      if (next === null) this.#marks.delete(document)
      else this.#marks.set(document, { document, ...next })
      return true
    })
  }
}
