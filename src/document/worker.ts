/**
 * The worker thread for what would hold the event loop: one job in, one answer out, in order. It keeps nothing
 * between jobs.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { toFault } from '../base/errors.ts'
import { encodeCheckpointMeta } from './checkpoint.ts'
import { type CompactionOptions, compactRecords, type RefusedEntry, timeLoad } from './compact.ts'
import { heldBackFrames } from './held-back.ts'
import { type PackedUpdates, unpackUpdates } from './packed-updates.ts'
import { joinSegments } from './segments.ts'
import { diffUpdate } from './splice.ts'

export type DiffMessage = {
  readonly segments: PackedUpdates
  readonly vector: ReadonlyMap<number, number>
}

export type CompactMessage = {
  readonly segments: PackedUpdates
  readonly records: PackedUpdates
  readonly options: CompactionOptions
}

export type WorkerJob =
  | { readonly type: 'compact'; readonly job: CompactMessage }
  | { readonly type: 'diff'; readonly job: DiffMessage }
  | {
      readonly type: 'heldBack'
      readonly job: { readonly update: Uint8Array<ArrayBuffer>; readonly frameBytesMax: number }
    }
  | { readonly type: 'load'; readonly job: { readonly update: Uint8Array<ArrayBuffer> } }

/** A compaction's result with its metadata encoded: sets of clocks do not cross threads. */
export type CompactedMessage = {
  readonly meta: Uint8Array
  readonly segments: readonly Uint8Array[]
  readonly pending: readonly number[]
  readonly refused: readonly RefusedEntry[]
}

/** `ready` is said once, before anything was asked. */
export type WorkerAnswer =
  | { readonly type: 'ready' }
  | { readonly type: 'compact'; readonly result: CompactedMessage }
  | { readonly type: 'diff'; readonly result: Uint8Array }
  | { readonly type: 'heldBack'; readonly result: readonly Uint8Array[] }
  | { readonly type: 'load'; readonly result: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }

/**
 * On Linux a priority is a thread's own. With one core for all of the server, a compaction would otherwise take half of
 * it from whoever types: measured, a busy room's p99 rose from 15 to above 100 ms.
 */
function stepBack(): void {
  try {
    const thread = Number(basename(readlinkSync('/proc/thread-self')))
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // Elsewhere, or where it is not allowed, the thread is one like the others.
  }
}

/**
 * On Linux the time that this thread had a core, in milliseconds: on a busy machine that is a part of the time that
 * passed, and what a job costs must not depend on who else is at work. Elsewhere the time that passed.
 */
function clockOfThread(): () => number {
  const onCoreMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6
  try {
    return onCoreMs() > 0 ? onCoreMs : () => performance.now()
  } catch {
    return () => performance.now()
  }
}

stepBack()

parentPort?.on('message', (message: WorkerJob) => {
  const answer = answerTo(message)
  parentPort?.postMessage(answer, buffersOf(answer))
})

parentPort?.postMessage({ type: 'ready' } satisfies WorkerAnswer)

function answerTo(message: WorkerJob): WorkerAnswer {
  try {
    return run(message)
  } catch (error) {
    const { code, message: reason } = toFault(error)
    return { type: 'failed', code, message: reason }
  }
}

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
    case 'load':
      return { type: 'load', result: timeLoad(message.job.update, clockOfThread()) }
    default:
      return message satisfies never
  }
}

/** Updates go back without a copy; each is a buffer of its own, and a buffer may be named only once. */
function buffersOf(answer: WorkerAnswer): ArrayBuffer[] {
  const updates = updatesOf(answer)
  const buffers = new Set<ArrayBuffer>()
  for (const { buffer } of updates) if (buffer instanceof ArrayBuffer) buffers.add(buffer)
  return [...buffers]
}

function updatesOf(answer: WorkerAnswer): readonly Uint8Array[] {
  switch (answer.type) {
    case 'compact':
      return [answer.result.meta, ...answer.result.segments]
    case 'diff':
      return [answer.result]
    case 'heldBack':
      return answer.result
    case 'load':
    case 'failed':
    case 'ready':
      return []
    default:
      return answer satisfies never
  }
}
