/**
 * One join: feeds a member from its cursor as the socket drains, until the member has everything durable; then the
 * end marker, and it is live. Nothing is queued for it meanwhile.
 */
import { type Frame, frameBytes, joinFrames } from '../dialect/frame.ts'
import { ClockRuns, encodeDeleteSet } from '../document/clocks.ts'
import type { Document } from '../document/document.ts'
import { JoinCursor, type JoinPlan } from '../document/sync.ts'
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Cancel, Time } from '../time.ts'
import type { Feed, Member } from './member.ts'

type Parts = {
  readonly document: Document
  readonly plan: JoinPlan
  /** What the plan's head came to: updates in the order to send them. */
  readonly head: readonly Uint8Array[]
  readonly time: Time
  readonly limits: Limits
  /** Everything durable and the end marker are on their way: from now on the member gets each batch. */
  readonly onLive: () => void
}

/** Small updates go out together up to this size, in one write. */
const writeBytes = 64 * 1024

/** Up to this size the last updates leave in one write with the end marker. */
const liveBytes = 16 * 1024

export class Joining implements Feed {
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
    this.#cursor = new JoinCursor(parts.head, parts.plan)
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
    if (!plan.awaitsDeletes || this.#hasDeletes) return true
    if (this.#member.knownDeletes === null) return false
    this.#hasDeletes = true
    this.#cursor.wantDeletes()
    const deletes = document.deletes.subtract(this.#member.knownDeletes)
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
    for (; member.stepsOwed > 0; member.stepsOwed--) all.push(member.encoder.endMarker())
    this.#state = 'over'
    member.knownDeletes = null
    member.port.feed(joinFrames(all))
    this.#parts.onLive()
  }
}
