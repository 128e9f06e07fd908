/**
 * What of a log takes effect when, as Yjs integrates it: of each update what is new, of one that hangs on something
 * unknown what can be taken, and the rest when that has come. The clocks of a client take effect in their order, so what
 * a document holds at any moment is a state vector and a set of deletions.
 */
import type { Author } from '../../persistence/author.ts'
import { ClockRuns } from '../document/clocks.ts'
import type { LoggedUpdate } from '../document/record.ts'
import { type ClockRange, scanUpdate, type UpdateScan } from '../document/scan.ts'
import { diffUpdate } from '../document/splice.ts'
import { type Split, splitAtUnknown } from './split.ts'

/** What an update, or a part of one that had to wait, has made part of the document. */
export type Effect = {
  /** Of whom it is, also when something of another let it take effect. */
  readonly author: Author | null
  readonly inserted: readonly ClockRange[]
  readonly deleted: readonly ClockRange[]
  /** An update with the structs that were inserted and no others; null: none were. Its delete set means nothing. */
  readonly structs: Uint8Array | null
}

/** What waits for something unknown. Null: no structs do. */
type Waiting<Source> = {
  readonly source: Source
  readonly author: Author | null
  readonly structs: Uint8Array | null
  readonly deletes: readonly ClockRange[]
}

/** What is known before the first update: the end of each client's clocks, and what is deleted of them. */
export type Known = { readonly vector: ReadonlyMap<number, number>; readonly deletes: ClockRuns }

type Scan = Pick<UpdateScan, 'structs' | 'dependencies'>

const nothing: readonly never[] = []
const nothingScanned: Scan = { structs: nothing, dependencies: nothing }

/** `Source`: what the caller calls an update, to be told which ones wait. */
export class Integration<Source> {
  readonly #vector: Map<number, number>
  readonly #deletes: ClockRuns
  #waiting: Waiting<Source>[] = []

  /** `known` is copied. */
  constructor(known: Known = { vector: new Map(), deletes: new ClockRuns() }) {
    this.#vector = new Map(known.vector)
    this.#deletes = known.deletes.clone()
  }

  /** What is part of the document by now; views that change with it. */
  get known(): Known {
    return { vector: this.#vector, deletes: this.#deletes }
  }

  /** The updates of which something waits for what is unknown; what is taken of them is known when they come again. */
  get waiting(): readonly Source[] {
    return this.#waiting.map(({ source }) => source)
  }

  /**
   * Takes the next update of the log. Returns what took effect: its own first, then what had waited for that; empty when
   * it brought nothing new, or waits itself. Throws ERR_UPDATE_MALFORMED.
   */
  add({ author, update }: Pick<LoggedUpdate, 'author' | 'update'>, source: Source): Effect[] {
    const effects: Effect[] = []
    const { deletes, ...scan } = scanUpdate(update)
    this.#take({ source, author, structs: update, deletes }, scan, effects)
    while (effects.length > 0 && this.#waiting.length > 0 && this.#takeWaiting(effects));
    return effects
  }

  /** Whether anything of it took effect. */
  #takeWaiting(effects: Effect[]): boolean {
    const before = effects.length
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      const scan = each.structs === null ? nothingScanned : scanUpdate(each.structs)
      this.#take(each, scan, effects)
    }
    return effects.length > before
  }

  #take({ source, author, structs, deletes }: Waiting<Source>, scan: Scan, effects: Effect[]): void {
    const { taken, rest, inserted } = this.#takeStructs(structs, scan)
    const deleted: ClockRange[] = []
    const unknown: ClockRange[] = []
    for (const range of deletes) this.#takeDeletion(range, deleted, unknown)
    if (inserted.length > 0 || deleted.length > 0) effects.push({ author, inserted, deleted, structs: taken })
    if (rest !== null || unknown.length > 0)
      this.#waiting.push({ source, author, structs: rest, deletes: unknown })
  }

  /** `taken`: an update of what is new; `rest`: of what has to wait. */
  #takeStructs(structs: Uint8Array | null, scan: Scan): Split & { inserted: readonly ClockRange[] } {
    if (structs === null) return { taken: null, rest: null, inserted: nothing }
    if (!this.#isWholeKnown(scan)) {
      const { taken, rest } = splitAtUnknown(structs, this.#vector)
      return { ...this.#takeNew(taken, taken === null ? nothing : scanUpdate(taken).structs), rest }
    }
    return { ...this.#takeNew(structs, scan.structs), rest: null }
  }

  #takeNew(structs: Uint8Array | null, ranges: readonly ClockRange[]) {
    const isRepeating = ranges.some(({ client, clock }) => clock < this.#end(client))
    const inserted = isRepeating ? this.#newOf(ranges) : ranges
    if (structs === null || inserted.length === 0) return { taken: null, inserted: nothing }
    const taken = isRepeating ? diffUpdate(structs, this.#vector) : structs
    for (const { client, clock, length } of inserted) this.#vector.set(client, clock + length)
    return { taken, inserted }
  }

  /** Nothing in it hangs on what is neither known nor in it, and no clock is left out. */
  #isWholeKnown({ structs, dependencies }: Scan): boolean {
    for (const { client, clock } of dependencies) if (clock >= this.#end(client)) return false
    let last: ClockRange | undefined
    for (const range of structs) {
      const end = last?.client === range.client ? last.clock + last.length : 0
      if (range.clock > Math.max(end, this.#end(range.client))) return false
      last = range
    }
    return true
  }

  #newOf(ranges: readonly ClockRange[]): ClockRange[] {
    const fresh: ClockRange[] = []
    for (const { client, clock, length } of ranges) {
      const from = Math.max(clock, this.#end(client))
      if (from < clock + length) fresh.push({ client, clock: from, length: clock + length - from })
    }
    return fresh
  }

  #takeDeletion({ client, clock, length }: ClockRange, deleted: ClockRange[], unknown: ClockRange[]): void {
    const end = clock + length
    const known = Math.min(end, Math.max(clock, this.#end(client)))
    if (known > clock) {
      const fresh = this.#deletes.missing(client, clock, known - clock)
      deleted.push(...fresh)
      this.#deletes.addAll(fresh)
    }
    if (end > known) unknown.push({ client, clock: known, length: end - known })
  }

  #end(client: number): number {
    return this.#vector.get(client) ?? 0
  }
}
