/**
 * A worker thread's side: one job in, one answer out, in order. It steps back for who serves people, and says what a job
 * that failed failed of. Which jobs there are is the program's business; its host is in worker-host.ts.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { basename } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { toFault } from '../base/errors.ts'

/** What the host hears. `ready` is said once, before anything was asked. `share` of a job is done, from 0 to 1. */
export type FromWorker<Answer> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

type Program<Job, Answer> = {
  readonly run: (job: Job, progress: (share: number) => void) => Answer
  /** Bytes of the answer that go without a copy. Several may be views of one buffer. */
  readonly bytesOf: (answer: Answer) => readonly Uint8Array[]
}

/** Answers the host from now on. */
export function answerJobs<Job, Answer>({ run, bytesOf }: Program<Job, Answer>): void {
  stepBack()
  const say = (message: FromWorker<Answer>, transfer: ArrayBuffer[] = []) =>
    parentPort?.postMessage(message, transfer)
  parentPort?.on('message', (job: Job) => {
    try {
      const answer = run(job, share => say({ kind: 'progress', share }))
      say({ kind: 'answer', answer }, buffersOf(bytesOf(answer)))
    } catch (error) {
      const { code, message } = toFault(error)
      say({ kind: 'failed', code, message })
    }
  })
  say({ kind: 'ready' })
}

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
export function clockOfThread(): () => number {
  const onCoreMs = () => Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6
  try {
    return onCoreMs() > 0 ? onCoreMs : () => performance.now()
  } catch {
    return () => performance.now()
  }
}

/** A buffer may be named only once; what has none of its own kind is copied. */
function buffersOf(views: readonly Uint8Array[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const { buffer } of views) if (buffer instanceof ArrayBuffer) buffers.add(buffer)
  return [...buffers]
}
