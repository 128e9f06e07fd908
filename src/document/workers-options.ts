/** The limits of a server as the workers take them. */
import type { Limits } from '../base/limits.ts'
import type { WorkersOptions } from './workers.ts'

export function workersOptions(limits: Limits): WorkersOptions {
  return {
    memoryMegabytes: limits.workerMegabytesMax,
    queueMax: limits.workerQueueMax,
    quickMs: limits.quickJobMs,
    compactionDeadlineMs: limits.compactionDeadlineMs,
    joinDeadlineMs: limits.joinDeadlineMs,
    idleMs: limits.workerIdleMs,
    slowMax: limits.slowDocumentsMax,
    sizes: {
      wholeBytesMax: limits.wholeFrameBytesMax,
      heldBackBytesMax: limits.heldBackBytesMax,
      heldBackFrameBytes: limits.heldBackFrameBytes,
      segmentBytes: limits.segmentBytes
    }
  }
}
