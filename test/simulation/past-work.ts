/** The worker that seals histories, without a thread: the real functions after a virtual delay, one job at a time. */
import { Fault } from '../../src/base/errors.ts'
import type { SealingWork } from '../../src/history/work.ts'
import { inThread } from '../history/keeping.ts'
import type { Scope } from './virtual-time.ts'

type Options = {
  readonly time: Scope
  readonly delayMs: () => number
  /** Whether the worker dies of the next job. */
  readonly fails: () => boolean
}

export type VirtualSealing = SealingWork & { close(): void }

export function createVirtualSealing({ time, delayMs, fails }: Options): VirtualSealing {
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false
  let abandon = () => {}
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      const cancel = time.after(delayMs(), resolve)
      abandon = () => {
        cancel()
        reject(new Fault('ERR_GOING_DOWN', 'the worker was closed'))
      }
    })
  const run = <T>(job: () => Promise<T>): Promise<T> => {
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
    seal: job => run(() => inThread.seal(job)),
    merge: job => run(() => inThread.merge(job)),
    keyframe: job => run(() => inThread.keyframe(job)),
    keyframeAfter: job => run(() => inThread.keyframeAfter(job)),
    close: () => {
      isClosed = true
      abandon()
    }
  }
}
