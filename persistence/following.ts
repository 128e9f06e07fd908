/** Picks the records that follow a position out of those a log holds, within limits: see `Store.recordsAfter`. */
import type { RecordLimits, RecordsAfter, StoredRecord } from './store.ts'

type Walk = {
  readonly after: number
  readonly head: number
  readonly limits: RecordLimits
}

/** `stored`: what the log holds above `after`, in order; no more of it is read than is needed. */
export async function following(
  stored: AsyncIterable<StoredRecord> | Iterable<StoredRecord>,
  { after, head, limits }: Walk
): Promise<RecordsAfter> {
  if (after > head) return { outcome: 'missing' }
  const records: StoredRecord[] = []
  let bytes = 0
  for await (const each of stored) {
    if (each.sequence !== after + records.length + 1) break
    records.push(each)
    bytes += each.record.length
    if (records.length >= limits.records || bytes >= limits.bytes) break
  }
  if (records.length === 0 && after < head) return { outcome: 'missing' }
  return { outcome: 'records', records, head }
}
