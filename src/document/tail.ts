/**
 * The accepted updates since the checkpoint, in log order, in memory. Small neighbours are merged (64 into one, 64 of
 * those into one), so that what a join sends does not grow with the number of keystrokes.
 *
 * It is a linked list, and merging or compacting never changes a link that a joiner may follow: a joiner stands on a
 * node and reads on, whatever has happened to the list meanwhile. At worst it receives an update twice, which is
 * harmless.
 */
import { ClockRuns } from './clocks.ts'
import type { MergedUpdates } from './log-merge.ts'
import type { ClockRange, UpdateScan } from './scan.ts'
import { mergeUpdates } from './splice.ts'

/** An update with what its scan found. */
export type ScannedUpdate = {
  readonly update: Uint8Array
  readonly scan: UpdateScan
  /** Of an update with many ranges, what the scan found as sets. */
  readonly sets?: ScannedSets
}

/** `adds`: what the update brings beyond what was known, where that was counted. */
export type ScannedSets = {
  readonly structs: ClockRuns
  readonly deletes: ClockRuns
  readonly adds?: Adds
}

/** Clients that had no structs, and runs of deletions that touch none there were. */
export type Adds = { readonly clients: number; readonly deletions: number }

export type TailNode = {
  /** `null` marks a place without content. */
  readonly update: Uint8Array | null
  readonly structs: readonly ClockRange[]
  readonly hasDeletes: boolean
  /** Sequence numbers of the first and last record that it stems from. */
  readonly firstSequence: number
  readonly lastSequence: number
  next: TailNode | null
  /** What it holds beyond vectors that were asked for lately: who comes back after a restart comes with many others. */
  diffs: readonly TailDiff[]
}

export type TailDiff = { readonly vector: ReadonlyMap<number, number>; readonly update: Uint8Array }

const fanIn = 64
const levelCount = 3
/** Larger neighbours are left as they are: merging them would hold the event loop and gain little. */
const mergedBytesMax = 128 * 1024

export class Tail {
  /** Level 0 holds single updates, each further level merged runs of the one before; the oldest are on the last. */
  #levels: TailNode[][] = emptyLevels()
  #head: TailNode = place(0)
  #last: TailNode = this.#head
  #bytes = 0
  #records = 0
  #lastSequence = 0
  #completeAfter = 0

  /** Bytes of the accepted updates, as they were before merging. */
  get bytes(): number {
    return this.#bytes
  }

  /** Records in the store that the checkpoint does not contain. */
  get records(): number {
    return this.#records
  }

  get lastSequence(): number {
    return this.#lastSequence
  }

  /**
   * Whoever has everything up to a record, be it this one or a later one, lacks nothing but what lies in the tail behind
   * it. Of an earlier one that is not known: the checkpoint may hold what came after it.
   */
  get completeAfter(): number {
    return this.#completeAfter
  }

  /** The number of the last record that the document holds. */
  get position(): number {
    return Math.max(this.#lastSequence, this.#completeAfter)
  }

  /** For opening: the tail is complete behind this record, see `completeAfter`. */
  beginsAfter(sequence: number): void {
    this.#completeAfter = sequence
  }

  /** The place before the first update: its `next` leads through everything, now and later. */
  get head(): TailNode {
    return this.#head
  }

  /** Keeps the array. `sequence` is that of the record which holds it, and never decreases. */
  append({ update, scan }: ScannedUpdate, sequence: number): void {
    if (sequence !== this.#lastSequence) this.#records++
    this.#lastSequence = sequence
    this.#bytes += update.length
    this.#link(leaf(update, scan, sequence))
    this.#mergeLevels()
  }

  /** Updates that follow one another in the log, merged already; the array is kept. Sequences as for `append`. */
  appendMerged({
    update,
    structs,
    deletes,
    bytes,
    records,
    firstSequence,
    lastSequence
  }: MergedUpdates): void {
    const hasDeletes = deletes.runCount > 0
    this.#records += firstSequence === this.#lastSequence ? records - 1 : records
    this.#lastSequence = lastSequence
    this.#bytes += bytes
    const node = { update, structs, hasDeletes, firstSequence, lastSequence, next: null, diffs: [] }
    // Where nothing is to be merged before it, it is as the oldest are.
    const isOldest = this.#levels.slice(0, -1).every(nodes => nodes.length === 0)
    this.#link(node, isOldest ? levelCount - 1 : 0)
    this.#mergeLevels()
  }

  /**
   * Drops what a new checkpoint contains: all up to `sequence`, save the updates in `carried`, which could not be
   * merged and stay in front. What was appended later stays.
   */
  compacted(sequence: number, carried: readonly (ScannedUpdate & { readonly sequence: number })[]): void {
    let later = this.#nodesAfter(sequence)
    if (later.length === 0) {
      // Whoever stands on the old list must come across what is appended to the new one.
      this.#link(place(sequence))
      later = [this.#last]
    }
    this.#levels = emptyLevels()
    this.#head = place(sequence)
    this.#completeAfter = Math.max(this.#completeAfter, sequence)
    let before = this.#head
    for (const each of carried) {
      before.next = leaf(each.update, each.scan, each.sequence)
      before = before.next
      this.#levels[0]?.push(before)
    }
    before.next = later[0] ?? null
    this.#levels[0]?.push(...later)
    this.#bytes = sum(carried, each => each.update.length) + sum(later, node => node.update?.length ?? 0)
    this.#records = new Set(carried.map(each => each.sequence)).size + sum(later, recordsOf)
  }

  /** The nodes with anything after a record; one that also holds earlier updates stays whole. */
  #nodesAfter(sequence: number): TailNode[] {
    const later: TailNode[] = []
    for (let node = this.#head.next; node !== null; node = node.next) {
      if (node.lastSequence > sequence) later.push(node)
    }
    return later
  }

  #link(node: TailNode, level = 0): void {
    this.#last.next = node
    this.#last = node
    this.#levels[level]?.push(node)
  }

  /** Merges only groups that are followed by a node, so that the old last of a group leads on to it. */
  #mergeLevels(): void {
    for (let level = 0; level < levelCount - 1; level++) {
      const nodes = this.#levels[level] ?? []
      if (nodes.length <= fanIn) return
      const group = nodes.splice(0, fanIn)
      const merged = mergeNodes(group, nodes[0] ?? null)
      this.#predecessorOf(level).next = merged[0] ?? null
      this.#levels[level + 1]?.push(...merged)
    }
  }

  /** The node before the first one of a level. */
  #predecessorOf(level: number): TailNode {
    for (let older = level + 1; older < levelCount; older++) {
      const last = this.#levels[older]?.at(-1)
      if (last !== undefined) return last
    }
    return this.#head
  }
}

/** Whether there are structs at or above the state vector. */
export function isBeyond(structs: readonly ClockRange[], vector: ReadonlyMap<number, number>): boolean {
  for (const { client, clock, length } of structs) {
    if (clock + length > (vector.get(client) ?? 0)) return true
  }
  return false
}

function mergeNodes(group: readonly TailNode[], next: TailNode | null): TailNode[] {
  const updates: Uint8Array[] = []
  let bytes = 0
  for (const { update } of group) {
    if (update === null) continue
    updates.push(update)
    bytes += update.length
  }
  if (updates.length === 0 || bytes > mergedBytesMax) return [...group]
  const first = group[0] as TailNode
  const last = group.at(-1) as TailNode
  return [
    {
      update: mergeUpdates(updates),
      structs: [...ClockRuns.from(group.flatMap(node => node.structs)).ranges()],
      hasDeletes: group.some(node => node.hasDeletes),
      firstSequence: first.firstSequence,
      lastSequence: last.lastSequence,
      next,
      diffs: []
    }
  ]
}

/** How many records it stems from; more than there are if some between have been merged away. */
function recordsOf({ update, firstSequence, lastSequence }: TailNode): number {
  return update === null ? 0 : lastSequence - firstSequence + 1
}

function leaf(update: Uint8Array, { structs, deletes }: UpdateScan, sequence: number): TailNode {
  const hasDeletes = deletes.length > 0
  return {
    update,
    structs,
    hasDeletes,
    firstSequence: sequence,
    lastSequence: sequence,
    next: null,
    diffs: []
  }
}

function place(sequence: number): TailNode {
  return {
    update: null,
    structs: [],
    hasDeletes: false,
    firstSequence: sequence,
    lastSequence: sequence,
    next: null,
    diffs: []
  }
}

function sum<T>(items: readonly T[], measure: (item: T) => number): number {
  return items.reduce((total, item) => total + measure(item), 0)
}

function emptyLevels(): TailNode[][] {
  return Array.from({ length: levelCount }, () => [])
}
