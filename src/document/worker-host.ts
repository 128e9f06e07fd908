/**
 * The host of one worker thread, whichever program it runs. Jobs wait in a bounded queue, in which documents take turns,
 * and run one at a time. A worker that dies (a document too large for its memory) or is ended at the deadline of its job,
 * or because nobody wants the answer any more, takes only that job with it, and the next job gets a new one. It starts
 * with its first job, ends when it had none for a while, and does not keep the process alive while idle.
 */
import { Worker } from 'node:worker_threads'
import { Fault, type FaultCode, faults } from '../base/errors.ts'
import { FairQueue } from './fair-queue.ts'
import type { FromWorker } from './worker-thread.ts'

export type PackedJob<Job> = { readonly job: Job; readonly transfer: ArrayBuffer[] }

export type HostedJob<Job> = {
  /** Whose turn it takes. */
  readonly document: string
  /** Copies what the worker is sent. Called when the job's turn has come: what waits costs no memory. Its Fault is the job's. */
  readonly pack: () => Promise<PackedJob<Job>>
  /** Above: ERR_DEADLINE. It begins when the thread has the job. */
  readonly deadlineMs: number
  /** Aborted: ERR_CANCELLED, and the thread ends if it has the job. */
  readonly signal?: AbortSignal | undefined
  /** Is told how much of the job is done, from 0 to 1, as often as the worker says so. Must not throw. */
  readonly onProgress?: ((share: number) => void) | undefined
}

export type HostOptions = {
  /** The file of the program that the thread runs: it answers through `answerJobs`. */
  readonly program: URL
  /** V8 heap of the worker in MiB. */
  readonly memoryMegabytes: number
  /** Jobs waiting beside the one that runs. Above: the last one of the document that has most of them is refused. */
  readonly queueMax: number
  readonly idleMs: number
}

/** `tookMs`: how long the thread had the job. */
export type Done<Answer> = { readonly answer: Answer; readonly tookMs: number }

type Task<Job, Answer> = HostedJob<Job> & {
  readonly resolve: (done: Done<Answer>) => void
  readonly reject: (fault: Fault) => void
}

export class WorkerHost<Job, Answer> {
  readonly #options: HostOptions
  readonly #queue = new FairQueue<Task<Job, Answer>>()
  #running: Task<Job, Answer> | null = null
  #worker: Worker | null = null
  /** Whether the thread has loaded its program: on a busy machine that takes longer than many a job may. */
  #isReady = false
  /** Whether the thread has been sent the job that runs. */
  #isPosted = false
  /** When the thread got the job that runs; null: it has not got it yet. */
  #startedMs: number | null = null
  #closing: Promise<void> | null = null
  #deadline: NodeJS.Timeout | undefined
  #idle: NodeJS.Timeout | undefined
  /** The threads that were ended, until they are gone. */
  #resting: Promise<unknown> = Promise.resolve()

  constructor(options: HostOptions) {
    this.#options = options
  }

  /** Rejects with ERR_DEADLINE, ERR_OVERLOADED, ERR_CANCELLED, ERR_GOING_DOWN, and ERR_INTERNAL when the worker died. */
  run(job: HostedJob<Job>): Promise<Done<Answer>> {
    const { signal } = job
    if (signal === undefined) return this.#run(job, () => {})
    let cancel = () => {}
    const running = this.#run(job, task => {
      cancel = () => this.#cancel(task)
      signal.addEventListener('abort', cancel, { once: true })
    })
    return running.finally(() => signal.removeEventListener('abort', cancel))
  }

  #run(job: HostedJob<Job>, onTask: (task: Task<Job, Answer>) => void): Promise<Done<Answer>> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== null) return reject(new Fault('ERR_GOING_DOWN', 'the worker is closed'))
      if (job.signal?.aborted === true) return reject(cancelled())
      const task = { ...job, resolve, reject }
      onTask(task)
      this.#queue.push(job.document, task)
      this.#startNext()
      if (this.#queue.size <= this.#options.queueMax) return
      this.#queue.popLongest()?.reject(new Fault('ERR_OVERLOADED', `${this.#queue.size} jobs wait`))
    })
  }

  /** Rejects what waits or runs, and resolves when the thread has ended. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  #endThread(): void {
    const worker = this.#worker
    this.#worker = null
    if (worker !== null) this.#resting = Promise.all([this.#resting, worker.terminate()])
  }

  async #end(): Promise<void> {
    const fault = new Fault('ERR_GOING_DOWN', 'the worker was closed')
    const running = this.#running
    clearTimeout(this.#deadline)
    clearTimeout(this.#idle)
    this.#running = null
    running?.reject(fault)
    for (const task of this.#queue.clear()) task.reject(fault)
    this.#endThread()
    await this.#resting
  }

  #startNext(): void {
    if (this.#running !== null || this.#closing !== null) return
    const task = this.#queue.shift()
    if (task === undefined) return this.#rest()
    clearTimeout(this.#idle)
    this.#running = task
    task.pack().then(
      packed => this.#post(task, packed),
      error =>
        this.#settle(task, () =>
          task.reject(error instanceof Fault ? error : failure('the job could not be packed', error))
        )
    )
  }

  /** Nothing waits. The thread's memory is given back when that lasts. */
  #rest(): void {
    this.#worker?.unref()
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.#endThread(), this.#options.idleMs)
    this.#idle.unref()
  }

  #post(task: Task<Job, Answer>, { job, transfer }: PackedJob<Job>): void {
    // It was closed meanwhile.
    if (this.#running !== task) return
    const worker = this.#worker ?? this.#start()
    worker.ref()
    if (this.#isReady) this.#hasBegun(task)
    this.#isPosted = true
    try {
      worker.postMessage(job, transfer)
    } catch (error) {
      this.#settle(task, () => task.reject(failure('the job could not be sent to the worker', error)))
    }
  }

  #hasBegun(task: Task<Job, Answer>): void {
    this.#startedMs = performance.now()
    this.#deadline = setTimeout(() => this.#deadlinePassed(task), task.deadlineMs)
  }

  #start(): Worker {
    const worker = new Worker(this.#options.program, {
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryMegabytes }
    })
    // One that was ended may still speak in the same moment: by now another job runs.
    const ifCurrent = (run: (task: Task<Job, Answer>) => void) => {
      if (this.#worker === worker && this.#running !== null) run(this.#running)
    }
    this.#isReady = false
    worker.on('message', (message: FromWorker<Answer>) => ifCurrent(task => this.#heard(task, message)))
    worker.on('messageerror', error =>
      ifCurrent(task => this.#settle(task, () => task.reject(failure('the answer could not be read', error))))
    )
    let cause: unknown
    worker.on('error', error => {
      cause = error
    })
    worker.on('exit', () => this.#exited(worker, cause))
    this.#worker = worker
    return worker
  }

  #heard(task: Task<Job, Answer>, message: FromWorker<Answer>): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true
        return this.#hasBegun(task)
      case 'progress':
        return task.onProgress?.(message.share)
      case 'answer': {
        const { answer } = message
        const tookMs = this.#startedMs === null ? 0 : performance.now() - this.#startedMs
        return this.#settle(task, () => task.resolve({ answer, tookMs }))
      }
      case 'failed':
        return this.#settle(task, () => task.reject(faultOf(message)))
      default:
        return message satisfies never
    }
  }

  #exited(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = null
    const task = this.#running
    if (task !== null) this.#settle(task, () => task.reject(failure('the worker died', cause)))
  }

  /** Yjs cannot be interrupted, so the thread goes. Who waits behind the job gets a new one. */
  #deadlinePassed(task: Task<Job, Answer>): void {
    this.#endThread()
    const fault = new Fault('ERR_DEADLINE', `the job took more than ${task.deadlineMs} ms`)
    this.#settle(task, () => task.reject(fault))
  }

  #cancel(task: Task<Job, Answer>): void {
    if (this.#running !== task) {
      if (this.#queue.remove(task.document, task)) task.reject(cancelled())
      return
    }
    // As long as it is being packed there is nothing to end the thread for.
    if (this.#isPosted) this.#endThread()
    this.#settle(task, () => task.reject(cancelled()))
  }

  #settle(task: Task<Job, Answer>, how: () => void): void {
    if (this.#running !== task) return
    clearTimeout(this.#deadline)
    this.#startedMs = null
    this.#isPosted = false
    this.#running = null
    how()
    // Whoever learns of it comes first: after a deadline, to send what waits of the same document elsewhere.
    queueMicrotask(() => this.#startNext())
  }
}

function failure(what: string, cause: unknown): Fault {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new Fault('ERR_INTERNAL', what + why, { cause })
}

function cancelled(): Fault {
  return new Fault('ERR_CANCELLED', 'nobody waits for the answer any more')
}

function faultOf({ code, message }: { readonly code: string; readonly message: string }): Fault {
  return new Fault(isFaultCode(code) ? code : 'ERR_INTERNAL', message)
}

function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(faults, code)
}

/**
 * The program `name`.js beside the module of this URL. Under vitest modules are TypeScript, which a thread of Node 20
 * cannot run: there the built program serves. `folder`: of the module, below `src`.
 */
export function programBeside(moduleUrl: string, folder: string, name: string): URL {
  const isSource = moduleUrl.endsWith('.ts')
  return new URL(isSource ? `../../dist/src/${folder}/${name}.js` : `./${name}.js`, moduleUrl)
}
