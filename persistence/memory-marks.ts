/** Marks of changes in the memory store. */
import { checkList, checkMarkWrites, compareUtf8 } from './arguments.ts'
import type { ChangeMark, MarkListOptions, MarkPlace, MarkStore, MarkWrite } from './marks.ts'
import type { Life } from './memory-history.ts'
import { isSameMark } from './ordered-marks.ts'

type Parts = {
  readonly lives: ReadonlyMap<string, Life>
  readonly checkOpen: (...names: readonly string[]) => void
}

export class MemoryMarks implements MarkStore {
  readonly #parts: Parts
  readonly #marks = new Map<string, ChangeMark>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** A change leaves one, if there is none. */
  leave(document: string, place: MarkPlace): void {
    if (!this.#marks.has(document))
      this.#marks.set(document, { document, ...place, value: new Uint8Array(0) })
  }

  async read(document: string): Promise<ChangeMark | null> {
    this.#parts.checkOpen(document)
    return this.#marks.get(document) ?? null
  }

  async list(options?: MarkListOptions): Promise<readonly ChangeMark[]> {
    this.#parts.checkOpen()
    const { after, limit } = checkList(options)
    return [...this.#marks.values()]
      .filter(({ document }) => after === '' || compareUtf8(document, after) > 0)
      .sort((a, b) => compareUtf8(a.document, b.document))
      .slice(0, limit)
  }

  async write(writes: readonly MarkWrite[]): Promise<boolean[]> {
    this.#parts.checkOpen()
    checkMarkWrites(writes)
    return writes.map(write => this.#writeOne(write))
  }

  #writeOne({ present, next, told = present }: MarkWrite): boolean {
    const { document } = present
    if (!isSameMark(this.#marks.get(document) ?? null, present)) return false
    if (next !== null) {
      this.#marks.set(document, { document, ...next, value: next.value.slice() })
      return true
    }
    const life = this.#parts.lives.get(document)
    const isTold =
      (life?.incarnation ?? null) === told.incarnation &&
      (life === undefined || life.lastSequence === told.after)
    if (isTold) this.#marks.delete(document)
    return isTold
  }
}
