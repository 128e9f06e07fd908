/** Which records a history still needs, and how they are handed out: the same for all stores here. */
import type { HistoryRecord, StoredHistory, UnreleasedRecords } from './history.ts'
import type { DamageReport, RecordIdentity, RecordLimits } from './log-record.ts'

/** Whether the history has no need of a record any more. Pins are few, or the search by halves is quick. */
export function isReleased(history: Pick<StoredHistory, 'releasedTo' | 'pins'>, sequence: number): boolean {
  return sequence <= history.releasedTo && !isPinned(history.pins, sequence)
}

/** `pins`: ascending. O(log pins). */
export function isPinned(pins: readonly number[], sequence: number): boolean {
  let low = 0
  let high = pins.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((pins[middle] ?? 0) < sequence) low = middle + 1
    else high = middle
  }
  return pins[low] === sequence
}

/** Whether `through` names another record than the one that is there; nothing is named by null. */
export function isOther(through: RecordIdentity | null | undefined, present: RecordIdentity | null): boolean {
  if (through == null) return false
  return through.node !== present?.node || through.batch !== present.batch
}

/**
 * A page of what is needed, within its limits. `stored`: in order, no more of it is read than is needed; a damaged one
 * fills no page, so that a page without records is always the end.
 */
export async function unreleasedOf(
  stored: AsyncIterable<HistoryRecord | DamageReport> | Iterable<HistoryRecord | DamageReport>,
  { head, limits }: { readonly head: number; readonly limits: RecordLimits }
): Promise<UnreleasedRecords> {
  const records: HistoryRecord[] = []
  const damaged: DamageReport[] = []
  let bytes = 0
  for await (const each of stored) {
    if ('reason' in each) {
      damaged.push(each)
      continue
    }
    records.push(each)
    bytes += each.record.length
    if (records.length >= limits.records || bytes >= limits.bytes) break
  }
  return { outcome: 'records', records, damaged, head }
}
