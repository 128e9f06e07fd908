/**
 * What sealing has done in a worker, as it has to be asked for: everything that compresses, loads a document, or walks
 * thousands of updates. All updates and states go as bytes.
 */
import type { HistoryJobs, SealedMessage, SealMessage } from './jobs.ts'
import type { Segment } from './segment.ts'
import type { HistoryWorkers } from './workers.ts'

/** A job of a document's history. */
type Of<Job> = Job & { readonly document: string }

export type SealWork = Of<SealMessage>
export type SealedWork = SealedMessage

/** A keyframe, and what it holds as `encodeKnown` writes it. */
export type KeyframeWork = HistoryJobs['keyframe']['result']

/** A whole state (as `packUpdate` keeps it; null: nothing) and the segments after it. */
export type PastWork = {
  readonly document: string
  readonly keyframe: Uint8Array | null
  readonly segments: readonly Segment[]
}

/**
 * Every job rejects with ERR_DEADLINE, ERR_OVERLOADED, ERR_INTERNAL when the worker died or the job failed, ERR_GOING_DOWN
 * after it was closed, and ERR_BAD_MESSAGE or ERR_UPDATE_MALFORMED for what cannot be read.
 */
export type SealingWork = {
  seal(job: SealWork): Promise<SealedWork>
  merge(job: Of<HistoryJobs['merge']['job']>): Promise<Segment | null>
  /** As `keyframeOf`: of updates (V1) that together are the whole document. */
  keyframe(job: Of<HistoryJobs['keyframe']['job']>): Promise<KeyframeWork>
  /** As `keyframeAfter`. */
  keyframeAfter(job: PastWork): Promise<KeyframeWork>
}

/** The same in the threads of histories. */
export function sealingWork(workers: Pick<HistoryWorkers, 'ask'>): SealingWork {
  return {
    seal: ({ document, ...job }) => workers.ask('seal', { document, job: async () => job }),
    merge: ({ document, ...job }) => workers.ask('merge', { document, job: async () => job }),
    keyframe: ({ document, ...job }) => workers.ask('keyframe', { document, job: async () => job }),
    keyframeAfter: ({ document, keyframe, segments }) =>
      workers.ask('keyframeAfter', { document, job: async () => ({ from: keyframe, segments }) })
  }
}
