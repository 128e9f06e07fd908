/** The worker that seals histories, without a thread: the real functions after a virtual delay, one job at a time. */
import type { SealingWork } from '../../src/history/work.ts'
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
