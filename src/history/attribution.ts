/**
 * Who inserted what, and who deleted it, from timelines alone: for each clock of each client the change that brought it.
 * Copies that restores have made count as what they are copies of.
 */
import type { CopyRun } from './restore.ts'
import type { Change, ChangeCursor, FlatRanges } from './timeline.ts'

/** Of a change, what somebody is shown. */
export type Attribution = Pick<Change, 'author' | 'timeMs' | 'sequence'>

/** In the place of a change's number where the history does not reach back to it. */
export const nobody = -1

/** `by`: the number of a change, or `nobody`. `end`: the clock up to which (not included) this is so. */
export type Attributed = { readonly by: number; readonly end: number }

export class Attributions {
  readonly #inserted = new Map<number, Stretches>()
  readonly #deleted = new Map<number, Stretches>()
  readonly #copies = new Map<number, CopyRun[]>()
  readonly #reasons: Reasons

  /** `timelines`: of a whole history, in order, each before its first change. */
  constructor(timelines: readonly ChangeCursor[], copies: readonly CopyRun[]) {
    this.#reasons = new Reasons(timelines.reduce((sum, { left }) => sum + left, 0))
    for (const change of timelines) {
      const authors = change.authors.map(author => this.#reasons.placeOf(author))
      while (change.next()) {
        const reason = this.#reasons.add(change, authors[change.authorPlace] ?? 0)
        put(this.#inserted, change.inserted, reason)
        put(this.#deleted, change.deleted, reason)
      }
    }
    for (const run of copies) {
      const runs = this.#copies.get(run.client) ?? []
      this.#copies.set(run.client, runs)
      runs.push(run)
    }
  }

  /** How many changes have numbers, from 0 on. */
  get count(): number {
    return this.#reasons.count
  }

  /** The change of this number: of the same author always the same object. */
  reason(number: number): Attribution {
    return this.#reasons.at(number)
  }

  /** Who inserted the clock; `end` is at most the one that is given. */
  insertion(client: number, clock: number, end: number): Attributed {
    const copy = this.#copies.get(client)?.find(run => run.clock <= clock && clock < run.clock + run.length)
    if (copy === undefined) return this.#at(this.#inserted.get(client), clock, end)
    const shift = copy.ofClock - copy.clock
    const until = Math.min(end, copy.clock + copy.length)
    const of = this.insertion(copy.ofClient, clock + shift, until + shift)
    return { by: of.by, end: of.end - shift }
  }

  /** Who deleted it; as with `insertion`. */
  deletion(client: number, clock: number, end: number): Attributed {
    return this.#at(this.#deleted.get(client), clock, end)
  }

  #at(stretches: Stretches | undefined, clock: number, end: number): Attributed {
    if (stretches === undefined) return { by: nobody, end }
    const place = stretches.placeAt(clock)
    const start = stretches.start(place)
    if (start > clock) return { by: nobody, end: Math.min(end, start) }
    return { by: stretches.reason(place), end: Math.min(end, stretches.end(place)) }
  }
}

function put(all: Map<number, Stretches>, ranges: FlatRanges, reason: number): void {
  for (let at = 0; at < ranges.length; at += 3) {
    const client = ranges[at] ?? 0
    const own = all.get(client) ?? new Stretches()
    if (own.isEmpty) all.set(client, own)
    own.add(ranges[at + 1] ?? 0, ranges[at + 2] ?? 0, reason)
  }
}

/**
 * Stretches of a client's clocks, [start, end), of which each has one change as its reason, and of which none touches
 * another. Insertions come in the order of the clocks; deletions in any, and are sorted when somebody asks.
 */
class Stretches {
  #starts: number[] = []
  #ends: number[] = []
  #reasons: number[] = []
  #isSorted = true

  get isEmpty(): boolean {
    return this.#starts.length === 0
  }

  add(clock: number, length: number, reason: number): void {
    const last = this.#ends.length - 1
    const lastEnd = this.#ends[last] ?? 0
    if (lastEnd === clock && this.#reasons[last] === reason) {
      this.#ends[last] = clock + length
      return
    }
    if (clock < lastEnd) this.#isSorted = false
    this.#starts.push(clock)
    this.#ends.push(clock + length)
    this.#reasons.push(reason)
  }

  /** The first that ends behind the clock. */
  placeAt(clock: number): number {
    if (!this.#isSorted) this.#sort()
    const ends = this.#ends
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ends[middle] ?? 0) <= clock) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Infinite behind the last one. */
  start(place: number): number {
    return this.#starts[place] ?? Number.POSITIVE_INFINITY
  }

  end(place: number): number {
    return this.#ends[place] ?? Number.POSITIVE_INFINITY
  }

  reason(place: number): number {
    return this.#reasons[place] ?? 0
  }

  #sort(): void {
    const [starts, ends, reasons] = [this.#starts, this.#ends, this.#reasons]
    const order = Uint32Array.from(starts.keys()).sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0))
    const sorted = (numbers: readonly number[]) => Array.from(order, place => numbers[place] ?? 0)
    this.#starts = sorted(starts)
    this.#ends = sorted(ends)
    this.#reasons = sorted(reasons)
    this.#isSorted = true
  }
}

/** So many changes are looked at for one that says the same: only those of one record can. */
const lookBack = 16

/** The changes by their numbers in the order of the history; of two that say the same, the first. */
class Reasons {
  readonly #sequences: Float64Array
  readonly #times: Float64Array
  /** Places in the list of authors. */
  readonly #authors: Uint32Array
  readonly #listed: Attribution['author'][] = []
  readonly #places = new Map<string, number>()
  #count = 0

  constructor(most: number) {
    this.#sequences = new Float64Array(most)
    this.#times = new Float64Array(most)
    this.#authors = new Uint32Array(most)
  }

  get count(): number {
    return this.#count
  }

  /** The place of the author among all, as `add` takes it. */
  placeOf(author: Attribution['author']): number {
    const key = author === null ? '' : JSON.stringify([author.user, author.connection, author.origin])
    const place = this.#places.get(key) ?? this.#listed.push(author) - 1
    this.#places.set(key, place)
    return place
  }

  add({ sequence, timeMs }: Pick<Attribution, 'sequence' | 'timeMs'>, author: number): number {
    const number = this.#count
    for (let at = number - 1; at >= 0 && at >= number - lookBack; at--) {
      if (this.#sequences[at] !== sequence) break
      if (this.#times[at] === timeMs && this.#authors[at] === author) return at
    }
    this.#sequences[number] = sequence
    this.#times[number] = timeMs
    this.#authors[number] = author
    this.#count++
    return number
  }

  at(number: number): Attribution {
    return {
      author: this.#listed[this.#authors[number] ?? 0] ?? null,
      timeMs: this.#times[number] ?? 0,
      sequence: this.#sequences[number] ?? 0
    }
  }
}
