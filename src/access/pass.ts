/**
 * What one connection was granted for one document, for as long as it is there: it ends when its time is over, and is
 * looked at again when a token comes anew or the application says that rights have changed.
 */
import { Fault, toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Admission } from './admission.ts'
import type { Admitted, Attempt } from './grant.ts'

/** Who has a pass. */
export type Holder = {
  /** It was granted anew, perhaps with another access or user; `purpose` says why it was asked about. */
  granted(admitted: Admitted, purpose: 'renew' | 'recheck'): void
  /** It ends soon: if the client can be asked for another token, now is the time. */
  expires(): void
  /** It is over. */
  refused(fault: Fault): void
}

/** What came of looking at it again. */
export type Outcome = 'same' | 'changed' | 'ended'

type Parts = {
  readonly admission: Admission
  readonly time: Time
  readonly limits: Limits
  readonly onOver: (pass: Pass) => void
  /** Throws a Fault when it may not be for whom it would be now. */
  readonly check: (admitted: Admitted) => void
}

/** The clock may be set and the machine may sleep: what ends at a time of day is looked at so often at least. */
const lookMs = 60_000

export class Pass {
  /** Names the connection. */
  readonly connection: string
  readonly #parts: Parts
  readonly #holder: Holder
  #attempt: Attempt
  #admitted: Admitted
  #warnAtMs = 0
  #cancelTimer: Cancel = () => {}
  #due: 'renew' | 'recheck' | null = null
  #asking: Promise<Outcome> | null = null
  #isOver = false

  constructor(
    parts: Parts,
    { attempt, admitted, connection }: { attempt: Attempt; admitted: Admitted; connection: string },
    holder: Holder
  ) {
    this.#parts = parts
    this.#holder = holder
    this.#attempt = attempt
    this.#admitted = admitted
    this.connection = connection
    this.#count()
  }

  get admitted(): Admitted {
    return this.#admitted
  }

  get document(): string {
    return this.#attempt.document
  }

  /** The client has sent a token again; until that was looked at, what was granted before counts. */
  renew(attempt: Attempt): void {
    this.#attempt = attempt
    void this.#look('renew')
  }

  /** Rights may have changed. Never rejects. */
  recheck(): Promise<Outcome> {
    return this.#look('recheck')
  }

  /** Its holder has gone. */
  over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimer()
    this.#parts.onOver(this)
  }

  #look(purpose: 'renew' | 'recheck'): Promise<Outcome> {
    // A recheck that waits must not become a renewal, which may be answered from a cache.
    if (this.#due !== 'recheck') this.#due = purpose
    this.#asking ??= this.#ask()
    return this.#asking
  }

  /** Each answer counts as it comes: whoever sends tokens without end delays none of them. */
  async #ask(): Promise<Outcome> {
    let outcome: Outcome = 'same'
    while (this.#due !== null && !this.#isOver) {
      const purpose = this.#due
      this.#due = null
      try {
        const admitted = await this.#parts.admission.admit({ ...this.#attempt, purpose })
        if (!this.#isOver) this.#parts.check(admitted)
        if (!this.#isOver && this.#grant(admitted, purpose) === 'changed') outcome = 'changed'
      } catch (error) {
        this.#end(toFault(error))
      }
    }
    // In the same turn in which nothing was due any more: what comes from now on is looked at anew.
    this.#asking = null
    return this.#isOver ? 'ended' : outcome
  }

  #grant(admitted: Admitted, purpose: 'renew' | 'recheck'): Outcome {
    const before = this.#admitted
    this.#admitted = admitted
    if (admitted.expiresAtMs !== before.expiresAtMs) this.#count()
    this.#holder.granted(admitted, purpose)
    const isSame = admitted.access === before.access && admitted.user?.id === before.user?.id
    return isSame ? 'same' : 'changed'
  }

  /** A grant that lives shortly is asked for anew in the second half of its life. */
  #count(): void {
    const { time, limits } = this.#parts
    const { expiresAtMs } = this.#admitted
    const leftMs = expiresAtMs - time.wallMs()
    this.#warnAtMs = expiresAtMs - Math.min(limits.renewBeforeMs, leftMs / 2)
    this.#arm()
  }

  #arm(): void {
    this.#cancelTimer()
    const { expiresAtMs } = this.#admitted
    if (expiresAtMs === Number.POSITIVE_INFINITY) return
    const nextMs = Math.min(expiresAtMs, this.#warnAtMs) - this.#parts.time.wallMs()
    this.#cancelTimer = this.#parts.time.after(Math.max(0, Math.min(nextMs, lookMs)), () =>
      this.#timePassed()
    )
  }

  #timePassed(): void {
    const nowMs = this.#parts.time.wallMs()
    if (nowMs >= this.#admitted.expiresAtMs) return this.#end(new Fault('ERR_EXPIRED'))
    if (nowMs >= this.#warnAtMs) {
      this.#warnAtMs = Number.POSITIVE_INFINITY
      this.#holder.expires()
    }
    if (!this.#isOver) this.#arm()
  }

  #end(fault: Fault): void {
    if (this.#isOver) return
    this.over()
    this.#holder.refused(fault)
  }
}
