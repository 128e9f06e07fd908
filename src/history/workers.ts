/**
 * The worker threads of histories: one seals, others read and restore, so that neither waits for the other. Of those that
 * read there is one for what is quick and one for what takes longer, so that no document keeps others waiting.
 */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Lanes } from '../document/lanes.ts'
import { packUpdates, unpackUpdates } from '../document/packed-updates.ts'
import { type PackedJob, programBeside, WorkerHost } from '../document/worker-host.ts'
import type { HistoryAnswer, HistoryJob, HistoryJobName, HistoryJobs } from './jobs.ts'

type Options = Pick<
  Limits,
  | 'workerMegabytesMax'
  | 'workerQueueMax'
  | 'workerIdleMs'
  | 'quickJobMs'
  | 'slowDocumentsMax'
  | 'compactionDeadlineMs'
  | 'historyDeadlineMs'
>

export type HistoryQuestion<N extends HistoryJobName> = {
  /** Whose turn it takes. */
  readonly document: string
  /**
   * Called when its turn has come, perhaps twice: what waits costs no memory. The bytes are copied, and must not change
   * before that. A Fault of it is the question's.
   */
  readonly job: () => Promise<HistoryJobs[N]['job']>
  /** Aborted: ERR_CANCELLED, at once. */
  readonly signal?: AbortSignal | undefined
  /** Is told how much is done, from 0 to 1, now and then. Must not throw. */
  readonly onProgress?: ((share: number) => void) | undefined
  /** Is told how long the thread had the job that was answered. Must not throw. */
  readonly onDone?: ((tookMs: number) => void) | undefined
}

/** What writes a history; the others read. */
const writing: ReadonlySet<HistoryJobName> = new Set(['seal', 'merge', 'keyframe', 'keyframeAfter'])

export class HistoryWorkers {
  readonly #options: Options
  readonly #writers: WorkerHost<HistoryJob, HistoryAnswer>
  readonly #readers: Lanes<HistoryJob, HistoryAnswer>

  constructor(options: Options) {
    this.#options = options
    const host = {
      program: programBeside(import.meta.url, 'history', 'worker'),
      memoryMegabytes: options.workerMegabytesMax,
      queueMax: options.workerQueueMax,
      idleMs: options.workerIdleMs
    }
    this.#writers = new WorkerHost(host)
    this.#readers = new Lanes({ ...host, quickMs: options.quickJobMs, slowMax: options.slowDocumentsMax })
  }

  /**
   * What the job of this name comes to. The bytes of it are the caller's. Rejects with ERR_DEADLINE, ERR_OVERLOADED,
   * ERR_CANCELLED, ERR_GOING_DOWN, ERR_INTERNAL when the worker died or the job failed, ERR_BAD_MESSAGE or
   * ERR_UPDATE_MALFORMED for what is damaged, and with what the kind of question has.
   */
  async ask<N extends HistoryJobName>(
    type: N,
    { document, job, signal, onProgress, onDone }: HistoryQuestion<N>
  ): Promise<HistoryJobs[N]['result']> {
    // A name and its job: TypeScript cannot tie the two together for a name that it does not know.
    const pack = async () => packed({ type, job: await job() } as HistoryJob)
    const { compactionDeadlineMs, historyDeadlineMs } = this.#options
    const { answer, tookMs } = writing.has(type)
      ? await this.#writers.run({ document, pack, deadlineMs: compactionDeadlineMs, signal, onProgress })
      : await this.#readers.run({ document, pack, deadlineMs: historyDeadlineMs, signal, onProgress })
    onDone?.(tookMs)
    if (answer.type !== type) throw new Fault('ERR_INTERNAL', `the worker answered ${answer.type} to ${type}`)
    return answer.result as HistoryJobs[N]['result']
  }

  /** Rejects what waits or runs, and resolves when the threads have ended. */
  async close(): Promise<void> {
    await Promise.all([this.#writers.close(), this.#readers.close()])
  }
}

/** All bytes of the job in one buffer, which goes without another copy. */
async function packed(job: HistoryJob): Promise<PackedJob<HistoryJob>> {
  const found: Uint8Array[] = []
  eachOfBytes(job, bytes => {
    found.push(bytes)
    return bytes
  })
  const updates = await packUpdates(found)
  const views = unpackUpdates(updates).values()
  // The same job, with views of the one buffer in the same order.
  const copy = eachOfBytes(job, () => views.next().value ?? new Uint8Array()) as HistoryJob
  return { job: copy, transfer: [updates.bytes.buffer] }
}

/** Jobs are plain: lists and objects down to bytes, numbers and texts. */
function eachOfBytes(value: unknown, replace: (bytes: Uint8Array) => Uint8Array): unknown {
  if (value instanceof Uint8Array) return replace(value)
  if (Array.isArray(value)) return value.map(each => eachOfBytes(each, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, eachOfBytes(each, replace)]))
}
