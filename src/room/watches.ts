/**
 * What comes into a document while something is computed from a state of it: whoever computed it learns, in the turn in
 * which it is committed, whether what it rests on was touched meanwhile.
 */
import { type Guard, touches } from '../document/guard.ts'

type Limits = { readonly editWatchBytesMax: number }

export class Watches {
  readonly #limits: Limits
  /** Bounded by the edits under way (`editsAtOnceMax`). */
  #watches: ReadonlySet<Watch> = nobody

  constructor(limits: Limits) {
    this.#limits = limits
  }

  begin(): Watch {
    const watch = new Watch(this.#limits.editWatchBytesMax, () => {
      const left = [...this.#watches].filter(each => each !== watch)
      this.#watches = left.length === 0 ? nobody : new Set(left)
    })
    this.#watches = new Set([...this.#watches, watch])
    return watch
  }

  /** An update was taken into the document, whoever sent it. */
  came(update: Uint8Array): void {
    for (const watch of this.#watches) watch.came(update)
  }
}

/** There are many rooms, and in few of them anybody watches. */
const nobody: ReadonlySet<Watch> = new Set()

export class Watch {
  readonly #bytesMax: number
  /** Must be called once nobody asks any more. */
  readonly end: () => void
  #updates: Uint8Array[] = []
  #bytes = 0
  #wasQuiet = false
  #guard: Guard | null = null

  constructor(bytesMax: number, end: () => void) {
    this.#bytesMax = bytesMax
    this.end = end
  }

  /** Whether nothing at all had come when it was found untouched. */
  get wasQuiet(): boolean {
    return this.#wasQuiet
  }

  /** Which parts of the document matter. Null, as at first: all. */
  guard(guard: Guard | null): void {
    this.#guard = guard
  }

  came(update: Uint8Array): void {
    this.#bytes += update.length
    if (this.#bytes <= this.#bytesMax) this.#updates.push(update)
    else this.#updates = []
  }

  /** False also when more has come than is looked at in one turn. O(bytes that came). */
  isUntouched(): boolean {
    this.#wasQuiet = this.#bytes === 0
    if (this.#wasQuiet) return true
    const guard = this.#guard
    if (guard === null || this.#bytes > this.#bytesMax) return false
    return !this.#updates.some(update => touches(update, guard))
  }
}
