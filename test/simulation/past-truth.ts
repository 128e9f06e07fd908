/** What was written to the logs of a run, record by record, and what it comes to: the plain truth that histories must tell. */
import * as Y from 'yjs'
import type { Author } from '../../persistence/author.ts'
import { kinds, sequenceOfRecordKey, unseal } from '../../persistence/format.ts'
import type { SimulatedWrite } from '../../persistence/simulated.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { plain } from '../history/seen.ts'

const recordLetter = 'r'.charCodeAt(0)

export type TruthRecord = { readonly sequence: number; readonly record: Uint8Array }

/** Of each life, by their numbers. */
export type Lives = ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>

export class PastTruth {
  /** Of each life, by their numbers. What a crash has lost is written over by the next of its number. */
  #lives = new Map<string, Map<number, Uint8Array>>()

  wrote(incarnation: string, sequence: number, record: Uint8Array): void {
    const life = this.#lives.get(incarnation) ?? new Map<number, Uint8Array>()
    this.#lives.set(incarnation, life)
    life.set(sequence, record.slice())
  }

  /** The records among the keys of an ordered store. */
  wroteBatch({ operations }: Pick<SimulatedWrite, 'operations'>): void {
    for (const each of operations) {
      if (each.type !== 'put' || each.key[0] !== recordLetter) continue
      const unsealed = unseal(each.key, kinds.record, each.value)
      if ('damage' in unsealed) throw new Error('the store writes a damaged record')
      this.wrote(String(each.key.readUIntBE(1, 6)), sequenceOfRecordKey(each.key), unsealed.body)
    }
  }

  livesNow(): Lives {
    return new Map([...this.#lives].map(([incarnation, life]) => [incarnation, new Map(life)]))
  }

  /** The store went back: what it had then is all there is, whatever has the same numbers since. */
  wentBack(lives: Lives): void {
    this.#lives = new Map([...lives].map(([incarnation, life]) => [incarnation, new Map(life)]))
  }

  /** Those up to a number, in order. */
  records(incarnation: string, upTo: number): TruthRecord[] {
    return [...(this.#lives.get(incarnation) ?? [])]
      .filter(([sequence]) => sequence <= upTo)
      .sort(([one], [other]) => one - other)
      .map(([sequence, record]) => ({ sequence, record }))
  }

  /** What the document showed after a record. */
  at(incarnation: string, sequence: number): string {
    return shownBy(this.records(incarnation, sequence).flatMap(({ record }) => updatesOf(record)))
  }
}

function updatesOf(record: Uint8Array): Uint8Array[] {
  return decodeRecord(record).map(({ update }) => update)
}

/** What is shown after these records. */
export function contentsBy(records: readonly (TruthRecord | Uint8Array)[]): string {
  const updates = records.flatMap(each => (each instanceof Uint8Array ? [each] : updatesOf(each.record)))
  const { vector: _, ...contents } = seenIn(updates)
  return JSON.stringify(contents, plain)
}

/**
 * Whether the end of the first `count` records is a moment of its own, wherever it is sealed: nothing of the second of the last
 * follows. (Changes of one second and author are one, which comes with its last record.) `isOf`: whose changes matter.
 */
export function isApartAfter(
  records: readonly TruthRecord[],
  count: number,
  isOf: (author: Author | null) => boolean = () => true
): boolean {
  const secondsOf = ({ record }: TruthRecord) => {
    const theirs = decodeRecord(record).filter(({ author }) => isOf(author))
    return theirs.map(({ timeMs }) => Math.floor(timeMs / 1000))
  }
  const last = Math.max(0, ...records.slice(0, count).flatMap(secondsOf))
  return records
    .slice(count)
    .flatMap(secondsOf)
    .every(second => second > last)
}

/** All that can be seen of a document, and how far its clients have come. */
export function shownBy(updates: readonly Uint8Array[]): string {
  return JSON.stringify(seenIn(updates), plain)
}

function seenIn(updates: readonly Uint8Array[]) {
  const doc = new Y.Doc({ guid: 'past' })
  Y.applyUpdate(doc, Y.mergeUpdates([...updates, Uint8Array.of(0, 0)]))
  const shown = {
    text: doc.getText('text').toDelta(),
    rich: doc.getText('rich').toDelta(),
    array: doc.getArray('array').toJSON(),
    planted: doc.getArray('planted').toJSON(),
    ...Object.fromEntries(['map', 'left', 'right', 'lists'].map(name => [name, doc.getMap(name).toJSON()])),
    xml: doc.getXmlFragment('xml').toString(),
    vector: [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b)
  }
  doc.destroy()
  return shown
}
