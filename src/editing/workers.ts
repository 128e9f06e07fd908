/**
 * The worker threads of edits: one for what is quick and one for what takes longer, so that no document keeps others
 * waiting, nor the event loop.
 */
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { Lanes } from '../document/lanes.ts'
import { programBeside } from '../document/worker-host.ts'
import type { EditAnswer, EditJob, EditJobName, EditJobs } from './jobs.ts'

type Options = Pick<
  Limits,
  | 'workerMegabytesMax'
  | 'workerQueueMax'
  | 'workerIdleMs'
  | 'quickJobMs'
  | 'slowDocumentsMax'
  | 'editDeadlineMs'
>

type Question<N extends EditJobName> = {
  /** Whose turn it takes. */
  readonly document: string
  /** Called when its turn has come, perhaps twice: what waits costs no memory. */
  readonly job: () => Promise<EditJobs[N]['job']>
  readonly signal?: AbortSignal | undefined
}

export class EditWorkers {
  readonly #options: Options
  readonly #threads: Lanes<EditJob, EditAnswer>

  constructor(options: Options) {
    this.#options = options
    this.#threads = new Lanes({
      program: programBeside(import.meta.url, 'editing', 'worker'),
      memoryMegabytes: options.workerMegabytesMax,
      queueMax: options.workerQueueMax,
      idleMs: options.workerIdleMs,
      quickMs: options.quickJobMs,
      slowMax: options.slowDocumentsMax
    })
  }

  /**
   * What the job of this name comes to, the caller's. Rejects with ERR_DEADLINE, ERR_OVERLOADED, ERR_CANCELLED,
   * ERR_GOING_DOWN, ERR_ANSWER_TOO_LARGE, ERR_INTERNAL when the worker died or the job failed, and what `job` rejects with.
   */
  async ask<N extends EditJobName>(
    type: N,
    { document, job, signal }: Question<N>
  ): Promise<EditJobs[N]['result']> {
    // A name and its job: TypeScript cannot tie the two together for a name that it does not know.
    const pack = async () => ({ job: { type, job: await job() } as EditJob, transfer: [] })
    const { editDeadlineMs: deadlineMs } = this.#options
    const { answer } = await this.#threads.run({ document, pack, deadlineMs, signal })
    if (answer.type !== type) throw new Fault('ERR_INTERNAL', `the worker answered ${answer.type} to ${type}`)
    return answer.result as EditJobs[N]['result']
  }

  /** Rejects what waits or runs, and resolves when the threads have ended. */
  close(): Promise<void> {
    return this.#threads.close()
  }
}
