/** Somebody who types into a document of a store, without a server. */
import * as Y from 'yjs'
import type { Store } from '../../persistence/store.ts'
import { encodeRecord } from '../../src/document/record.ts'
import type { Keeping } from './keeping.ts'
import { startMs } from './logs.ts'

/** A record for each word; two seconds between one and the next. */
export function writerOf(store: Store, { document = 'x', beginsMs = startMs } = {}) {
  const doc = new Y.Doc()
  let made: Uint8Array[] = []
  let words = 0
  doc.on('update', (update: Uint8Array) => made.push(update))
  const append = async (...updates: readonly Uint8Array[]) => {
    const timeMs = beginsMs + words++ * 2_000
    const author = { user: 'ann', connection: null, origin: 'client' as const }
    const record = encodeRecord(updates.map(update => ({ update, author, timeMs })))
    const [answer] = await store.append([{ document, record }])
    if (answer?.outcome !== 'written') throw new Error('not written')
    return answer.sequence
  }
  return {
    doc,
    append,
    /** So many letters from the end. */
    remove(count: number): Promise<number> {
      made = []
      doc.getText('t').delete(doc.getText('t').length - count, count)
      return append(...made)
    },
    /** The number of its record. */
    type(word: string): Promise<number> {
      made = []
      doc.getText('t').insert(doc.getText('t').length, word)
      return append(...made)
    },
    /** Its updates are kept from the store. */
    hold(word: string): Uint8Array {
      made = []
      doc.getText('t').insert(doc.getText('t').length, word)
      return Y.mergeUpdates(made)
    }
  }
}

/** Null: the history does not say. */
export async function textAt(keeping: Keeping, sequence: number, document = 'x'): Promise<string | null> {
  const update = await keeping.at(document, sequence)
  if (update === null) return null
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}
