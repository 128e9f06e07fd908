/**
 * One answer to a SyncStep1: feeds a member from its cursor as the socket drains, until it has been sent everything
 * durable; then the end marker. Nothing is queued for it meanwhile. A member that joins is live then.
 */

import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import { type Frame, frameBytes, joinFrames } from '../dialect/frame.ts'
import { ClockRuns } from '../document/clocks.ts'
import { encodeDeleteSet } from '../document/delete-set.ts'
import type { Document } from '../document/document.ts'
import { JoinCursor, type JoinPlan } from '../document/sync.ts'
import type { Feed, Member } from './member.ts'

type Parts = {
  readonly document: Document
  readonly plan: JoinPlan
  /** What comes from the checkpoint by the plan: updates in the order to send them. */
  readonly fromCheckpoint: readonly Uint8Array[]
  /**
   * Of deletions that come apart from structs: `lacking`: those that its SyncStep2 does not have, which is waited for.
   * `all`, or `none`.
   */
  readonly deletes: 'lacking' | 'all' | 'none'
  readonly time: Time
  readonly limits: Limits
  /** How many end markers it is owed by now. Called once. */
  readonly takeSteps: () => number
  /** Everything durable and the end markers are on their way. A joining member gets each batch from now on. */
  readonly onEnd: () => void
}

/** Small updates go out together up to this size, in one write. */
const writeBytes = 64 * 1024

/** Up to this size the last updates leave in one write with the end marker. */
const liveBytes = 16 * 1024

export class MemberFeed implements Feed {
  readonly #member: Member
  readonly #parts: Parts
  readonly #cursor: JoinCursor
  #cancelStall: Cancel | null = null
  #stallMs = 0
  #cancelWait: Cancel | null = null
  #hasDeletes = false
  #state: 'feeding' | 'full' | 'awaiting-deletes' | 'over' = 'feeding'

  constructor(member: Member, parts: Parts) {
    this.#member = member
    this.#parts = parts
    this.#cursor = new JoinCursor(parts.fromCheckpoint, parts.plan)
  }

  /** Sends what the socket takes. */
  feed(): void {
    let frames: Frame[] = []
    let bytes = 0
    for (let update = this.#cursor.next(); update !== null; update = this.#cursor.next()) {
      const frame = this.#member.encoder.update(update)
      frames.push(frame)
      bytes += frameBytes(frame)
      if (bytes < writeBytes) continue
      if (this.#member.port.feed(joinFrames(frames)) === 'full') return this.#waitForDrain(bytes)
      frames = []
      bytes = 0
    }
    if (!this.#addDeletes(frames)) return this.#waitForDeletes(frames)
    this.#caughtUp(frames)
  }

  drained(): void {
    if (this.#state !== 'full') return
    this.#cancelStall?.()
    this.#state = 'feeding'
    this.feed()
  }

  progressed(): void {
    if (this.#state !== 'full') return
    this.#cancelStall?.()
    this.#awaitProgress()
  }

  deletesKnown(): void {
    if (this.#state === 'awaiting-deletes') this.#finish()
  }

  cancel(): void {
    this.#state = 'over'
    this.#cancelStall?.()
    this.#cancelWait?.()
  }

  #waitForDrain(bytes: number): void {
    this.#state = 'full'
    const { joinStallMs, joinBytesPerSecondMin } = this.#parts.limits
    this.#stallMs = joinStallMs + (bytes / joinBytesPerSecondMin) * 1000
    this.#awaitProgress()
  }

  #awaitProgress(): void {
    const end = () => this.#member.port.end(new Fault('ERR_NO_PROGRESS'))
    this.#cancelStall = this.#parts.time.after(this.#stallMs, end)
  }

  /**
   * The deletions that the member lacks, once it is known which ones it has; false while it is not. Deletions of the
   * tail that were left out until then are among them, later ones are not.
   */
  #addDeletes(frames: Frame[]): boolean {
    const { document, plan } = this.#parts
    if (!plan.awaitsDeletes || this.#hasDeletes || this.#parts.deletes === 'none') return true
    const known = this.#parts.deletes === 'all' ? new ClockRuns() : this.#member.knownDeletes
    if (known === null) return false
    this.#hasDeletes = true
    this.#cursor.wantDeletes()
    const deletes = document.deletesBeyond(known)
    if (deletes.clientCount > 0) frames.push(this.#member.encoder.update(encodeDeleteSet(deletes)))
    return true
  }

  #waitForDeletes(frames: readonly Frame[]): void {
    if (frames.length > 0) this.#member.port.feed(joinFrames(frames))
    this.#state = 'awaiting-deletes'
    this.#cancelWait = this.#parts.time.after(this.#parts.limits.rejoinWaitMs, () => this.#finish())
  }

  /** A live member may have little queued, so what is more than that leaves before the member becomes live. */
  #caughtUp(frames: readonly Frame[]): void {
    const bytes = frames.reduce((sum, frame) => sum + frameBytes(frame), 0)
    if (bytes <= liveBytes) return this.#end(frames)
    if (this.#member.port.feed(joinFrames(frames)) === 'full') this.#waitForDrain(bytes)
    else this.#end([])
  }

  /** What became durable while we waited goes out first. */
  #finish(): void {
    this.#cancelWait?.()
    this.#member.knownDeletes ??= new ClockRuns()
    this.#state = 'feeding'
    this.feed()
  }

  #end(frames: readonly Frame[]): void {
    const member = this.#member
    const all = [...frames]
    for (let steps = this.#parts.takeSteps(); steps > 0; steps--) all.push(member.encoder.endMarker())
    this.#state = 'over'
    member.port.feed(joinFrames(all))
    this.#parts.onEnd()
  }
}
