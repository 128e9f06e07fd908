/**
 * The workers of histories, without a thread: the real functions after a virtual delay, one job at a time of those that seal,
 * and one of those that answer.
 */
import { answerTo } from '../../src/history/answering.ts'
import type { HistoryJob, HistoryJobName, HistoryJobs } from '../../src/history/jobs.ts'
import type { SealingWork } from '../../src/history/work.ts'
import type { HistoryWorkers } from '../../src/history/workers.ts'
import { inThread } from '../history/keeping.ts'
import { createVirtualThread, type ThreadOptions } from './virtual-thread.ts'

export type VirtualSealing = SealingWork & { close(): void }

export function createVirtualSealing(options: ThreadOptions): VirtualSealing {
  const thread = createVirtualThread(options)
  return {
    seal: job => thread.run(() => inThread.seal(job)),
    merge: job => thread.run(() => inThread.merge(job)),
    keyframe: job => thread.run(() => inThread.keyframe(job)),
    keyframeAfter: job => thread.run(() => inThread.keyframeAfter(job)),
    close: () => void thread.close()
  }
}

/** A restore or an undo, as it was given to a worker, and the update that came of it; null: nothing was to be done. */
export type TakenBack = {
  readonly document: string
  readonly job: HistoryJobs['restore']['job'] | HistoryJobs['undo']['job']
  readonly update: Uint8Array | null
}

type AskingOptions = ThreadOptions & {
  /** Where keyframes are made. */
  readonly sealing: SealingWork
  readonly onTakenBack: (taken: TakenBack) => void
}

export type VirtualAsking = Pick<HistoryWorkers, 'ask'> & { close(): Promise<void> }

/** Progress and signals are not of this: nobody gives up here but a process that ends. */
export function createVirtualAsking({ sealing, onTakenBack, ...options }: AskingOptions): VirtualAsking {
  const thread = createVirtualThread(options)
  return {
    ask: async (type, { document, job }) => {
      if (type === 'keyframe') {
        const { updates } = (await job()) as HistoryJobs['keyframe']['job']
        return (await sealing.keyframe({ document, updates })) as HistoryJobs[typeof type]['result']
      }
      return thread.run(async () => {
        const message = structuredClone({ type, job: await job() }) as HistoryJob
        const answer = answerTo(message, () => {})
        if (message.type === 'restore' || message.type === 'undo') {
          const { update } = answer.result as HistoryJobs['restore']['result']
          onTakenBack({ document, job: message.job, update })
        }
        return answer.result as HistoryJobs[HistoryJobName]['result'] as HistoryJobs[typeof type]['result']
      })
    },
    close: () => thread.close()
  }
}
