/**
 * Ending a document's life: one batch takes its head away and notes what is left of it, its history included; then that is
 * removed in steps. README.md says what a crash leaves after each.
 */
import { bounds } from './bounds.ts'
import { noteOf, putNote } from './checkpoints.ts'
import { encodeName, type Garbage, headKey, historyKey, numberMax } from './format.ts'
import { type GarbageNote, readHistoryNumber, sweep } from './garbage.ts'
import { markKey } from './history-format.ts'
import type { Operation, OrderedReader } from './ordered.ts'
import { markOperations } from './ordered-marks.ts'
import { asStoreError, type Writer } from './session.ts'
import type { Deletion } from './store.ts'
import { tombstoneOperations } from './tombstones.ts'
import { putCounters, type StoreParts } from './writing.ts'

/** As `Store.delete`. */
export async function deleteDocument(
  parts: StoreParts,
  document: string,
  deletion: Deletion
): Promise<boolean> {
  const { session } = parts
  const deleted = await session.write(writer => deleteInTurn(parts, writer, { document, deletion }))
  if (deleted === null) return false
  await sweepLater(parts, document, deleted)
  return true
}

/** What was noted, and the opening of the database in which it was. */
export type Left = {
  readonly notes: readonly GarbageNote[]
  readonly epoch: number
  /** By incarnation, for the space on the disk. */
  readonly freed: ReadonlyMap<number, number>
}

/** Never rejects: what could not be removed is hidden by its note and removed at the next opening. */
export async function sweepLater(parts: StoreParts, document: string, left: Left): Promise<void> {
  const { session, tidy, onReport } = parts
  const commit = (operations: readonly Operation[]) =>
    session.write(async writer => {
      // A reopening has swept already.
      if (session.epoch === left.epoch) await writer.batch(operations, 'synced')
    })
  try {
    for (const note of left.notes) await sweep({ read: work => session.read(work), commit }, note)
    for (const [incarnation, bytes] of left.freed) tidy.freed(session, incarnation, bytes)
  } catch (error) {
    onReport({ kind: 'removal-failed', document, cause: asStoreError(error) })
  }
}

/** Everything of an incarnation, or every blob of a history. */
export function wholeOf(incarnation: number): Garbage {
  const runs = [{ first: 0, last: numberMax }]
  return { incarnation, firstGeneration: 0, lastGeneration: numberMax, runs }
}

async function deleteInTurn(
  parts: StoreParts,
  writer: Writer,
  { document, deletion }: { readonly document: string; readonly deletion: Deletion }
): Promise<Left | null> {
  const { heads, state, session } = parts
  const beside = tombstoneOperations(document, deletion.tombstone)
  const head = await heads.get(writer, document)
  const present = head === null ? null : String(head.incarnation)
  if (deletion.incarnation !== undefined && deletion.incarnation !== present) return null
  if (head === null) {
    if (beside.length > 0) await writer.batch(beside, 'synced')
    return null
  }
  const { incarnation } = head
  const { nextIncarnation } = state.counters
  const sequenceFloor = Math.max(state.counters.sequenceFloor, head.lastSequence)
  const counters = { nextIncarnation, sequenceFloor }
  const past = await endOfHistory(writer, document, incarnation)
  const place = { incarnation: present, after: head.lastSequence }
  const marked = deletion.leavesMark === true ? await markOperations(writer, document, place) : []
  const notes = [noteOf(wholeOf(incarnation), numberMax, 'deleted'), ...past.notes]
  const remove: Operation = { type: 'del', key: headKey(encodeName(document)) }
  const put = [putCounters(counters), ...notes.map(putNote)]
  await writer.batch([remove, ...put, ...past.operations, ...beside, ...marked], 'synced')
  heads.forget(document)
  state.counters = counters
  const freed = new Map(notes.map(each => [each.garbage.incarnation, bounds.compactFreedBytesMin]))
  return { notes, epoch: session.epoch, freed }
}

/** What takes the history of a life away, if it has one, and the note of its blobs. */
export async function endOfHistory(
  reader: OrderedReader,
  document: string,
  incarnation: number
): Promise<{ readonly notes: GarbageNote[]; readonly operations: Operation[] }> {
  const history = await readHistoryNumber(reader, incarnation)
  if (history === null) return { notes: [], operations: [] }
  const operations: Operation[] = [
    { type: 'del', key: historyKey(encodeName(document)) },
    { type: 'del', key: markKey({ incarnation, history }) }
  ]
  return { notes: [noteOf(wholeOf(history), numberMax, 'deleted')], operations }
}
