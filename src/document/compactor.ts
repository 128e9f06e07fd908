/**
 * The host of the one worker thread. Jobs wait in a bounded queue and run one at a time; a worker that dies (a
 * document too large for its memory) takes only its job with it, and the next job gets a new one. The worker starts
 * with the first job and does not keep the process alive while idle.
 */
import { Worker } from 'node:worker_threads'
import { Fault, type FaultCode, faults } from '../errors.ts'
import { defaultLimits } from '../limits.ts'
import { decodeCheckpointMeta } from './checkpoint.ts'
import type { CompactionOptions, RecordsJob, RecordsResult } from './compact.ts'
import type { CompactedMessage, WorkerAnswer, WorkerJob } from './compact-worker.ts'
import { packUpdates } from './packed-updates.ts'
import type { UpdateScan } from './scan.ts'

export type { RecordsResult, RefusedEntry } from './compact.ts'

/** `gc` and `sizes` are for compactions that do not say otherwise. */
export type CompactorOptions = CompactionOptions & {
  /** V8 heap of the worker in MiB; a job that needs more fails alone. */
  readonly memoryMegabytes?: number
  /** Jobs waiting beside the one that runs. Above: ERR_OVERLOADED. */
  readonly queueMax?: number
}

export type DiffJob = {
  readonly segments: readonly Uint8Array[]
  readonly vector: ReadonlyMap<number, number>
}

export type HeldBackJob = { readonly update: Uint8Array; readonly frameBytesMax: number }

/**
 * Every method copies what it is given, which must not change before it resolves, and resolves to arrays that are the caller's. They reject with ERR_OVERLOADED
 * when the queue is full, ERR_INTERNAL when the worker died or the job failed, ERR_GOING_DOWN after `close`, and
 * ERR_UPDATE_MALFORMED for updates that do not scan.
 */
export type Compactor = {
  /** As `compactRecords`, in the worker. */
  compact(job: RecordsJob): Promise<RecordsResult>
  /** As `diffUpdate` of the segments joined. */
  diff(job: DiffJob): Promise<Uint8Array>
  /** As `heldBackFrames`. */
  heldBack(job: HeldBackJob): Promise<readonly Uint8Array[]>
  /** As `scanUpdate`. */
  scan(update: Uint8Array): Promise<UpdateScan>
  /** Ends the thread if it has nothing to do, and gives its memory back; the next job starts another. */
  rest(): void
  /** Rejects what waits or runs, and resolves when the thread has ended. */
  close(): Promise<void>
}

export function createCompactor(options: CompactorOptions = {}): Compactor {
  const host = new WorkerHost(
    options.memoryMegabytes ?? defaultLimits.workerMegabytesMax,
    options.queueMax ?? defaultLimits.workerQueueMax
  )
  const { gc = 'collect', sizes = {} } = options
  return {
    compact: async ({ segments, records, ...own }) => {
      const job = {
        segments: await packUpdates(segments),
        records: await packUpdates(records),
        options: { gc, ...own, sizes: { ...sizes, ...own.sizes } }
      }
      const transfer = [job.segments.bytes.buffer, job.records.bytes.buffer]
      return compactionOf(resultOf(await host.run({ type: 'compact', job }, transfer), 'compact'))
    },
    diff: async ({ segments, vector }) => {
      const job = { segments: await packUpdates(segments), vector }
      return resultOf(await host.run({ type: 'diff', job }, [job.segments.bytes.buffer]), 'diff')
    },
    heldBack: async ({ update, frameBytesMax }) => {
      const job = { update: (await packUpdates([update])).bytes, frameBytesMax }
      return resultOf(await host.run({ type: 'heldBack', job }, [job.update.buffer]), 'heldBack')
    },
    scan: async update => {
      const job = { update: (await packUpdates([update])).bytes }
      return resultOf(await host.run({ type: 'scan', job }, [job.update.buffer]), 'scan')
    },
    rest: () => host.rest(),
    close: () => host.close()
  }
}

type Results = {
  compact: CompactedMessage
  diff: Uint8Array
  heldBack: readonly Uint8Array[]
  scan: UpdateScan
}

function resultOf<T extends keyof Results>(answer: WorkerAnswer, type: T): Results[T] {
  // The worker answers each job with its own type, or fails; TypeScript cannot tie the two together.
  if (answer.type === type && 'result' in answer) return answer.result as Results[T]
  if (answer.type !== 'failed')
    throw new Fault('ERR_INTERNAL', `the worker answered ${answer.type} to ${type}`)
  throw new Fault(isFaultCode(answer.code) ? answer.code : 'ERR_INTERNAL', answer.message)
}

function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(faults, code)
}

function compactionOf(message: CompactedMessage): RecordsResult {
  return { ...message, meta: decodeCheckpointMeta(message.meta) }
}

type Task = {
  readonly job: WorkerJob
  readonly transfer: ArrayBuffer[]
  readonly resolve: (answer: WorkerAnswer) => void
  readonly reject: (fault: Fault) => void
}

class WorkerHost {
  readonly #memoryMegabytes: number
  readonly #queueMax: number
  #queue: Task[] = []
  #running: Task | null = null
  #worker: Worker | null = null
  #closing: Promise<void> | null = null
  /** The thread that `rest` has ended last, until it is gone. */
  #resting: Promise<unknown> = Promise.resolve()

  constructor(memoryMegabytes: number, queueMax: number) {
    this.#memoryMegabytes = memoryMegabytes
    this.#queueMax = queueMax
  }

  run(job: WorkerJob, transfer: ArrayBuffer[]): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== null) {
        reject(new Fault('ERR_GOING_DOWN', 'the worker is closed'))
      } else if (this.#queue.length >= this.#queueMax) {
        reject(new Fault('ERR_OVERLOADED', `${this.#queue.length} jobs wait for the worker`))
      } else {
        this.#queue.push({ job, transfer, resolve, reject })
        this.#startNext()
      }
    })
  }

  rest(): void {
    if (this.#running !== null) return
    const worker = this.#worker
    this.#worker = null
    this.#resting = worker?.terminate() ?? this.#resting
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const fault = new Fault('ERR_GOING_DOWN', 'the worker was closed')
    const abandoned = this.#running === null ? this.#queue : [this.#running, ...this.#queue]
    this.#running = null
    this.#queue = []
    const worker = this.#worker
    this.#worker = null
    for (const task of abandoned) task.reject(fault)
    await this.#resting
    await worker?.terminate()
  }

  #startNext(): void {
    if (this.#running !== null) return
    const task = this.#queue.shift()
    if (task === undefined) {
      this.#worker?.unref()
      return
    }
    this.#running = task
    const worker = this.#worker ?? this.#start()
    worker.ref()
    try {
      worker.postMessage(task.job, task.transfer)
    } catch (error) {
      this.#settle(running => running.reject(failure('the job could not be sent to the worker', error)))
    }
  }

  #start(): Worker {
    const worker = new Worker(workerFile(), {
      resourceLimits: { maxOldGenerationSizeMb: this.#memoryMegabytes }
    })
    worker.on('message', (answer: WorkerAnswer) => this.#settle(task => task.resolve(answer)))
    worker.on('messageerror', error => {
      this.#settle(task => task.reject(failure('the answer could not be read', error)))
    })
    let cause: unknown
    worker.on('error', error => {
      cause = error
    })
    worker.on('exit', () => this.#exited(worker, cause))
    this.#worker = worker
    return worker
  }

  #exited(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = null
    this.#settle(task => task.reject(failure('the worker died', cause)))
  }

  #settle(how: (task: Task) => void): void {
    const task = this.#running
    this.#running = null
    if (task !== null) how(task)
    this.#startNext()
  }
}

function failure(what: string, cause: unknown): Fault {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new Fault('ERR_INTERNAL', what + why, { cause })
}

/** Under vitest this file is TypeScript, which a thread of Node 20 cannot run: there the built worker serves. */
function workerFile(): URL {
  const isSource = import.meta.url.endsWith('.ts')
  return new URL(
    isSource ? '../../dist/src/document/compact-worker.js' : './compact-worker.js',
    import.meta.url
  )
}
