/** The port of a member that only receives: there is no socket behind it whose reading could be held back. */
import type { Fault } from '../base/errors.ts'
import type { Frame } from '../dialect/frame.ts'
import type { Port } from './member.ts'

export abstract class SilentPort implements Port {
  abstract readonly id: string
  abstract end(fault: Fault): void

  /** Nothing, unless it is overridden. */
  send(_frame: Frame): void {}

  feed(frame: Frame): 'flowing' {
    this.send(frame)
    return 'flowing'
  }

  ping(): () => boolean {
    return () => true
  }

  probe(_timeoutMs: number): Promise<boolean> {
    return Promise.resolve(true)
  }

  pause(): void {}
  resume(): void {}
  hold(): void {}
  release(): void {}
  charge(_spentMs: number): void {}
}
