/**
 * What several nodes owe, looked at while a run goes on. The rules are those of cluster.md: C1 nothing is shown that is not in
 * the log, C2 each room reaches the end of the log within a bound, C6 who asks is told all that anybody was told before.
 */
import * as Y from 'yjs'
import type { AppendEntry } from '../../persistence/store.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate, type UpdateScan } from '../../src/document/scan.ts'
import { canonical, type Ledger } from './ledger.ts'
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
  #samples = new Map<Following, Sample[]>()
  /** Rooms that have shown what the store has lost. */
  readonly #over = new WeakSet<Following>()
  #wentBackMs = Number.NEGATIVE_INFINITY

  constructor(parts: Parts) {
    this.#parts = parts
    const { database } = parts
    database.onAppended = entry => this.#appended(entry)
    database.onEnded = document => void this.#durable.delete(document)
    this.#look()
  }

  #appended({ document, record }: AppendEntry): void {
    const durable = this.#durable.get(document) ?? new ClockRuns()
    this.#durable.set(document, durable)
    for (const { update } of decodeRecord(record)) durable.addAll(scanUpdate(update).structs)
  }

  /** What nodes know of the store is of no use any more. */
  wentBack(): void {
    const { time, database, nodes } = this.#parts
    this.#wentBackMs = time.nowMs()
    this.#samples.clear()
    for (const following of nodes().flatMap(node => node.following)) {
      const [{ head } = { head: 0 }] = database.heads([{ document: following.document }])
      if (following.followed.visible > head) this.#over.add(following)
    }
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
  asks({ name, document, doc }: Page): () => void {
    const { ledgerOf, time } = this.#parts
    const ledger = ledgerOf(document)
    const owed = ledger.copy()
    const { timeline } = ledger
    return () => {
      const isOwed = ledgerOf(document) === ledger && ledger.timeline === timeline
      if (!isOwed || time.nowMs() < this.#wentBackMs + noticingMs) return
      owed.check(canonical([Y.encodeStateAsUpdate(doc)]), `${name}, as it joins,`)
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
      if (oldest.incarnation === now.incarnation && followed.visible < oldest.head)
        throw new Violation(`${name} shows ${document} up to ${followed.visible}, not ${oldest.head}`)
    }
    const last = samples.at(-1) ?? { ...now, isOver: this.#over.has(following) }
    const isOver = last.isOver || (last.incarnation !== null && last.incarnation !== now.incarnation)
    const kept = samples.filter(({ atMs }) => atMs > nowMs - boundMs())
    return [...kept, { atMs: nowMs, head: now.head, incarnation: now.incarnation, isOver }]
  }
}
