/**
 * The worker thread for what would hold the event loop: one job in, one answer out, in order. It keeps nothing
 * between jobs.
 */
import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { toFault } from '../errors.ts'
import { encodeCheckpointMeta } from './checkpoint.ts'
import { type CompactionOptions, compactRecords, type RefusedEntry } from './compact.ts'
import { heldBackFrames } from './held-back.ts'
import { type PackedUpdates, unpackUpdates } from './packed-updates.ts'
import { scanUpdate, type UpdateScan } from './scan.ts'
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
  | { readonly type: 'scan'; readonly job: { readonly update: Uint8Array<ArrayBuffer> } }

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
  | { readonly type: 'heldBack'; readonly result: readonly Uint8Array[] }
  | { readonly type: 'scan'; readonly result: UpdateScan }
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

stepBack()

parentPort?.on('message', (message: WorkerJob) => {
  const answer = answerTo(message)
  parentPort?.postMessage(answer, buffersOf(answer))
})

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
    case 'scan':
      return { type: 'scan', result: scanUpdate(message.job.update) }
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
      return answer.result.segments
    case 'diff':
      return [answer.result]
    case 'heldBack':
      return answer.result
    case 'scan':
    case 'failed':
      return []
    default:
      return answer satisfies never
  }
}
