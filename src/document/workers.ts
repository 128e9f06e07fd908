/**
 * What is done in worker threads, because it would hold the event loop: compactions have threads of their own, joins
 * and reads others, so that none of them waits for a compaction. Of each there is one for what is quick and one for
 * what takes longer, so that no document keeps others waiting.
 */
import { setImmediate } from 'node:timers/promises'
import { Fault } from '../base/errors.ts'
import { defaultLimits } from '../base/limits.ts'
import { readCheckpointMeta } from './checkpoint.ts'
import type { CompactionOptions, RecordsJob, RecordsResult } from './compact.ts'
import { Lanes } from './lanes.ts'
import { packUpdates } from './packed-updates.ts'
import { inTurns } from './steps.ts'
import type { CompactedMessage, ContentsQuestion, WorkerAnswer, WorkerJob } from './worker.ts'
import { type PackedJob, programBeside, WorkerHost } from './worker-host.ts'

export type { RecordsResult, RefusedEntry } from './compact.ts'
export { isDeadline } from './lanes.ts'

/** `encodedMeta`: the metadata as the worker wrote it. */
export type CompactedRecords = RecordsResult & { readonly encodedMeta: Uint8Array }

/** `gc` and `sizes` are for compactions that do not say otherwise. The defaults of the rest stand in limits.ts. */
export type WorkersOptions = CompactionOptions & {
  /** V8 heap of each worker in MiB; a job that needs more fails alone. */
  readonly memoryMegabytes?: number
  /** Jobs waiting for each worker. Above: ERR_OVERLOADED for the document that has most of them. */
  readonly queueMax?: number
  /** How long a job may hold a worker that others wait for. */
  readonly quickMs?: number
  /** How long one compaction may run in the long lane, and one job of a join or a read. */
  readonly compactionDeadlineMs?: number
  readonly joinDeadlineMs?: number
  /** A thread that had no job for so long ends. */
  readonly idleMs?: number
  /** Documents whose joins and reads are known to be long. */
  readonly slowMax?: number
}

/** `quick`: for documents of which nothing is known; `long`: for those that ran into the deadline there. */
export type CompactionLane = 'quick' | 'long'

export type CompactJob = RecordsJob & { readonly document: string; readonly lane: CompactionLane }

export type DiffJob = {
  readonly document: string
  readonly segments: readonly Uint8Array[]
  readonly vector: ReadonlyMap<number, number>
}

export type ContentsJob = Pick<DiffJob, 'document' | 'segments'> & { readonly question: ContentsQuestion }

export type HeldBackJob = {
  readonly document: string
  readonly update: Uint8Array
  readonly frameBytesMax: number
}

export type LoadJob = {
  readonly document: string
  readonly update: Uint8Array
  readonly deadlineMs: number
}

/**
 * Every method copies what it is given, which must not change before it resolves, and resolves to arrays that are the
 * caller's. They reject with ERR_DEADLINE when the job ran into its deadline, ERR_OVERLOADED when too many wait,
 * ERR_INTERNAL when the worker died or the job failed, ERR_GOING_DOWN after `close`, and ERR_UPDATE_MALFORMED for
 * updates that do not scan.
 */
export type Workers = {
  /** As `compactRecords`, in the worker. */
  compact(job: CompactJob): Promise<CompactedRecords>
  /** As `diffUpdate` of the segments joined. */
  diff(job: DiffJob): Promise<Uint8Array>
  /** As `contentsJson` or `contentsText` of the segments joined. Also rejects with ERR_ANSWER_TOO_LARGE. */
  contents(job: ContentsJob): Promise<Uint8Array>
  /** As `heldBackFrames`. */
  heldBack(job: HeldBackJob): Promise<readonly Uint8Array[]>
  /** As `timeLoad`: how many milliseconds Yjs takes to load the update, of a core of its own where that can be told. */
  load(job: LoadJob): Promise<number>
  /** Rejects what waits or runs, and resolves when the threads have ended. */
  close(): Promise<void>
}

export function createWorkers(options: WorkersOptions = {}): Workers {
  const { gc = 'collect', sizes = {}, ...own } = options
  const settings = { ...defaultSettings, ...own }
  const { compactionDeadlineMs, joinDeadlineMs: deadlineMs, quickMs } = settings
  const compactions = {
    quick: new WorkerHost<WorkerJob, WorkerAnswer>(settings),
    long: new WorkerHost<WorkerJob, WorkerAnswer>(settings)
  }
  const joins = new Lanes<WorkerJob, WorkerAnswer>(settings)
  return {
    compact: async ({ document, lane, segments, records, ...own }) => {
      const options = { gc, ...own, sizes: { ...sizes, ...own.sizes } }
      const pack = async () => {
        const job = { segments: await packUpdates(segments), records: await packUpdates(records), options }
        return packed({ type: 'compact', job }, job.segments.bytes, job.records.bytes)
      }
      const deadlineMs = lane === 'long' ? compactionDeadlineMs : Math.min(quickMs, compactionDeadlineMs)
      const { answer } = await compactions[lane].run({ document, pack, deadlineMs })
      return compactionOf(resultOf(answer, 'compact'))
    },
    diff: async ({ document, segments, vector }) => {
      const pack = async () => {
        const job = { segments: await packUpdates(segments), vector }
        return packed({ type: 'diff', job }, job.segments.bytes)
      }
      return resultOf((await joins.run({ document, pack, deadlineMs })).answer, 'diff')
    },
    contents: async ({ document, segments, question }) => {
      const pack = async () => {
        const job = { segments: await packUpdates(segments), question }
        return packed({ type: 'contents', job }, job.segments.bytes)
      }
      return resultOf((await joins.run({ document, pack, deadlineMs })).answer, 'contents')
    },
    heldBack: async ({ document, update, frameBytesMax }) => {
      const pack = async () => {
        const { bytes } = await packUpdates([update])
        return packed({ type: 'heldBack', job: { update: bytes, frameBytesMax } }, bytes)
      }
      return resultOf((await joins.run({ document, pack, deadlineMs })).answer, 'heldBack')
    },
    load: async ({ document, update, deadlineMs }) => {
      const pack = async () => {
        const { bytes } = await packUpdates([update])
        return packed({ type: 'load', job: { update: bytes } }, bytes)
      }
      return resultOf((await joins.run({ document, pack, deadlineMs })).answer, 'load')
    },
    close: async () => {
      await Promise.all([compactions.quick.close(), compactions.long.close(), joins.close()])
    }
  }
}

const defaultSettings = {
  program: programBeside(import.meta.url, 'document', 'worker'),
  memoryMegabytes: defaultLimits.workerMegabytesMax,
  queueMax: defaultLimits.workerQueueMax,
  quickMs: defaultLimits.quickJobMs,
  compactionDeadlineMs: defaultLimits.compactionDeadlineMs,
  joinDeadlineMs: defaultLimits.joinDeadlineMs,
  idleMs: defaultLimits.workerIdleMs,
  slowMax: defaultLimits.slowDocumentsMax
}

function packed(job: WorkerJob, ...bytes: readonly Uint8Array<ArrayBuffer>[]): PackedJob<WorkerJob> {
  return { job, transfer: bytes.map(({ buffer }) => buffer) }
}

type Results = {
  compact: CompactedMessage
  diff: Uint8Array
  contents: Uint8Array
  heldBack: readonly Uint8Array[]
  load: number
}

function resultOf<T extends keyof Results>(answer: WorkerAnswer, type: T): Results[T] {
  // The worker answers each job with its own type; TypeScript cannot tie the two together.
  if (answer.type === type) return answer.result as Results[T]
  throw new Fault('ERR_INTERNAL', `the worker answered ${answer.type} to ${type}`)
}

async function compactionOf(message: CompactedMessage): Promise<CompactedRecords> {
  const meta = await inTurns(readCheckpointMeta(message.meta), setImmediate)
  return { ...message, meta, encodedMeta: message.meta }
}
