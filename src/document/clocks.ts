/**
 * Sets of clocks per client as sorted runs. A room keeps two: the structs it knows and the deletions it knows. Knows
 * nothing of what the clocks stand for.
 */
import {
  appendRun,
  at,
  firstRunEndingAfter,
  insertRun,
  intersectRuns,
  sortRuns,
  subtractRuns,
  touchedBy,
  uniteInto
} from './runs.ts'
import type { ClockRange } from './scan.ts'
import { itemsPerStep, type Steps } from './steps.ts'

/** So many numbers of one client's runs are united, and so many rewritten for it, in one step: about a millisecond. */
const numbersPerStep = 8_192
const rewrittenPerStep = 24_576

/** So many runs are inserted faster one by one, natively, than by a pass over all. */
const unitedRunsMin = 8

/**
 * Per client the runs [start, end), sorted, neither overlapping nor adjacent, flat in one array: 16 bytes a run.
 * Adding at a client's end is O(1), elsewhere O(log runs) to find and O(runs) to move.
 */
export class ClockRuns {
  readonly #runs = new Map<number, number[]>()
  #numbers = 0

  /** The runs that cover exactly these ranges, which may overlap and come in any order. */
  static from(ranges: Iterable<ClockRange>): ClockRuns {
    const runs = new ClockRuns()
    runs.addAll(ranges)
    return runs
  }

  /** How many clients have at least one run. */
  get clientCount(): number {
    return this.#runs.size
  }

  /** How many runs there are over all clients. */
  get runCount(): number {
    return this.#numbers / 2
  }

  /** Whether some client's clocks do not begin at 0 or do not follow one another. O(clients). */
  get hasGaps(): boolean {
    for (const runs of this.#runs.values()) {
      if (runs.length !== 2 || runs[0] !== 0) return true
    }
    return false
  }

  /** Whether no client's clocks go beyond the vector. O(clients). */
  endsWithin(vector: ReadonlyMap<number, number>): boolean {
    for (const [client, runs] of this.#runs) {
      if (at(runs, runs.length - 1) > (vector.get(client) ?? 0)) return false
    }
    return true
  }

  add(client: number, clock: number, length: number): void {
    const end = clock + length
    const runs = this.#runs.get(client)
    if (runs === undefined) return this.#set(client, [clock, end])
    const last = runs.length - 1
    const lastEnd = at(runs, last)
    if (clock === lastEnd) {
      runs[last] = end
      return
    }
    if (clock > lastEnd) runs.push(clock, end)
    else insertRun(runs, clock, end)
    this.#numbers += runs.length - last - 1
  }

  #set(client: number, runs: number[]): void {
    this.#numbers += runs.length - this.runsOf(client).length
    this.#runs.set(client, runs)
  }

  /**
   * Ranges of one client that come one after the other are united with its runs in one pass: one by one each would
   * move all runs behind it. Linear where they ascend, as Yjs writes them; else they are sorted first.
   */
  addAll(ranges: Iterable<ClockRange>): void {
    let client: number | undefined
    let gathered: number[] = []
    let isSorted = true
    for (const { client: next, clock, length } of ranges) {
      if (next !== client) {
        if (client !== undefined) this.#unite(client, isSorted ? gathered : sortRuns(gathered))
        client = next
        // Two numbers and no room for more, which most clients of an update have no use for.
        gathered = [clock, clock + length]
        isSorted = true
        continue
      }
      if (clock < at(gathered, gathered.length - 2)) isSorted = false
      if (isSorted) appendRun(gathered, clock, clock + length)
      else gathered.push(clock, clock + length)
    }
    if (client !== undefined) this.#unite(client, isSorted ? gathered : sortRuns(gathered))
  }

  /** Takes over sorted runs of one client, neither overlapping nor adjacent. */
  addSorted(client: number, runs: number[]): void {
    if (runs.length > 0) this.#unite(client, runs)
  }

  #unite(client: number, runs: number[]): void {
    const own = this.#runs.get(client)
    if (own === undefined) this.#set(client, runs)
    else if (runs.length <= 2 * unitedRunsMin) {
      for (let i = 0; i < runs.length; i += 2) this.add(client, at(runs, i), at(runs, i + 1) - at(runs, i))
    } else this.#uniteInto(client, own, runs)
  }

  #uniteInto(client: number, own: number[], runs: readonly number[]): void {
    const before = own.length
    const united = uniteInto(own, runs)
    this.#numbers += united.length - before
    this.#runs.set(client, united)
  }

  /** Adds every run of another set. */
  addRuns(other: ClockRuns): void {
    for (const [client, runs] of other.#runs) this.#addRunsOf(client, runs)
  }

  /**
   * The same a little at a time: after each step what is in one of the two sets is what was before. The other set
   * must not change meanwhile, this one may.
   */
  *absorb(other: ClockRuns): Steps<void> {
    let step = 0
    for (const [client, runs] of other.#runs) {
      if (runs.length > 2) yield* this.#absorbRunsOf(client, runs)
      else this.#addRunsOf(client, runs)
      if (++step % itemsPerStep === 0) yield
    }
  }

  *#absorbRunsOf(client: number, runs: readonly number[]): Steps<void> {
    for (let from = 0; from < runs.length; ) {
      const own = this.runsOf(client)
      let count = Math.min(numbersPerStep, runs.length - from)
      // A few runs far apart may have many between them.
      while (count > 2 && touchedBy(own, at(runs, from), at(runs, from + count - 1)) > rewrittenPerStep) {
        count = 2 * Math.ceil(count / 4)
      }
      this.#addRunsOf(client, runs.slice(from, from + count))
      from += count
      if (count >= itemsPerStep || own.length > numbersPerStep) yield
    }
  }

  #addRunsOf(client: number, runs: readonly number[]): void {
    const own = this.#runs.get(client)
    if (own === undefined) this.#set(client, runs.slice())
    else if (runs.length > 2 || !this.covers(client, at(runs, 0), at(runs, 1) - at(runs, 0)))
      this.#uniteInto(client, own, runs)
  }

  covers(client: number, clock: number, length: number): boolean {
    const runs = this.#runs.get(client)
    if (runs === undefined) return false
    const index = firstRunEndingAfter(runs, clock)
    return index < runs.length && at(runs, index) <= clock && clock + length <= at(runs, index + 1)
  }

  /** Up to which clock (not included) all are there or none is, from this one on; infinite behind the last run. */
  sameUntil(client: number, clock: number): number {
    const runs = this.runsOf(client)
    const index = firstRunEndingAfter(runs, clock)
    if (index >= runs.length) return Number.POSITIVE_INFINITY
    return at(runs, index) > clock ? at(runs, index) : at(runs, index + 1)
  }

  /** Whether any clock of the range is there. */
  touches({ client, clock, length }: ClockRange): boolean {
    const runs = this.runsOf(client)
    const index = firstRunEndingAfter(runs, clock)
    return index < runs.length && at(runs, index) < clock + length
  }

  /** Whether every range is covered. */
  coversAll(ranges: Iterable<ClockRange>): boolean {
    for (const range of ranges) {
      if (!this.covers(range.client, range.clock, range.length)) return false
    }
    return true
  }

  /** The parts of the range that are not covered, in order; empty when it is covered. */
  missing(client: number, clock: number, length: number): ClockRange[] {
    const missing: ClockRange[] = []
    const end = clock + length
    const runs = this.#runs.get(client) ?? []
    let from = clock
    for (let i = firstRunEndingAfter(runs, clock); i < runs.length && at(runs, i) < end; i += 2) {
      const start = at(runs, i)
      if (start > from) missing.push({ client, clock: from, length: start - from })
      from = at(runs, i + 1)
    }
    if (from < end) missing.push({ client, clock: from, length: end - from })
    return missing
  }

  /** Adds the parts of the range that are covered to another set. O(log runs + parts). */
  copyCovered(into: ClockRuns, client: number, clock: number, length: number): void {
    const end = clock + length
    const runs = this.#runs.get(client) ?? []
    for (let i = firstRunEndingAfter(runs, clock); i < runs.length && at(runs, i) < end; i += 2) {
      const start = Math.max(clock, at(runs, i))
      into.add(client, start, Math.min(end, at(runs, i + 1)) - start)
    }
  }

  /** The client's state vector clock: the end of the run that begins at 0, else 0. */
  prefixEnd(client: number): number {
    const runs = this.#runs.get(client)
    return runs === undefined || runs[0] !== 0 ? 0 : at(runs, 1)
  }

  /** The end of the client's last run: the lowest clock above all that is known, gaps or not. 0 if there is none. */
  end(client: number): number {
    const runs = this.#runs.get(client)
    return runs === undefined ? 0 : at(runs, runs.length - 1)
  }

  /** Client to clock for every client whose clocks begin at 0; a new map, the caller's. */
  stateVector(): Map<number, number> {
    const vector = new Map<number, number>()
    for (const [client, runs] of this.#runs) {
      if (runs[0] === 0) vector.set(client, at(runs, 1))
    }
    return vector
  }

  /** Every run as a range, clients in descending order, clocks ascending: the order Yjs writes. */
  *ranges(): IterableIterator<ClockRange> {
    for (const client of this.clients()) {
      const runs = this.#runs.get(client) ?? []
      for (let i = 0; i < runs.length; i += 2) {
        yield { client, clock: at(runs, i), length: at(runs, i + 1) - at(runs, i) }
      }
    }
  }

  /** How many clients' clocks begin at 0. O(clients). */
  get prefixCount(): number {
    let count = 0
    for (const runs of this.#runs.values()) if (runs[0] === 0) count++
    return count
  }

  /** The clients in no order; to be read before this set changes. */
  clientsUnsorted(): IterableIterator<number> {
    return this.#runs.keys()
  }

  /** The clients, descending; a new array. */
  clients(): number[] {
    return descending(this.#runs.keys())
  }

  /** One client's runs as start, end, start, end, …; this set's own array, only to be read. */
  runsOf(client: number): readonly number[] {
    return this.#runs.get(client) ?? []
  }

  /** A new set of the clocks that are in both. */
  intersect(other: ClockRuns): ClockRuns {
    const both = new ClockRuns()
    for (const [client, runs] of this.#runs) {
      const common = intersectRuns(runs, other.runsOf(client))
      if (common.length > 0) both.#set(client, common)
    }
    return both
  }

  /** A new set of the clocks in this set that are not in the other. */
  subtract(other: ClockRuns): ClockRuns {
    const rest = new ClockRuns()
    for (const [client, runs] of this.#runs) {
      const own = subtractRuns(runs, other.runsOf(client))
      if (own.length > 0) rest.#set(client, own)
    }
    return rest
  }

  clone(): ClockRuns {
    const copy = new ClockRuns()
    for (const [client, runs] of this.#runs) copy.#set(client, runs.slice())
    return copy
  }

  equals(other: ClockRuns): boolean {
    if (this.#runs.size !== other.#runs.size) return false
    for (const [client, runs] of this.#runs) {
      const others = other.#runs.get(client)
      if (others === undefined || others.length !== runs.length) return false
      for (let i = 0; i < runs.length; i++) if (runs[i] !== others[i]) return false
    }
    return true
  }
}

/** Typed arrays sort numbers natively, ten times as fast as with a function to compare them. */
export function descending(clients: Iterable<number>): number[] {
  return Array.from(Float64Array.from(clients).sort().reverse())
}
