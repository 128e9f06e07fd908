/** What was written to the logs of a run, record by record, and what it comes to: the plain truth that histories must tell. */
import * as Y from 'yjs'
import { kinds, sequenceOfRecordKey, unseal } from '../../persistence/format.ts'
import type { SimulatedWrite } from '../../persistence/simulated.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { plain } from '../history/seen.ts'

const recordLetter = 'r'.charCodeAt(0)

/** Of each life, its records by their numbers. */
export type TruthState = ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>

export class PastTruth {
  /** Of each life, by their numbers. What a crash has lost is written over by the next of its number. */
  readonly #lives = new Map<string, Map<number, Uint8Array>>()

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

  /** To go back to, as the store does. */
  stateNow(): TruthState {
    return new Map([...this.#lives].map(([incarnation, life]) => [incarnation, new Map(life)]))
  }

  goBack(state: TruthState): void {
    this.#lives.clear()
    for (const [incarnation, life] of state) this.#lives.set(incarnation, new Map(life))
  }

  /** Those up to a number, in order. */
  records(incarnation: string, upTo: number): { sequence: number; record: Uint8Array }[] {
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

/** All that can be seen of a document, and how far its clients have come. */
export function shownBy(updates: readonly Uint8Array[]): string {
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
  return JSON.stringify(shown, plain)
}
