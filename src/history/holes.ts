/** A history that could not go on: what lies between is not known, and it begins again with a checkpoint. */
import type { ClockRuns } from '../document/clocks.ts'
import type { Change, Kept, KeptHistories } from './kept.ts'
import { emptyManifest, type Manifest } from './manifest.ts'
import { endOf } from './past.ts'
import type { UpdatePlace } from './segment.ts'
import type { SealingWork } from './work.ts'

/** A checkpoint that is in the store. */
export type Compaction = {
  readonly incarnation: string
  readonly generation: number
  /** All records up to here are part of it, save those that wait or were refused. */
  readonly sequence: number
  /** Updates (V1) that together are the document. */
  readonly segments: readonly Uint8Array[]
  readonly structs: ClockRuns
  readonly deletes: ClockRuns
  /** Updates up to `sequence` that are not part of it, as they wait for what is unknown. */
  readonly waiting: readonly UpdatePlace[]
  /** When the last record came, since the epoch. */
  readonly timeMs: number
}

type Parts = { readonly kept: KeptHistories; readonly work: Pick<SealingWork, 'keyframe'> }

/** Null: it has gone on meanwhile, or the life is over. Rejects with what the store or the worker rejects with. */
export async function beginAgain(
  document: string,
  { compaction, reason }: { readonly compaction: Compaction; readonly reason: string },
  parts: Parts
): Promise<Kept | null> {
  const { incarnation, sequence, timeMs } = compaction
  const whole = await wholeOf(document, compaction, parts)
  return parts.kept.change(document, incarnation, ({ manifest, releasedTo }) => {
    if (sequence < Math.max(releasedTo, manifest.sealedTo)) return null
    const end = endOf(manifest)
    const hole = {
      afterSequence: end.sequence,
      toSequence: sequence,
      timeMs: Math.max(end.timeMs, timeMs),
      reason
    }
    return whole.after({ ...manifest, offSinceMs: null, holes: [...manifest.holes, hole] })
  })
}

/** Begins a history with this checkpoint. As `beginAgain`. */
export async function beginWith(
  document: string,
  compaction: Compaction,
  parts: Parts
): Promise<Kept | null> {
  const { incarnation, sequence, timeMs } = compaction
  const whole = await wholeOf(document, compaction, parts)
  return parts.kept.begin(document, incarnation, whole.after(emptyManifest({ sequence, timeMs })))
}

async function wholeOf(document: string, compaction: Compaction, { kept, work }: Parts) {
  const { generation, sequence, segments, waiting } = compaction
  const made = await work.keyframe({ document, updates: segments })
  const documentBytes = segments.reduce((sum, { length }) => sum + length, 0)
  const pins = [...new Set(waiting.map(place => place.sequence))].sort((one, other) => one - other)
  return {
    /** The history goes on from the checkpoint. */
    after: (manifest: Manifest): Change => {
      const [keyframe, known] = [kept.newBlob(made.keyframe), kept.newBlob(made.known)]
      const timeMs = Math.max(endOf(manifest).timeMs, compaction.timeMs)
      return {
        manifest: {
          ...manifest,
          keyframes: [...manifest.keyframes, { ...keyframe.entry, sequence, timeMs }],
          ...{ sealedTo: sequence, known: known.entry, waiting, documentBytes },
          refused: manifest.refused.filter(each => each.sequence > sequence || pins.includes(each.sequence))
        },
        ...{ blobs: [keyframe.blob, known.blob], releasedTo: sequence, pins, checkpoint: generation }
      }
    }
  }
}
