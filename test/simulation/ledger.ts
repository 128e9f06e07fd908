/**
 * What the server owes: every struct and deletion of a document that a replica has seen or was told is durable. No
 * crash may take any of it back.
 */
import * as Y from 'yjs'
import type { LoadedDocument } from '../../persistence/store.ts'
import { ClockRuns } from '../../src/document/clocks.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { type ClockRange, scanUpdate, type UpdateScan } from '../../src/document/scan.ts'
import { Violation } from './trace.ts'

export class Ledger {
  #structs = new ClockRuns()
  #deletes = new ClockRuns()
  #timeline = 0
  #isStored: ((range: ClockRange) => boolean) | null = null

  /** Changes when the store went back: what was owed before is not owed any more. */
  get timeline(): number {
    return this.#timeline
  }

  /**
   * The store went back, and holds this. What else clients have seen is owed once they have brought it back. Until `trust`,
   * what was written before may still be shown and acknowledged: of that, what `isStored` knows is owed.
   */
  beginAgain(stored: UpdateScan, isStored: (range: ClockRange) => boolean): void {
    this.#structs = new ClockRuns()
    this.#deletes = new ClockRuns()
    this.#timeline++
    this.#isStored = null
    this.owes(stored)
    this.#isStored = isStored
  }

  /** Everybody knows by now of what began with this timeline. */
  trust(timeline: number): void {
    if (timeline === this.#timeline) this.#isStored = null
  }

  /** What is owed by now. */
  copy(): Ledger {
    const copy = new Ledger()
    copy.#structs = this.#structs.clone()
    copy.#deletes = this.#deletes.clone()
    return copy
  }

  owes({ structs, deletes }: Pick<UpdateScan, 'structs' | 'deletes'>): void {
    const isStored = this.#isStored
    this.#structs.addAll(isStored === null ? structs : structs.filter(isStored))
    if (isStored === null) this.#deletes.addAll(deletes)
  }

  /**
   * The same of a document that is open: what it holds, pending or not, is all in its encoded form. Loading that once more
   * shows what is deleted by integrating what is pending: dear, and seldom owed.
   */
  checkOpen(doc: Y.Doc, where: string): void {
    const update = Y.encodeStateAsUpdate(doc)
    const { structs, deletes } = scanUpdate(update)
    if (missing(this.#structs, structs) === null && missing(this.#deletes, deletes) === null) return
    this.check(canonical([update]), where)
  }

  /** Throws a Violation when a document, encoded with all that is pending, lacks something owed. */
  check(update: Uint8Array, where: string): void {
    const { structs, deletes } = scanUpdate(update)
    const lacking = missing(this.#structs, structs)
    if (lacking !== null) throw new Violation(`${where} lacks structs seen or acknowledged: ${lacking}`)
    const undeleted = missing(this.#deletes, deletes)
    if (undeleted !== null) throw new Violation(`${where} lacks deletions seen or acknowledged: ${undeleted}`)
  }
}

function missing(owed: ClockRuns, found: readonly ClockRange[]): string | null {
  const rest = owed.subtract(ClockRuns.from(found))
  if (rest.clientCount === 0) return null
  return [...rest.ranges()].map(({ client, clock, length }) => `${client}:${clock}+${length}`).join(' ')
}

/** What a store has of a document, as Yjs reads it, pending structs and deletions included. */
export function storedUpdate({ checkpoint, records }: LoadedDocument): Uint8Array {
  const updates = records.flatMap(({ record }) => decodeRecord(record).map(({ update }) => update))
  return canonical([...(checkpoint?.segments ?? []), ...updates])
}

/**
 * One form for all documents that say the same: loaded at once into a fresh document, which merges what can be merged
 * and integrates what can be integrated. (Yjs does not retry everything pending when updates come one by one.)
 */
export function canonical(updates: readonly Uint8Array[]): Uint8Array {
  const doc = new Y.Doc({ guid: 'canonical' })
  Y.applyUpdate(doc, Y.mergeUpdates([...updates, Uint8Array.of(0, 0)]))
  const state = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return state
}
