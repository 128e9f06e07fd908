/**
 * Sets of clocks per client as sorted runs, and their encodings. A room keeps two: the structs it knows and the
 * deletions it knows. Knows nothing of what the clocks stand for.
 */
import { Fault } from '../errors.ts'
import { ByteWriter } from './byte-writer.ts'
import {
  appendRun,
  at,
  firstRunEndingAfter,
  insertRun,
  intersectRuns,
  sortRuns,
  subtractRuns,
  uniteRuns
} from './runs.ts'
import type { ClockRange } from './scan.ts'

/** So many runs are inserted faster one by one, natively, than by a pass over all. */
const unitedRunsMin = 8

/**
 * Per client the runs [start, end), sorted, neither overlapping nor adjacent, flat in one array: 16 bytes a run.
 * Adding at a client's end is O(1), elsewhere O(log runs) to find and O(runs) to move.
 */
export class ClockRuns {
  readonly #runs = new Map<number, number[]>()

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

  /** How many runs there are over all clients. O(clients). */
  get runCount(): number {
    let count = 0
    for (const runs of this.#runs.values()) count += runs.length / 2
    return count
  }

  /** Whether some client's clocks do not begin at 0 or do not follow one another. O(clients). */
  get hasGaps(): boolean {
    for (const runs of this.#runs.values()) {
      if (runs.length !== 2 || runs[0] !== 0) return true
    }
    return false
  }

  add(client: number, clock: number, length: number): void {
    const end = clock + length
    const runs = this.#runs.get(client)
    if (runs === undefined) {
      this.#runs.set(client, [clock, end])
      return
    }
    const last = runs.length - 1
    const lastEnd = at(runs, last)
    if (clock > lastEnd) runs.push(clock, end)
    else if (clock === lastEnd) runs[last] = end
    else insertRun(runs, clock, end)
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

  /** Takes over sorted runs. */
  #unite(client: number, runs: number[]): void {
    const own = this.#runs.get(client)
    if (own === undefined) this.#runs.set(client, runs)
    else if (runs.length <= 2 * unitedRunsMin) {
      for (let i = 0; i < runs.length; i += 2) this.add(client, at(runs, i), at(runs, i + 1) - at(runs, i))
    } else {
      this.#runs.set(client, uniteRuns(own, runs))
    }
  }

  /** Adds every run of another set. */
  addRuns(other: ClockRuns): void {
    for (const [client, runs] of other.#runs) {
      const own = this.#runs.get(client)
      this.#runs.set(client, own === undefined ? runs.slice() : uniteRuns(own, runs))
    }
  }

  covers(client: number, clock: number, length: number): boolean {
    const runs = this.#runs.get(client)
    if (runs === undefined) return false
    const index = firstRunEndingAfter(runs, clock)
    return index < runs.length && at(runs, index) <= clock && clock + length <= at(runs, index + 1)
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
      if (common.length > 0) both.#runs.set(client, common)
    }
    return both
  }

  /** A new set of the clocks in this set that are not in the other. */
  subtract(other: ClockRuns): ClockRuns {
    const rest = new ClockRuns()
    for (const [client, runs] of this.#runs) {
      const own = subtractRuns(runs, other.runsOf(client))
      if (own.length > 0) rest.#runs.set(client, own)
    }
    return rest
  }

  clone(): ClockRuns {
    const copy = new ClockRuns()
    for (const [client, runs] of this.#runs) copy.#runs.set(client, runs.slice())
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

/** A Yjs V1 state vector, clients in descending order as Yjs writes them. */
export function encodeStateVector(known: ClockRuns | ReadonlyMap<number, number>): Uint8Array {
  const clients = known instanceof ClockRuns ? known.clients() : descending(known.keys())
  const clockOf = (client: number) =>
    known instanceof ClockRuns ? known.prefixEnd(client) : (known.get(client) ?? 0)
  // Zero is what a client that is not named has; of ClockRuns those are the clients that lack their beginning.
  const named = known instanceof ClockRuns ? clients.filter(client => clockOf(client) > 0) : clients
  const writer = new ByteWriter(1 + named.length * 9)
  writer.writeVarUint(named.length)
  for (const client of named) {
    writer.writeVarUint(client)
    writer.writeVarUint(clockOf(client))
  }
  return writer.toUint8Array()
}

/** Typed arrays sort numbers natively, ten times as fast as with a function to compare them. */
function descending(clients: Iterable<number>): number[] {
  return Array.from(Float64Array.from(clients).sort().reverse())
}

/**
 * Reads a Yjs V1 state vector into a new map. A client that comes twice counts with its last clock, as in Yjs.
 * Throws ERR_BAD_MESSAGE when it is malformed, when bytes are left over, or when it names more than `clientsMax`
 * clients.
 */
export function decodeStateVector(bytes: Uint8Array, limits: { clientsMax: number }): Map<number, number> {
  const input = new NumberInput(bytes)
  const count = input.next()
  if (count > limits.clientsMax) throw new Fault('ERR_BAD_MESSAGE', `state vector of ${count} clients`)
  const vector = new Map<number, number>()
  for (let i = 0; i < count; i++) {
    const client = input.next()
    vector.set(client, input.next())
  }
  input.expectEnd()
  return vector
}

/** An update without structs, `00` and the delete set: deletions in a form that every client applies. */
export function encodeDeleteSet(deletes: ClockRuns | Iterable<ClockRange>): Uint8Array {
  const runs = deletes instanceof ClockRuns ? deletes : ClockRuns.from(deletes)
  const writer = new ByteWriter(16 + runs.runCount * 8)
  writer.writeByte(0)
  writeDeleteSet(writer, runs)
  return writer.toUint8Array()
}

/** The delete set part of an update, normalised: clients descending, ranges sorted and merged. */
export function writeDeleteSet(writer: ByteWriter, deletes: ClockRuns): void {
  writer.writeVarUint(deletes.clientCount)
  for (const client of deletes.clients()) {
    const runs = deletes.runsOf(client)
    writer.writeVarUint(client)
    writer.writeVarUint(runs.length / 2)
    for (let i = 0; i < runs.length; i += 2) {
      writer.writeVarUint(at(runs, i))
      writer.writeVarUint(at(runs, i + 1) - at(runs, i))
    }
  }
}

/**
 * `runs := varUint clients, per client (varUint client, varUint runs, per run (varUint gap before it, varUint length))`
 * with clients descending: about 3 bytes a run, for checkpoint metadata.
 */
export function encodeRuns(known: ClockRuns): Uint8Array {
  const writer = new ByteWriter(16 + known.runCount * 4)
  writer.writeVarUint(known.clientCount)
  for (const client of known.clients()) {
    const runs = known.runsOf(client)
    writer.writeVarUint(client)
    writer.writeVarUint(runs.length / 2)
    let end = 0
    for (let i = 0; i < runs.length; i += 2) {
      writer.writeVarUint(at(runs, i) - end)
      end = at(runs, i + 1)
      writer.writeVarUint(end - at(runs, i))
    }
  }
  return writer.toUint8Array()
}

/** Reads what `encodeRuns` wrote. Throws ERR_BAD_MESSAGE when it is malformed. */
export function decodeRuns(bytes: Uint8Array): ClockRuns {
  const input = new NumberInput(bytes)
  const runs = new ClockRuns()
  const clients = input.next()
  for (let i = 0; i < clients; i++) {
    const client = input.next()
    const count = input.next()
    let end = 0
    for (let run = 0; run < count; run++) {
      const start = end + input.next()
      const length = input.next()
      end = start + length
      if (length === 0 || end > Number.MAX_SAFE_INTEGER)
        throw new Fault('ERR_BAD_MESSAGE', 'not a run of clocks')
      runs.add(client, start, length)
    }
  }
  input.expectEnd()
  return runs
}

/** Reads varUints, and faults with the code for messages: these bytes are no update. */
class NumberInput {
  readonly #bytes: Uint8Array
  #pos = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.#pos++]
      if (byte === undefined) throw new Fault('ERR_BAD_MESSAGE', 'the bytes end too early')
      value += (byte & 0x7f) * scale
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value
      scale *= 0x80
    }
    throw new Fault('ERR_BAD_MESSAGE', 'number beyond 2^53 - 1')
  }

  expectEnd(): void {
    if (this.#pos !== this.#bytes.length) throw new Fault('ERR_BAD_MESSAGE', 'bytes left over')
  }
}
