/**
 * Two workers for jobs of one kind: a quick one, which no job holds for long, and one for those that take longer. A job
 * that turns out to be long begins anew there, and later ones of its document go there at once: so it delays nobody
 * but other long ones.
 */
import { Fault } from '../base/errors.ts'
import { type Done, type HostedJob, type HostOptions, WorkerHost } from './worker-host.ts'

export type LanesOptions = HostOptions & {
  /** How long a job may hold the quick worker. */
  readonly quickMs: number
  /** Documents that are known to have long jobs. Above: the first is forgotten. */
  readonly slowMax: number
}

export class Lanes<Job, Answer> {
  readonly #options: LanesOptions
  readonly #quick: WorkerHost<Job, Answer>
  readonly #long: WorkerHost<Job, Answer>
  readonly #slow = new Set<string>()

  constructor(options: LanesOptions) {
    this.#options = options
    this.#quick = new WorkerHost(options)
    this.#long = new WorkerHost(options)
  }

  /** As `WorkerHost.run`. The job may be packed twice. */
  async run(job: HostedJob<Job>): Promise<Done<Answer>> {
    const { quickMs } = this.#options
    const { document, deadlineMs, signal, onProgress } = job
    if (deadlineMs <= quickMs) return this.#quick.run(job)
    if (!this.#slow.has(document)) {
      try {
        const pack = () => (this.#slow.has(document) ? Promise.reject(becameSlow()) : job.pack())
        return await this.#quick.run({ document, pack, deadlineMs: quickMs, signal, onProgress })
      } catch (error) {
        if (!isDeadline(error)) throw error
        this.#remember(document)
      }
    }
    const done = await this.#long.run(job)
    if (done.tookMs < quickMs / 2) this.#slow.delete(document)
    return done
  }

  /** Resolves when both threads have ended. */
  async close(): Promise<void> {
    await Promise.all([this.#quick.close(), this.#long.close()])
  }

  #remember(document: string): void {
    this.#slow.add(document)
    for (const first of this.#slow) {
      if (this.#slow.size <= this.#options.slowMax) break
      this.#slow.delete(first)
    }
  }
}

/** One before it ran into the deadline: those that waited behind it need not. */
function becameSlow(): Fault {
  return new Fault('ERR_DEADLINE', 'a job of the document took too long')
}

/** Whether a job ran into its deadline. */
export function isDeadline(error: unknown): boolean {
  return error instanceof Fault && error.code === 'ERR_DEADLINE'
}
