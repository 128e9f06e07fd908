/**
 * What the worker threads of histories are asked, and what they answer. Everything in it can be sent to a thread: bytes,
 * numbers, texts and plain objects.
 */
import type { Author } from '../../persistence/author.ts'
import type { RootKind } from '../document/contents.ts'
import type { ActivityQuestion } from './activity.ts'
import type { Moment } from './moment.ts'
import type { Segment, StoredRecord, UpdatePlace } from './segment.ts'
import type { Change } from './timeline.ts'

export type { RootKind } from '../document/contents.ts'

/** As `SealJob`. `known`: as `encodeKnown` gives it; null: nothing is. */
export type SealMessage = {
  readonly known: Uint8Array | null
  readonly records: readonly StoredRecord[]
  readonly refused: readonly UpdatePlace[]
  /** Sequence numbers of records at whose end a moment is to be found exactly. */
  readonly exact: readonly number[]
  readonly after: Pick<Change, 'sequence' | 'timeMs'>
}

/** As `Sealed`. */
export type SealedMessage = {
  readonly segment: Segment | null
  readonly known: Uint8Array
  readonly waiting: readonly UpdatePlace[]
}

/** What came after the last segment: the records that are not sealed. */
export type UnsealedMessage = Omit<SealMessage, 'exact'>

/** `body`: null where it is not needed, or pruned. */
export type SegmentMessage = Pick<Segment, 'firstSequence' | 'lastSequence' | 'firstMs' | 'timeline'> & {
  readonly body: Uint8Array | null
}

/** Segments in order, all that the question is about; for who wrote what stands, all there are. */
export type PastMessage = {
  readonly segments: readonly SegmentMessage[]
  readonly unsealed: UnsealedMessage | null
}

/** `bytes`: as `packUpdate` gives it; `sequence`: what is sealed up to there is part of it. */
export type KeyframeMessage = { readonly sequence: number; readonly bytes: Uint8Array }

/** `from`: where the moment is counted from; the bodies after it are there. Null: from an empty document. */
export type MomentMessage = { readonly from: KeyframeMessage | null; readonly moment: Moment }

/** `is`: null: the same as `was`, a blame. `roots`: null: all there are. Larger than `answerBytesMax`: ERR_ANSWER_TOO_LARGE. */
export type DifferencesMessage = {
  readonly past: PastMessage
  readonly was: MomentMessage
  readonly is: MomentMessage | null
  /** As `encodeCopies` gives them. */
  readonly copies: readonly Uint8Array[]
  readonly roots: readonly string[] | null
  readonly answerBytesMax: number
}

/** What restores and undos have in common. */
export type TakeBackMessage = {
  readonly past: PastMessage
  /** The document as it is, as updates (V1). */
  readonly now: readonly Uint8Array[]
  /** Of all restores so far, as `encodeCopies` gives them. */
  readonly copies: readonly Uint8Array[]
  /** As in a RestoreJob. */
  readonly client: number
  readonly roots: readonly string[] | null
}

/** As `Restored`. `copies`: as `encodeCopies` gives them; null: none. */
export type RestoredMessage = { readonly update: Uint8Array | null; readonly copies: Uint8Array | null }

export type HistoryJobs = {
  readonly seal: { readonly job: SealMessage; readonly result: SealedMessage }
  readonly merge: { readonly job: { readonly segments: readonly Segment[] }; readonly result: Segment | null }
  /** As `keyframeOf`. */
  readonly keyframe: {
    readonly job: { readonly updates: readonly Uint8Array[] }
    readonly result: { readonly keyframe: Uint8Array; readonly known: Uint8Array }
  }
  /** As `keyframeAfter`. `from`: null: the document was empty before the first segment. */
  readonly keyframeAfter: {
    readonly job: { readonly from: Uint8Array | null; readonly segments: readonly Segment[] }
    readonly result: { readonly keyframe: Uint8Array; readonly known: Uint8Array }
  }
  /** The document as an update (V1). */
  readonly at: {
    readonly job: { readonly past: PastMessage; readonly at: MomentMessage }
    readonly result: Uint8Array
  }
  /** JSON of root types by their names, as UTF-8. */
  readonly json: {
    readonly job: {
      readonly past: PastMessage
      readonly at: MomentMessage
      readonly types: Readonly<Record<string, RootKind>>
      readonly answerBytesMax: number
    }
    readonly result: Uint8Array
  }
  /** `Activity` as JSON. */
  readonly activity: {
    readonly job: { readonly past: PastMessage; readonly question: ActivityQuestion }
    readonly result: Uint8Array
  }
  /** JSON, as `DifferencesWriter` writes it. */
  readonly differences: { readonly job: DifferencesMessage; readonly result: Uint8Array }
  readonly restore: {
    readonly job: TakeBackMessage & { readonly at: MomentMessage }
    readonly result: RestoredMessage
  }
  /** Takes back what `user`, or `connection`, did after one moment and up to another; `upTo.from` is not of after the first. */
  readonly undo: {
    readonly job: TakeBackMessage & {
      readonly after: Moment
      readonly upTo: MomentMessage
      readonly by: Pick<Author, 'user'> | Pick<Author, 'connection'>
    }
    readonly result: RestoredMessage
  }
}

export type HistoryJobName = keyof HistoryJobs

/** A job with its name. */
export type HistoryJob = {
  readonly [N in HistoryJobName]: { readonly type: N } & Pick<HistoryJobs[N], 'job'>
}[HistoryJobName]

export type HistoryAnswer = {
  readonly [N in HistoryJobName]: { readonly type: N } & Pick<HistoryJobs[N], 'result'>
}[HistoryJobName]
