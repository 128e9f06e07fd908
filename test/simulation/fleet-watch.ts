/**
 * What several nodes owe, looked at while a run goes on. The rules are those of cluster.md: C1 nothing is shown that is not in
 * the log, C2 each room reaches the end of the log within a bound, C6 who asks is told all that anybody was told before.
 */
import type { AppendEntry, LoadedDocument } from '../../persistence/store.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { type ClockRange, scanUpdate, type UpdateScan } from '../../src/document/scan.ts'
import type { Ledger } from './ledger.ts'
import type { Following } from './node.ts'
import type { Page } from './page.ts'
import type { SharedDatabase } from './shared-database.ts'
import { Violation } from './trace.ts'
import type { Scope } from './virtual-time.ts'

/** What a node has open, and whether it can do what it should. */
export type Watched = {
  readonly name: string
  readonly following: readonly Following[]
  /** It runs, and reaches the database. */
  readonly isWell: boolean
}

type Parts = {
  readonly time: Scope
  readonly database: SharedDatabase
  readonly rooms: readonly string[]
  readonly nodes: () => readonly Watched[]
  readonly ledgerOf: (room: string) => Ledger
  readonly boundMs: () => number
  readonly fail: (error: unknown) => void
}

/** Where a document stood when a room was looked at. */
type Sample = {
  readonly atMs: number
  readonly head: number
  readonly incarnation: string | null
  /** What the room was loaded with is of no use any more. */
  readonly isOver: boolean
}

const everyMs = 500
/** A room that has not noticed yet that the store went back answers from what it has. */
const noticingMs = 6_000

export class FleetWatch {
  readonly #parts: Parts
  /** Of each document, what was durable at any time: what a store that went back has lost is on its way to somebody. */
  readonly #durable = new Map<string, ClockRuns>()
  /** What the log of each document has held, and the document still holds. */
  readonly #held = new Map<string, ClockRuns>()
  /** How often each document was deleted. */
  readonly #deletions = new Map<string, number>()
  #samples = new Map<Following, Sample[]>()
  /** Rooms that have shown what the store has lost. */
  readonly #over = new WeakSet<Following>()
  #wentBackMs = Number.NEGATIVE_INFINITY

  constructor(parts: Parts) {
    this.#parts = parts
    const { database } = parts
    database.onAppended = entry => this.#appended(entry)
    database.onEnded = document => {
      this.#durable.delete(document)
      this.#held.delete(document)
      this.#deletions.set(document, this.deletions(document) + 1)
    }
    database.onSwitched = document => this.#switched(document)
    this.#look()
  }

  #appended({ document, record }: AppendEntry): void {
    for (const each of [this.#durable, this.#held]) {
      const runs = each.get(document) ?? new ClockRuns()
      each.set(document, runs)
      addAll(runs, updatesOf(record))
    }
  }

  /** C5: a checkpoint holds all that it replaces, whoever else wrote one at that time. */
  #switched(document: string): void {
    const lost = this.#held.get(document)?.subtract(heldOf(this.#parts.database.load(document)))
    if (lost === undefined || lost.clientCount === 0) return
    this.#parts.fail(new Violation(`a checkpoint of ${document} lacks ${JSON.stringify([...lost.ranges()])}`))
  }

  /** What nodes know of the store is of no use any more. */
  wentBack(): void {
    const { time, database, nodes } = this.#parts
    // Also the document that a Hocuspocus page names by its path, which is none of the rooms.
    for (const document of this.#held.keys()) this.#held.set(document, heldOf(database.load(document)))
    this.#wentBackMs = time.nowMs()
    this.#samples.clear()
    for (const following of nodes().flatMap(node => node.following)) {
      const [{ head } = { head: 0 }] = database.heads([{ document: following.document }])
      if (following.followed.known.visible > head) this.#over.add(following)
    }
  }

  /**
   * The store went back a moment ago: rooms answer from what they have, and pages are shown what was on its way. What they
   * saw of it is owed when they have brought it back.
   */
  get isNoticing(): boolean {
    return this.#parts.time.nowMs() < this.#wentBackMs + noticingMs
  }

  isGone(document: string): boolean {
    return this.deletions(document) > 0
  }

  deletions(document: string): number {
    return this.#deletions.get(document) ?? 0
  }

  /** Whether the store has it now. */
  holds(document: string, { client, clock, length }: ClockRange): boolean {
    return this.#held.get(document)?.covers(client, clock, length) === true
  }

  writersOf(document: string): Set<number> {
    return new Set([...(this.#held.get(document)?.ranges() ?? [])].map(({ client }) => client))
  }

  /** C1. Deletions that follow from integrating what is durable are in no record: they are not looked at. */
  shown({ name, document, isRetired }: Page, { structs }: UpdateScan): void {
    if (isRetired) return
    const durable = this.#durable.get(document) ?? new ClockRuns()
    const early = structs.find(({ client, clock, length }) => !durable.covers(client, clock, length))
    if (early === undefined) return
    throw new Violation(
      `${name} was shown ${early.client}:${early.clock}+${early.length}, which is in no log`
    )
  }

  /** C6. */
  asks({ name, document, doc, isRetired }: Page): () => void {
    if (isRetired) return () => {}
    const { ledgerOf } = this.#parts
    const ledger = ledgerOf(document)
    const owed = ledger.copy()
    const { timeline } = ledger
    return () => {
      const isOwed = ledgerOf(document) === ledger && ledger.timeline === timeline
      if (!isOwed || this.isNoticing) return
      owed.checkOpen(doc, `${name}, as it joins,`)
    }
  }

  #look(): void {
    this.#parts.time.after(everyMs, () => this.#look())
    try {
      const samples = new Map<Following, Sample[]>()
      for (const node of this.#parts.nodes()) {
        // One that is not well begins anew when it is.
        if (!node.isWell) continue
        for (const following of node.following) samples.set(following, this.#sampled(node.name, following))
      }
      this.#samples = samples
    } catch (error) {
      this.#parts.fail(error)
    }
  }

  /** C2. */
  #sampled(name: string, following: Following): Sample[] {
    const { time, database, boundMs } = this.#parts
    const { document, followed } = following
    const nowMs = time.nowMs()
    const [now = { head: 0, incarnation: null }] = database.heads([{ document }])
    const samples = this.#samples.get(following) ?? []
    const [oldest] = samples
    if (oldest !== undefined && oldest.atMs <= nowMs - boundMs()) {
      // What was deleted since may be noticed as late as what was written since.
      if (oldest.isOver) throw new Violation(`${name} has ${document} as the store no longer has it`)
      if (oldest.incarnation === now.incarnation && followed.known.visible < oldest.head)
        throw new Violation(`${name} shows ${document} up to ${followed.known.visible}, not ${oldest.head}`)
    }
    const last = samples.at(-1) ?? { ...now, isOver: this.#over.has(following) }
    const isOver = last.isOver || (last.incarnation !== null && last.incarnation !== now.incarnation)
    const kept = samples.filter(({ atMs }) => atMs > nowMs - boundMs())
    return [...kept, { atMs: nowMs, head: now.head, incarnation: now.incarnation, isOver }]
  }
}

function heldOf({ checkpoint, records }: LoadedDocument): ClockRuns {
  const runs = new ClockRuns()
  addAll(runs, checkpoint?.segments ?? [])
  for (const { record } of records) addAll(runs, updatesOf(record))
  return runs
}

function updatesOf(record: Uint8Array): Uint8Array[] {
  return decodeRecord(record).map(({ update }) => update)
}

function addAll(runs: ClockRuns, updates: readonly Uint8Array[]): void {
  for (const update of updates) runs.addAll(scanUpdate(update).structs)
}
