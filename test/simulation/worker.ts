/** The compaction worker without a thread: the real functions, after a virtual delay, one job at a time. */

import {
  type CheckpointLayout,
  decodeCheckpointMeta,
  encodeCheckpointMeta
} from '../../src/document/checkpoint.ts'
import { type CompactionOptions, compactRecords, timeLoad } from '../../src/document/compact.ts'
import { heldBackFrames } from '../../src/document/held-back.ts'
import { joinSegments } from '../../src/document/segments.ts'
import { diffUpdate } from '../../src/document/splice.ts'
import type { Workers } from '../../src/document/workers.ts'
import { createVirtualThread, type ThreadOptions } from './virtual-thread.ts'

export type WorkerOptions = ThreadOptions & {
  readonly sizes: NonNullable<CompactionOptions['sizes']>
  readonly onLayout: (layout: CheckpointLayout) => void
}

export function createVirtualWorker(options: WorkerOptions): Workers {
  const { sizes, onLayout } = options
  const { run, close } = createVirtualThread(options)
  return {
    compact: job => {
      const copied = { ...job, sizes, segments: job.segments.map(copy), records: job.records.map(copy) }
      return run(() => {
        const { meta, ...rest } = compactRecords(copied)
        onLayout(meta.layout)
        const encodedMeta = encodeCheckpointMeta(meta)
        return { ...rest, encodedMeta, meta: decodeCheckpointMeta(encodedMeta) }
      })
    },
    contents: async () => {
      throw new Error('nothing in the simulation asks for contents')
    },
    diff: ({ segments, vector }) => {
      const copied = segments.map(copy)
      return run(() => diffUpdate(joinSegments(copied), vector))
    },
    heldBack: ({ update, frameBytesMax }) => {
      const copied = copy(update)
      return run(() => heldBackFrames(copied, frameBytesMax))
    },
    load: ({ update }) => {
      const copied = copy(update)
      return run(() => timeLoad(copied, () => performance.now()))
    },
    close
  }
}

function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}
