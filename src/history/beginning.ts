/**
 * Where a history begins. That of a document which is older begins with its checkpoint and the records since. Where it
 * cannot be told which those are, it begins with the next checkpoint.
 */
import type { LoadedDocument } from '../../persistence/store.ts'
import type { Slices } from '../base/slices.ts'
import { decodeRecord, recordHead } from '../document/record.ts'
import { scanInSteps } from '../document/scan.ts'
import type { Steps } from '../document/steps.ts'
import type { Kept, KeptHistories } from './kept.ts'
import { readKnown } from './known.ts'
import { emptyManifest } from './manifest.ts'
import type { SealingWork } from './work.ts'

/** A document as it was loaded, with a life and records in its log. */
export type Log = Pick<LoadedDocument, 'head' | 'checkpoint' | 'records'>

type Parts = {
  readonly kept: KeptHistories
  readonly work: Pick<SealingWork, 'keyframe'>
  readonly slices: Slices
}

/**
 * Begins the history of this life, if it has none and its checkpoint is still this one. Null: it is not so, or records of the
 * log are part of the checkpoint. Rejects with what the store or the worker rejects with.
 */
export async function beginHistory(
  document: string,
  { incarnation, log }: { readonly incarnation: string; readonly log: Log },
  { kept, work, slices }: Parts
): Promise<Kept | null> {
  const { checkpoint, records } = log
  const releasedTo = (records[0]?.sequence ?? log.head + 1) - 1
  const shared = { releasedTo, pins: [], checkpoint: checkpoint?.generation ?? 0 }
  if (checkpoint === null) {
    const beginsAt = { sequence: releasedTo, timeMs: timeAfter(releasedTo, log) }
    return kept.begin(document, incarnation, { manifest: emptyManifest(beginsAt), ...shared })
  }
  const made = await work.keyframe({ document, updates: checkpoint.segments })
  if (await slices.run(touches(records, made.known), null)) return null
  const sequence = coveredTo(log)
  const beginsAt = { sequence, timeMs: timeAfter(sequence, log) }
  const [keyframe, known] = [kept.newBlob(made.keyframe), kept.newBlob(made.known)]
  const manifest = {
    ...{ ...emptyManifest(beginsAt), sealedTo: releasedTo, known: known.entry },
    keyframes: [{ ...keyframe.entry, ...beginsAt }],
    documentBytes: checkpoint.segments.reduce((sum, { length }) => sum + length, 0)
  }
  return kept.begin(document, incarnation, { manifest, blobs: [keyframe.blob, known.blob], ...shared })
}

/**
 * The last record that the checkpoint stands for. Records below it may be in the log, as they wait for something. Those that
 * follow it are there up to the head without a gap.
 */
function coveredTo({ head, records }: Log): number {
  let covered = head
  for (let at = records.length - 1; at >= 0 && records[at]?.sequence === covered; at--) covered--
  return covered
}

/** Whether some of it is known: a record that stayed, as something of it waits, or one that repeats what was there. */
function* touches(records: Log['records'], known: Uint8Array): Steps<boolean> {
  const { vector, deletes } = yield* readKnown(known)
  for (const { record } of records) {
    for (const { update } of decodeRecord(record)) {
      const scan = yield* scanInSteps(update)
      if (scan.structs.some(({ client, clock }) => clock < (vector.get(client) ?? 0))) return true
      if (scan.deletes.some(range => deletes.touches(range))) return true
      yield
    }
  }
  return false
}

/** When the first record came after this one: what was before is not known. */
function timeAfter(sequence: number, { records }: Log): number {
  const first = records.find(each => each.sequence > sequence) ?? records.at(-1)
  return first === undefined ? 0 : recordHead(first.record).timeMs
}
