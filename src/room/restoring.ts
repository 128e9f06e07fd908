/**
 * The commit of what was computed from a state (a restore, an edit) to a log that other nodes write to as well: in a record
 * of its own, and only if its condition holds. The store appends it only at the head up to which this room has shown
 * everything; where another node was faster, the room catches up, and the condition is looked at again.
 */
import type { RecordIdentity } from '../../persistence/store.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Time } from '../base/time.ts'
import { encodeRecord, type LoggedUpdate } from '../document/record.ts'
import type { SharedLog } from './shared-log.ts'

type Parts = {
  readonly log: Pick<SharedLog<unknown>, 'complete' | 'caughtUp' | 'reached' | 'appendedRecord'>
  readonly time: Pick<Time, 'nowMs'>
  readonly limits: { readonly restoreCommitMs: number }
}

type Host = {
  /** There is something for the journal to take. */
  offer(): void
  /** It is shown, or will not be: nothing is under way any more. */
  ended(): void
}

/** What the journal has taken, until it answers, whatever becomes of the room meanwhile. */
type Taken = { readonly logged: LoggedUpdate; readonly record: Uint8Array; readonly ifHead: number }

type Pending = {
  readonly logged: LoggedUpdate
  readonly record: Uint8Array
  /** Whether what is shown by now is still what it was computed from, as far as it matters. */
  readonly isStill: () => boolean
  readonly untilMs: number
  /** The journal may take it. */
  isReady: boolean
  readonly resolve: (sequence: number | null) => void
  readonly reject: (error: unknown) => void
}

export class Restoring {
  readonly #parts: Parts
  readonly #host: Host
  #pending: Pending | null = null
  #taken: Taken | null = null

  constructor(parts: Parts, host: Host) {
    this.#parts = parts
    this.#host = host
  }

  get isUnderWay(): boolean {
    return this.#pending !== null
  }

  /** What the journal has taken and not answered; null: that is none of this. */
  get taken(): Taken | null {
    return this.#taken
  }

  /**
   * Resolves with the number of its record when that is shown; with null, and nothing was written, when the condition does
   * not hold. Rejects with ERR_OVERLOADED when others write so much that it never came to
   * it (nothing was written), and with what ended the room (it may have been).
   */
  async commit(logged: LoggedUpdate, isStill: () => boolean): Promise<number | null> {
    if (this.#pending !== null)
      throw new Fault('ERR_OVERLOADED', 'another restore or edit is being committed')
    const untilMs = this.#parts.time.nowMs() + this.#parts.limits.restoreCommitMs
    const record = encodeRecord([logged])
    return new Promise((resolve, reject) => {
      this.#pending = { logged, record, isStill, untilMs, isReady: true, resolve, reject }
      this.#host.offer()
    })
  }

  /** The record, if it may be written now. */
  take(): Uint8Array | null {
    const pending = this.#pending
    if (pending?.isReady !== true) return null
    const { log } = this.#parts
    const ifHead = log.complete
    if (ifHead === null) {
      this.#catchUp(pending, log.caughtUp())
      return null
    }
    if (!pending.isStill()) {
      this.#end(({ resolve }) => resolve(null))
      return null
    }
    pending.isReady = false
    this.#taken = { ...pending, ifHead }
    return pending.record
  }

  durable(sequence: number, identity: RecordIdentity): void {
    const { log } = this.#parts
    const taken = this.#taken
    this.#taken = null
    if (taken === null) return
    // Other nodes are told also when the room has ended.
    log.appendedRecord({ sequence, identity, record: taken.record })
    log.reached(sequence).then(
      () => this.#end(({ resolve }) => resolve(sequence)),
      (error: unknown) => this.#fail(error)
    )
  }

  /** Another node has written since: what that was is looked at first. */
  conflicted(head: number): void {
    this.#taken = null
    const pending = this.#pending
    if (pending === null) return
    if (this.#parts.time.nowMs() < pending.untilMs) this.#catchUp(pending, this.#parts.log.reached(head))
    else this.#fail(new Fault('ERR_OVERLOADED', 'others write so much that it did not come to it'))
  }

  /** The room has ended. */
  close(fault: Fault): void {
    this.#fail(fault)
  }

  #catchUp(pending: Pending, caughtUp: Promise<void>): void {
    pending.isReady = false
    caughtUp.then(
      () => {
        if (this.#pending !== pending) return
        pending.isReady = true
        this.#host.offer()
      },
      (error: unknown) => this.#fail(toFault(error))
    )
  }

  #fail(error: unknown): void {
    this.#end(({ reject }) => reject(error))
  }

  #end(settle: (pending: Pending) => void): void {
    const pending = this.#pending
    if (pending === null) return
    this.#pending = null
    settle(pending)
    this.#host.ended()
  }
}
