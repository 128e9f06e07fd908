/** Records that a history has not sealed yet, a page at a time, so that a log of any length costs the memory of a page. */
import type { HistoryRecord, HistoryStore } from '../../persistence/history.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { recordHead } from '../document/record.ts'
import type { Kept } from './kept.ts'

type PageLimits = Pick<
  Limits,
  'historySegmentBytesMax' | 'historySegmentUpdatesMax' | 'historyWaitingBytesMax'
>

type Parts = { readonly store: HistoryStore; readonly limits: PageLimits }

/** `sealedTo`: with these records all up to this number are sealed. */
export type Page = { readonly records: readonly HistoryRecord[]; readonly sealedTo: number }

/**
 * The next records after what is sealed, up to a number. Null: the life is over. ERR_DOCUMENT_DAMAGED where one cannot be
 * read.
 */
export async function nextPage(
  document: string,
  { kept, upTo }: { readonly kept: Kept; readonly upTo: number },
  { store, limits }: Parts
): Promise<Page | null> {
  const { historySegmentBytesMax: bytes, historySegmentUpdatesMax: updatesMax } = limits
  const { sealedTo } = kept.manifest
  const answer = await store.unreleased(document, kept.incarnation, sealedTo, { records: updatesMax, bytes })
  if (answer.outcome === 'gone') return null
  refuseDamaged(answer.damaged.filter(({ sequence }) => sequence > sealedTo && sequence <= upTo))
  const within = answer.records.filter(({ sequence }) => sequence <= upTo)
  const records = firstUpdates(within, updatesMax)
  const last = records.at(-1)
  const isEnd =
    last === undefined || (records.length === within.length && within.length < answer.records.length)
  return { records, sealedTo: isEnd ? upTo : last.sequence }
}

/** The records that wait in the history. Null: the life is over. ERR_DOCUMENT_DAMAGED when there are too many bytes of them. */
export async function waitingRecords(
  document: string,
  { incarnation, manifest, pins }: Kept,
  { store, limits }: Parts
): Promise<readonly HistoryRecord[] | null> {
  const bytesMax = limits.historyWaitingBytesMax
  const found: HistoryRecord[] = []
  let bytes = 0
  while (found.length < pins.length) {
    const after = found.at(-1)?.sequence ?? 0
    const asked = { records: pins.length - found.length, bytes: bytesMax }
    const answer = await store.unreleased(document, incarnation, after, asked)
    if (answer.outcome === 'gone') return null
    refuseDamaged(answer.damaged.filter(({ sequence }) => sequence <= manifest.sealedTo))
    const pinned = answer.records.filter(({ sequence }) => sequence <= manifest.sealedTo)
    found.push(...pinned)
    bytes = pinned.reduce((sum, { record }) => sum + record.length, bytes)
    if (bytes > bytesMax) throw new Fault('ERR_DOCUMENT_DAMAGED', `${bytes} bytes wait for what is unknown`)
    if (pinned.length < answer.records.length || pinned.length === 0) break
  }
  return found
}

/**
 * The last record that a checkpoint has replaced, of those that are not sealed; null: there is none. What comes after it no
 * compaction has judged yet. It reads them all.
 */
export async function lastReplaced(
  document: string,
  { incarnation, manifest }: Kept,
  { store, limits }: Parts
): Promise<number | null> {
  const { historySegmentBytesMax: bytes, historySegmentUpdatesMax: records } = limits
  let last: number | null = null
  for (let after = manifest.sealedTo; ; ) {
    const answer = await store.unreleased(document, incarnation, after, { records, bytes })
    if (answer.outcome === 'gone') return null
    last = answer.records.findLast(({ isReplaced }) => isReplaced)?.sequence ?? last
    const end = answer.records.at(-1)?.sequence
    if (end === undefined || end >= answer.head) return last
    after = end
  }
}

function refuseDamaged(damaged: readonly { readonly sequence: number; readonly reason: string }[]): void {
  const [first] = damaged
  if (first === undefined) return
  throw new Fault('ERR_DOCUMENT_DAMAGED', `record ${first.sequence} cannot be read: ${first.reason}`)
}

/** At least one. */
function firstUpdates(records: readonly HistoryRecord[], updatesMax: number): readonly HistoryRecord[] {
  let updates = 0
  const end = records.findIndex(({ record }, index) => {
    updates += recordHead(record).updates
    return index > 0 && updates > updatesMax
  })
  return end === -1 ? records : records.slice(0, end)
}
