/** The program of the worker threads for what would hold the event loop. It keeps nothing between jobs. */
import { encodeCheckpointMeta } from './checkpoint.ts'
import { type CompactionOptions, compactRecords, type RefusedEntry, timeLoad } from './compact.ts'
import { contentsJson, contentsText, type RootTypes } from './contents.ts'
import { heldBackFrames } from './held-back.ts'
import { type PackedUpdates, unpackUpdates } from './packed-updates.ts'
import { joinSegments } from './segments.ts'
import { diffUpdate } from './splice.ts'
import { answerJobs, clockOfThread } from './worker-thread.ts'

export type DiffMessage = {
  readonly segments: PackedUpdates
  readonly vector: ReadonlyMap<number, number>
}

export type CompactMessage = {
  readonly segments: PackedUpdates
  readonly records: PackedUpdates
  readonly options: CompactionOptions
}

/** What is wanted of a document: JSON of root types, or the text of one. */
export type ContentsQuestion =
  | { readonly as: 'json'; readonly types: RootTypes; readonly bytesMax: number }
  | { readonly as: 'text'; readonly name: string; readonly bytesMax: number }

export type WorkerJob =
  | { readonly type: 'compact'; readonly job: CompactMessage }
  | { readonly type: 'diff'; readonly job: DiffMessage }
  | {
      readonly type: 'heldBack'
      readonly job: { readonly update: Uint8Array<ArrayBuffer>; readonly frameBytesMax: number }
    }
  | {
      readonly type: 'contents'
      readonly job: { readonly segments: PackedUpdates; readonly question: ContentsQuestion }
    }
  | { readonly type: 'load'; readonly job: { readonly update: Uint8Array<ArrayBuffer> } }

/** A compaction's result with its metadata encoded: sets of clocks do not cross threads. */
export type CompactedMessage = {
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
  readonly pending: readonly number[]
  readonly refused: readonly RefusedEntry[]
}

export type WorkerAnswer =
  | { readonly type: 'compact'; readonly result: CompactedMessage }
  | { readonly type: 'diff'; readonly result: Uint8Array }
  | { readonly type: 'contents'; readonly result: Uint8Array }
  | { readonly type: 'heldBack'; readonly result: readonly Uint8Array[] }
  | { readonly type: 'load'; readonly result: number }

answerJobs<WorkerJob, WorkerAnswer>({ run, bytesOf })

function run(message: WorkerJob): WorkerAnswer {
  switch (message.type) {
    case 'compact': {
      const { segments, records, options } = message.job
      const job = { segments: unpackUpdates(segments), records: unpackUpdates(records), ...options }
      const { meta, ...rest } = compactRecords(job)
      return { type: 'compact', result: { meta: encodeCheckpointMeta(meta), ...rest } }
    }
    case 'diff': {
      const { segments, vector } = message.job
      return { type: 'diff', result: diffUpdate(joinSegments(unpackUpdates(segments)), vector) }
    }
    case 'heldBack':
      return { type: 'heldBack', result: heldBackFrames(message.job.update, message.job.frameBytesMax) }
    case 'contents': {
      const { segments, question } = message.job
      return { type: 'contents', result: contents(joinSegments(unpackUpdates(segments)), question) }
    }
    case 'load':
      return { type: 'load', result: timeLoad(message.job.update, clockOfThread()) }
    default:
      return message satisfies never
  }
}

function contents(update: Uint8Array, question: ContentsQuestion): Uint8Array {
  if (question.as === 'json') return contentsJson(update, question.types, question.bytesMax)
  return contentsText(update, question.name, question.bytesMax)
}

/** Each is a buffer of its own. */
function bytesOf(answer: WorkerAnswer): readonly Uint8Array[] {
  switch (answer.type) {
    case 'compact':
      return [answer.result.meta, ...answer.result.segments]
    case 'diff':
    case 'contents':
      return [answer.result]
    case 'heldBack':
      return answer.result
    case 'load':
      return []
    default:
      return answer satisfies never
  }
}
