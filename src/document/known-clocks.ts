/**
 * What is known of a document's structs, or of its deletions: what is durable and, on top, what is only scanned. A large
 * update's clocks become known as a whole, at once; they are united with the rest a little at a time.
 */
import { ClockRuns } from './clocks.ts'
import type { ClockRange } from './scan.ts'
import type { Steps } from './steps.ts'

/** How many clients there are, and how many runs over all of them. */
export type Counts = { readonly clients: number; readonly runs: number }

/** A set that is kept, and must not change; and what it added to what was known when it came. */
type Layer = { readonly runs: ClockRuns; readonly adds: Counts }

const nothing: readonly never[] = []

export class KnownClocks {
  /** The durable ones, but for what lies in `#layers`. To be read only. */
  readonly durable = new ClockRuns()
  /** Durable and not united yet, oldest first. Bounded as held updates are, by `uncommittedBytesMax`. */
  readonly #layers: Layer[] = []
  #held = new ClockRuns()
  #heldLayers: Layer[] = []
  /** What was united before the layer that is being united. */
  #united: Counts | null = null

  /** How many there are, scanned ones included, or a few more. O(layers). */
  get most(): Counts {
    // Asked for each update, so no array is made.
    let clients = (this.#united?.clients ?? this.durable.clientCount) + this.#held.clientCount
    let runs = (this.#united?.runs ?? this.durable.runCount) + this.#held.runCount
    for (const layers of this.#isInOne ? nothing : [this.#layers, this.#heldLayers]) {
      for (const { adds } of layers) {
        clients += adds.clients
        runs += adds.runs
      }
    }
    return { clients, runs }
  }

  get hasLayers(): boolean {
    return this.#layers.length > 0
  }

  get #allLayers(): readonly Layer[] {
    return [...this.#layers, ...this.#heldLayers]
  }

  get #isInOne(): boolean {
    return this.#held.clientCount === 0 && this.#layers.length + this.#heldLayers.length === 0
  }

  /** Whether the range is known, scanned clocks included. */
  covers({ client, clock, length }: ClockRange): boolean {
    if (this.durable.covers(client, clock, length)) return true
    if (this.#isInOne) return false
    let missing = this.durable.missing(client, clock, length)
    for (const set of [this.#held, ...this.#allLayers.map(({ runs }) => runs)]) {
      missing = missing.flatMap(range => set.missing(range.client, range.clock, range.length))
    }
    return missing.length === 0
  }

  /** Whether something of the range, or the clock beside it, is known, scanned clocks included: it adds no run. */
  touches({ client, clock, length }: ClockRange): boolean {
    const from = Math.max(0, clock - 1)
    const wide = { client, clock: from, length: clock + length + 1 - from }
    if (this.durable.touches(wide)) return true
    if (this.#isInOne) return false
    return this.#held.touches(wide) || this.#allLayers.some(({ runs }) => runs.touches(wide))
  }

  /** Whether any clock of the client is known, scanned clocks included. */
  has(client: number): boolean {
    if (this.durable.runsOf(client).length > 0) return true
    if (this.#isInOne) return false
    const isIn = (runs: ClockRuns) => runs.runsOf(client).length > 0
    return isIn(this.#held) || this.#allLayers.some(({ runs }) => isIn(runs))
  }

  /** Whether no durable clock lies beyond the vector. O(clients). */
  endsWithin(vector: ReadonlyMap<number, number>): boolean {
    return this.durable.endsWithin(vector) && this.#layers.every(({ runs }) => runs.endsWithin(vector))
  }

  /** For each client the clock after its last one, scanned clocks included; a new map. O(clients). */
  ends(): Map<number, number> {
    const ends = new Map<number, number>()
    for (const set of [this.durable, this.#held, ...this.#allLayers.map(({ runs }) => runs)]) {
      for (const client of set.clientsUnsorted())
        ends.set(client, Math.max(set.end(client), ends.get(client) ?? 0))
    }
    return ends
  }

  hold(ranges: readonly ClockRange[]): void {
    this.#held.addAll(ranges)
  }

  /** The set is kept, and must not change. */
  holdLayer(runs: ClockRuns, adds: Counts): void {
    if (runs.clientCount > 0) this.#heldLayers.push({ runs, adds })
  }

  /** Forgets what is held. */
  release(): void {
    this.#held = new ClockRuns()
    this.#heldLayers = []
  }

  add(ranges: readonly ClockRange[]): void {
    this.durable.addAll(ranges)
  }

  /** The set is kept, and must not change. */
  addLayer(runs: ClockRuns, adds: Counts): void {
    if (runs.clientCount > 0) this.#layers.push({ runs, adds })
  }

  /** Unites the layers with the rest, in steps. What is known is the same after each. One at a time. */
  *unite(): Steps<void> {
    for (let layer = this.#layers[0]; layer !== undefined; layer = this.#layers[0]) {
      this.#united = countsOf(this.durable)
      yield* this.durable.absorb(layer.runs)
      this.#layers.shift()
      this.#united = null
    }
  }

  /** A new set of the durable clocks that are not in the other. */
  durableBeyond(other: ClockRuns): ClockRuns {
    const beyond = this.durable.subtract(other)
    for (const { runs } of this.#layers) beyond.addRuns(runs.subtract(other))
    return beyond
  }
}

function countsOf({ clientCount, runCount }: ClockRuns): Counts {
  return { clients: clientCount, runs: runCount }
}
