/**
 * A document as segments and tail, and what is known of it: enough to tell what an update brings, what it lacks and
 * what a joiner needs, without a Y.Doc. It has two positions: *durable*, for which everything here speaks, and
 * *scanned*, which only judges the next update.
 */
import type { Checkpoint } from './checkpoint.ts'
import { ClockRuns } from './clocks.ts'
import { type Counts, KnownClocks } from './known-clocks.ts'
import type { MergedUpdates } from './log-merge.ts'
import type { ClockPoint, ClockRange, UpdateScan } from './scan.ts'
import { everyInSteps, finish, itemsPerStep, type Steps } from './steps.ts'
import { type Adds, type ScannedSets, type ScannedUpdate, Tail } from './tail.ts'
import type { Tombstone } from './tombstone.ts'
import { VectorBytes } from './vector-bytes.ts'

/**
 * `known`: it brings no struct and no deletion that is not here already. Otherwise `gap` names the first thing that
 * it hangs on and that is unknown, or is null.
 */
export type Judgement = { readonly type: 'known' } | { readonly type: 'new'; readonly gap: string | null }

/** How much one document may have of what everybody who has it keeps sending. */
export type DocumentLimits = { readonly stateVectorEntriesMax: number; readonly updateRangesMax: number }

/** Of a checkpoint: it is made of what is known. */
const nothingNew: Counts = { clients: 0, runs: 0 }

/** With more ranges an update is judged in slices, and what it brings is united with the rest in slices. */
export const rangesAtOnceMax = 4_096

export class Document {
  readonly name: string
  readonly tail = new Tail()
  /** Of the lives before this one, if one is kept. */
  readonly tombstone: Tombstone | null
  #checkpoint: Checkpoint | null = null
  readonly #structs = new KnownClocks()
  readonly #deletes = new KnownClocks()
  /** Scanned and not durable yet, in order. */
  #held: ScannedUpdate[] = []
  #heldBytes = 0
  readonly #vector = new VectorBytes(this.#structs.durable)
  /** Counts what has added to the durable deletions. */
  #deletesVersion = 0
  readonly #beyond = new WeakMap<ClockRuns, { readonly version: number; readonly deletes: ClockRuns }>()

  constructor(name: string, tombstone: Tombstone | null = null) {
    this.name = name
    this.tombstone = tombstone
  }

  get checkpoint(): Checkpoint | null {
    return this.#checkpoint
  }

  /** Encoded size, scanned updates included; an upper bound, as merging makes it smaller. */
  get bytes(): number {
    return (this.#checkpoint?.bytes ?? 0) + this.tail.bytes + this.#heldBytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * The durable deletions that are not among these, which must not change; to be read only. O(runs) the first time, and
   * O(1) for the same object until there are more deletions.
   */
  deletesBeyond(known: ClockRuns): ClockRuns {
    const found = this.#beyond.get(known)
    if (found?.version === this.#deletesVersion) return found.deletes
    const deletes = this.#deletes.durableBeyond(known)
    this.#beyond.set(known, { version: this.#deletesVersion, deletes })
    return deletes
  }

  /** The durable state vector, encoded; shared, not to be written into. What `unite` has yet to do is left out. */
  stateVector(): Uint8Array {
    return this.#vector.bytes()
  }

  /**
   * Of what there would be too much once this is taken, if of anything: clients with structs, ranges of deletions. Whoever
   * has the document sends both whole, again and again. O(1) unless it comes near.
   */
  wouldExceed(scan: UpdateScan, limits: DocumentLimits, adds?: Adds): 'clients' | 'deletions' | null {
    const { stateVectorEntriesMax: clientsMax, updateRangesMax: rangesMax } = limits
    const { clients } = this.#structs.most
    const { runs: ranges } = this.#deletes.most
    if (clients + scan.structs.length <= clientsMax && ranges + scan.deletes.length <= rangesMax) return null
    const added = adds ?? finish(this.addsInSlices(scan))
    if (added.clients > 0 && clients + added.clients > clientsMax) return 'clients'
    return added.deletions > 0 && ranges + added.deletions > rangesMax ? 'deletions' : null
  }

  /** What the update brings beyond everything scanned so far, in slices. */
  *addsInSlices({ structs, deletes }: UpdateScan): Steps<Adds> {
    let clients = 0
    let last = -1
    yield* everyInSteps(structs, ({ client }) => {
      // The ranges of a client follow one another.
      if (client !== last && !this.#structs.has(client)) clients++
      last = client
      return true
    })
    let deletions = 0
    yield* everyInSteps(deletes, range => {
      if (!this.#deletes.touches(range)) deletions++
      return true
    })
    return { clients, deletions }
  }

  /** How many ranges of deletions are durable: `none`, at most so many, or more. */
  deletionsUpTo(max: number): 'none' | 'few' | 'many' {
    const { runs } = this.#deletes.most
    if (runs === 0) return 'none'
    return runs <= max ? 'few' : 'many'
  }

  /** Whether somebody with this state vector has every durable struct. O(clients of the document). */
  isCoveredBy(vector: ReadonlyMap<number, number>): boolean {
    return this.#structs.endsWithin(vector)
  }

  /** Judges an update against everything scanned so far. */
  judge(scan: UpdateScan): Judgement {
    const isKnown =
      scan.structs.every(range => this.#structs.covers(range)) &&
      scan.deletes.every(range => this.#deletes.covers(range))
    return isKnown ? { type: 'known' } : { type: 'new', gap: this.#findGap(scan) }
  }

  /**
   * The same in slices. What is known only grows meanwhile, so that at worst an update counts as new, or as one that
   * hangs on something unknown, which has ceased to be.
   */
  *judgeInSlices(scan: UpdateScan, { structs: own }: ScannedSets): Steps<Judgement> {
    const isKnown =
      (yield* everyInSteps(scan.structs, range => this.#structs.covers(range))) &&
      (yield* everyInSteps(scan.deletes, range => this.#deletes.covers(range)))
    if (isKnown) return { type: 'known' }
    let gap: string | null = null
    const hasNone = (found: string | null) => {
      gap = found
      return found === null
    }
    const isComplete =
      (yield* everyInSteps(scan.structs, range => hasNone(this.#gapBefore(range)))) &&
      (yield* everyInSteps(scan.dependencies, point => hasNone(this.#gapAt(point)))) &&
      (yield* everyInSteps(scan.deletes, range => hasNone(this.#gapUnder(range, own))))
    return { type: 'new', gap: isComplete ? null : gap }
  }

  /** Whether everything scanned so far holds all of the range. */
  knowsStructs(range: ClockRange): boolean {
    return this.#structs.covers(range)
  }

  /** For each client of everything scanned so far, the clock after its last one. O(clients). */
  clientEnds(): Map<number, number> {
    return this.#structs.ends()
  }

  /** Takes an update that was judged new into the scanned position. The array is kept. */
  hold(scanned: ScannedUpdate): void {
    this.#held.push(scanned)
    this.#heldBytes += scanned.update.length
    this.#holdClocks(scanned)
  }

  #holdClocks({ scan, sets }: ScannedUpdate): void {
    if (sets === undefined) {
      this.#structs.hold(scan.structs)
      this.#deletes.hold(scan.deletes)
    } else {
      this.#structs.holdLayer(sets.structs, addsOf(sets).structs)
      this.#deletes.holdLayer(sets.deletes, addsOf(sets).deletes)
    }
  }

  /** The first `count` held updates have become durable with the record of this sequence number. */
  settle(count: number, sequence: number): void {
    const settled = this.#held.splice(0, count)
    for (const scanned of settled) this.#append(scanned, sequence)
    this.#structs.release()
    this.#deletes.release()
    this.#heldBytes = 0
    for (const scanned of this.#held) {
      this.#heldBytes += scanned.update.length
      this.#holdClocks(scanned)
    }
  }

  /**
   * Replaces the checkpoint it was opened with or compacted to; what it knows only grows. The sets are kept, and must not
   * change. What there is much of has to be united: see `isApart`.
   */
  restore(checkpoint: Checkpoint, { structs, deletes }: { structs: ClockRuns; deletes: ClockRuns }): void {
    this.#checkpoint = checkpoint
    const isSmall = !this.isApart && structs.runCount + deletes.runCount <= rangesAtOnceMax
    this.#structs.addLayer(structs, nothingNew)
    this.#deletes.addLayer(deletes, nothingNew)
    this.#deletesVersion++
    if (isSmall) finish(this.unite())
  }

  /** Whether `unite` has something to do. */
  get isApart(): boolean {
    return this.#structs.hasLayers || this.#deletes.hasLayers
  }

  /** Unites what large updates have brought with what else is known, in slices. One at a time. */
  *unite(): Steps<void> {
    if (!this.isApart) return
    while (this.isApart) {
      yield* this.#structs.unite()
      yield* this.#deletes.unite()
    }
    this.#vector.changed(null)
  }

  /** Adds an update that is durable already. */
  #append({ update, scan, sets }: ScannedUpdate, sequence: number): void {
    if (scan.deletes.length > 0) this.#deletesVersion++
    if (sets === undefined) {
      this.#structs.durable.addAll(scan.structs)
      this.#deletes.durable.addAll(scan.deletes)
      this.#vector.changed(scan.structs)
    } else {
      this.#structs.addLayer(sets.structs, addsOf(sets).structs)
      this.#deletes.addLayer(sets.deletes, addsOf(sets).deletes)
    }
    this.tail.append({ update, scan }, sequence)
  }

  /** For opening: as `hold` and `settle` at once. */
  appendDurable(scanned: ScannedUpdate, sequence: number): void {
    this.#append(scanned, sequence)
  }

  /** For opening: many small ones as one. */
  appendMerged(merged: MergedUpdates | null): void {
    if (merged === null) return
    this.#structs.durable.addAll(merged.structs)
    this.#deletes.durable.addRuns(merged.deletes)
    this.#deletesVersion++
    this.#vector.changed(merged.structs)
    this.tail.appendMerged(merged)
  }

  #findGap({ structs, dependencies, deletes }: UpdateScan): string | null {
    for (const range of structs) {
      const gap = this.#gapBefore(range)
      if (gap !== null) return gap
    }
    for (const point of dependencies) {
      const gap = this.#gapAt(point)
      if (gap !== null) return gap
    }
    let own: ClockRuns | undefined
    for (const range of deletes) {
      if (this.#structs.covers(range)) continue
      own ??= ClockRuns.from(structs)
      const gap = this.#gapUnder(range, own)
      if (gap !== null) return gap
    }
    return null
  }

  /** Structs hang on the clock before them. */
  #gapBefore({ client, clock }: ClockRange): string | null {
    return clock === 0 ? null : this.#gapAt({ client, clock: clock - 1 })
  }

  #gapAt({ client, clock }: ClockPoint): string | null {
    return this.#structs.covers({ client, clock, length: 1 }) ? null : `${client}:${clock}`
  }

  /** Deletions hang on the structs they delete, which may come with them. */
  #gapUnder(range: ClockRange, own: ClockRuns): string | null {
    const { client, clock, length } = range
    return this.#structs.covers(range) || own.covers(client, clock, length) ? null : `${client}:${clock}`
  }
}

/** Where nobody counted, all of it. */
function addsOf({ structs, deletes, adds }: ScannedSets): { structs: Counts; deletes: Counts } {
  const clients = adds?.clients ?? structs.clientCount
  const runs = adds?.deletions ?? deletes.runCount
  return { structs: { clients, runs: structs.runCount }, deletes: { clients: deletes.clientCount, runs } }
}

/** How many ranges an update touches, in all. */
export function rangesOf({ structs, deletes, dependencies }: UpdateScan): number {
  return structs.length + deletes.length + dependencies.length
}

/** The clocks of an update with many ranges as sets, in slices: of each client they ascend, as a scan finds them. */
export function* setsOf({ structs, deletes }: UpdateScan): Steps<ScannedSets> {
  return { structs: yield* runsOf(structs), deletes: yield* runsOf(deletes) }
}

function* runsOf(ranges: readonly ClockRange[]): Steps<ClockRuns> {
  const runs = new ClockRuns()
  let step = 0
  for (const { client, clock, length } of ranges) {
    runs.add(client, clock, length)
    if (++step % itemsPerStep === 0) yield
  }
  return runs
}
