/** Random logs of a document: edits of several people, some of which come late, again, or as the whole state of somebody. */
import * as Y from 'yjs'
import { encodeRecord, type LoggedUpdate } from '../../src/document/record.ts'
import type { StoredRecord } from '../../src/history/segment.ts'
import { createHistory, type Random } from '../document/random-docs.ts'

export const startMs = 1_700_000_000_000

/** A log of random edits; some come late, some again, some as the whole state of somebody who collects garbage. */
export function logOf(random: Random, { steps }: { steps: number }): LoggedUpdate[] {
  const { updates, docs } = createHistory(random, { clients: 3, steps, syncRate: 0.3 })
  const log: Uint8Array[] = []
  const late: Uint8Array[] = []
  for (const update of updates) {
    if (random.next() < 0.1) late.push(update)
    else log.push(update)
    if (random.next() < 0.3 && late.length > 0)
      log.push(late.splice(random.below(late.length), 1)[0] as Uint8Array)
    if (random.next() < 0.05) log.push(random.pick(updates.slice(0, log.length + 1)))
    if (random.next() < 0.02) log.push(Y.mergeUpdates([...log].slice(-1 - random.below(8))))
  }
  log.push(...late)
  for (const doc of docs) log.push(Y.encodeStateAsUpdate(doc))
  return log.map((update, index) => {
    const author = { user: `user ${index % 3}`, connection: `c${index % 5}`, origin: 'client' as const }
    return { update, author, timeMs: startMs + index * 400 }
  })
}

/** One to three updates in each. */
export function recordsOf(random: Random, log: readonly LoggedUpdate[]): StoredRecord[] {
  const records: StoredRecord[] = []
  for (let at = 0; at < log.length; ) {
    const count = 1 + random.below(3)
    records.push({ sequence: records.length + 1, record: encodeRecord(log.slice(at, at + count)) })
    at += count
  }
  return records
}
