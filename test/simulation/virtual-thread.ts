/** A thread that is none: jobs run one at a time, each after a virtual delay, and it can die of one. */
import { Fault } from '../../src/base/errors.ts'
import type { Scope } from './virtual-time.ts'

export type ThreadOptions = {
  readonly time: Scope
  readonly delayMs: () => number
  /** Whether it dies of the next job. */
  readonly fails: () => boolean
}

export type VirtualThread = {
  run<T>(job: () => T | Promise<T>): Promise<T>
  /** Rejects what waits, and resolves when the last job is over. */
  close(): Promise<void>
}

export function createVirtualThread({ time, delayMs, fails }: ThreadOptions): VirtualThread {
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false
  /** Of the job whose delay is under way. */
  let abandon = () => {}
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      const cancel = time.after(delayMs(), resolve)
      abandon = () => {
        cancel()
        reject(new Fault('ERR_GOING_DOWN', 'the worker was closed'))
      }
    })
  return {
    run: job => {
      const result = last.then(async () => {
        if (isClosed) throw new Fault('ERR_GOING_DOWN', 'the worker is closed')
        await wait()
        if (fails()) throw new Fault('ERR_INTERNAL', 'the worker died')
        return job()
      })
      last = result.catch(() => {})
      return result
    },
    close: async () => {
      isClosed = true
      abandon()
      await last
    }
  }
}
