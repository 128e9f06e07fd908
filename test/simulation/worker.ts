/** The compaction worker without a thread: the real functions, after a virtual delay, one job at a time. */

import { Fault } from '../../src/base/errors.ts'
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
import type { Scope } from './virtual-time.ts'

export type WorkerOptions = {
  readonly time: Scope
  readonly sizes: NonNullable<CompactionOptions['sizes']>
  readonly delayMs: () => number
  /** Whether the worker dies of the next job. */
  readonly fails: () => boolean
  readonly onLayout: (layout: CheckpointLayout) => void
}

export function createVirtualWorker(options: WorkerOptions): Workers {
  const { time, delayMs, fails, sizes, onLayout } = options
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false
  const rejects = new Set<() => void>()
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      const settle = (how: () => void) => {
        if (rejects.delete(abandon)) how()
        cancel()
      }
      const cancel = time.after(delayMs(), () => settle(resolve))
      const abandon = () => settle(() => reject(new Fault('ERR_GOING_DOWN', 'the worker was closed')))
      rejects.add(abandon)
    })
  const run = <T>(job: () => T): Promise<T> => {
    const result = last.then(async () => {
      if (isClosed) throw new Fault('ERR_GOING_DOWN', 'the worker is closed')
      await wait()
      if (fails()) throw new Fault('ERR_INTERNAL', 'the worker died')
      return job()
    })
    last = result.catch(() => {})
    return result
  }
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
    close: async () => {
      isClosed = true
      for (const reject of [...rejects]) reject()
      await last
    }
  }
}

function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}
