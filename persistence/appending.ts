/**
 * Appending: one batch per call, one put per entry once the document exists. This is the hot path of the
 * server.
 */
import { checkValue } from './arguments.ts'
import { bounds } from './bounds.ts'
import { encodeName, type Head, kinds, recordKey, seal } from './format.ts'
import type { BatchDurability, Operation } from './ordered.ts'
import type { Writer } from './session.ts'
import { type AppendEntry, StoreError } from './store.ts'
import { birth, putCounters, putHead, type StoreParts } from './writing.ts'

/** As `Store.append`, with how durable a batch is that creates no document. */
export function append(
  parts: StoreParts,
  entries: readonly AppendEntry[],
  durability: BatchDurability
): Promise<number[]> {
  if (entries.length === 0) return Promise.resolve([])
  checkEntries(parts, entries)
  return parts.session.write(writer => appendInTurn(parts, writer, entries, durability))
}

function checkEntries(parts: StoreParts, entries: readonly AppendEntry[]): void {
  if (entries.length > bounds.appendEntriesMax) {
    throw new StoreError('STORE_ARGUMENT', `An append has at most ${bounds.appendEntriesMax} entries`)
  }
  for (const { document, record } of entries) {
    // A name in the cache was checked when it came in.
    if (parts.heads.cached(document) === undefined) encodeName(document)
    checkValue(record)
  }
}

async function appendInTurn(
  parts: StoreParts,
  writer: Writer,
  entries: readonly AppendEntry[],
  durability: BatchDurability
): Promise<number[]> {
  const operations: Operation[] = []
  const sequences: number[] = []
  const changed = new Map<string, Head>()
  let { counters } = parts.state
  for (const { document, record } of entries) {
    let head =
      changed.get(document) ?? parts.heads.cached(document) ?? (await parts.heads.get(writer, document))
    if (head === null) {
      const born = birth(counters)
      head = born.head
      counters = born.counters
      operations.push(putHead(document, head))
    }
    const sequence = head.lastSequence + 1
    changed.set(document, { ...head, lastSequence: sequence })
    sequences.push(sequence)
    const key = recordKey(head.incarnation, sequence)
    operations.push({ type: 'put', key, value: seal(key, kinds.record, record) })
  }
  const isBirth = counters !== parts.state.counters
  if (isBirth) operations.push(putCounters(counters))
  // A birth is always synced: an incarnation number lost in a crash would be given to two documents.
  await writer.batch(operations, isBirth ? 'synced' : durability)
  parts.state.counters = counters
  for (const [document, head] of changed) parts.heads.set(document, head)
  return sequences
}
