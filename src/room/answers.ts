/**
 * Answers SyncStep1s. A member's first one is its join; a later one may be of another replica behind the same socket, or
 * of one that has lost something, and is answered by what its vector lacks. One answer at a time for each member: what
 * is asked meanwhile is answered together by the next.
 */

import { toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Pacer } from '../base/pacer.ts'
import type { Time } from '../base/time.ts'
import { repeatFrame } from '../dialect/frame.ts'
import type { Document } from '../document/document.ts'
import { covers, type JoinPlan, planJoin } from '../document/sync.ts'
import type { CheckpointCache } from './checkpoint-cache.ts'
import { type CheckpointReads, Superseded } from './checkpoint-reads.ts'
import { type Asked, feedOf, type Member, type Resync } from './member.ts'
import { MemberFeed } from './member-feed.ts'

type Parts = {
  readonly cache: CheckpointCache
  readonly checkpointReads: CheckpointReads
  readonly pacer: Pacer
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

type Host = {
  /** Whether the member still is in a room that goes on. */
  isHere(member: Member): boolean
  /** The member has everything durable and its end marker. */
  isLive(member: Member): void
  /** Resolves when no compaction of this document is under way. */
  compactionOver(): Promise<void>
  /** The store has moved on without this room. */
  isStale(): void
}

export class Answers {
  readonly #document: Document
  readonly #parts: Parts
  readonly #host: Host

  constructor(document: Document, parts: Parts, host: Host) {
    this.#document = document
    this.#parts = parts
    this.#host = host
  }

  /** Everything the member sent before it asked is durable. `vector`: what whoever asks has. */
  answer(member: Member, vector: ReadonlyMap<number, number>): void {
    if (member.phase.type === 'greeted') {
      member.stepsOwed++
      member.phase = { type: 'preparing' }
      return this.#begin(member, vector)
    }
    this.#ask(member, { vector, steps: 1 })
  }

  /** The member has left, or the room is over. */
  cancel(member: Member): void {
    feedOf(member)?.cancel()
  }

  #ask(member: Member, asked: Asked): void {
    if (member.phase.type === 'live' && member.resync === null) return this.#resync(member, asked)
    const { vector, steps } = member.asked ?? { vector: asked.vector, steps: 0 }
    member.asked = { vector: lower(vector, asked.vector), steps: steps + asked.steps }
  }

  /** Checkpoint and tail are captured now; later updates follow from the tail. */
  #begin(member: Member, vector: ReadonlyMap<number, number>): void {
    const plan = planJoin(this.#document, vector)
    const fromCheckpoint = this.#parts.checkpointReads.atHand(plan.fromCheckpoint)
    this.#parts.cache.used(this.#document)
    if (fromCheckpoint !== null) this.#parts.pacer.run(() => this.#feed(member, plan, fromCheckpoint))
    else void this.#prepare(member, plan)
  }

  /** Most ask only whether what they sent is durable, and have everything: they get the end marker alone. */
  #resync(member: Member, asked: Asked): void {
    const lacksStructs = !this.#document.isCoveredBy(asked.vector)
    if (!lacksStructs && !this.#mayLackDeletes(member)) {
      const marker = member.encoder.endMarker()
      member.port.send(asked.steps === 1 ? marker : repeatFrame(marker, asked.steps))
      return
    }
    member.resync = { feed: null, asked }
    this.#begin(member, asked.vector)
  }

  /**
   * A state vector does not show deletions. Few are sent whenever somebody asks; more of them once in a while, as who
   * asks after each edit would be sent them each time.
   */
  #mayLackDeletes(member: Member): boolean {
    const { resyncDeletesMax, resyncDeletesMs } = this.#parts.limits
    const deletions = this.#document.deletionsUpTo(resyncDeletesMax)
    if (deletions !== 'many') return deletions === 'few'
    return this.#parts.time.nowMs() - member.deletesSentMs >= resyncDeletesMs
  }

  async #prepare(member: Member, plan: JoinPlan): Promise<void> {
    try {
      const fromCheckpoint = await this.#parts.checkpointReads.prepare(
        this.#document.name,
        plan.fromCheckpoint
      )
      this.#parts.cache.used(this.#document)
      this.#parts.pacer.run(() => this.#feed(member, plan, fromCheckpoint))
    } catch (error) {
      if (error instanceof Superseded) return this.#again(member, plan)
      this.#failed(member, error)
    }
  }

  #failed(member: Member, error: unknown): void {
    if (!this.#host.isHere(member)) return
    this.#parts.log.error({ error, document: this.#document.name }, 'join failed')
    member.port.end(toFault(error))
  }

  /**
   * A checkpoint that was replaced while it was read is no fault: the next one is here, or will be when the compaction
   * that wrote it is over. If it is not (a write that failed may exist), what this room has in memory is of no use.
   */
  async #again(member: Member, plan: JoinPlan): Promise<void> {
    const isCurrent = () =>
      plan.fromCheckpoint.type !== 'nothing' && plan.fromCheckpoint.checkpoint === this.#document.checkpoint
    if (isCurrent()) await this.#host.compactionOver()
    if (!this.#host.isHere(member)) return
    if (isCurrent()) this.#host.isStale()
    else this.#begin(member, plan.vector)
  }

  #feed(member: Member, plan: JoinPlan, fromCheckpoint: readonly Uint8Array[]): void {
    if (!this.#host.isHere(member)) return
    const { time, limits } = this.#parts
    const shared = { document: this.#document, plan, fromCheckpoint, time, limits }
    const feed =
      member.resync === null
        ? new MemberFeed(member, { ...shared, ...this.#joinOf(member) })
        : new MemberFeed(member, { ...shared, ...this.#resyncOf(member, member.resync) })
    if (member.resync === null) member.phase = { type: 'joining', feed }
    else member.resync.feed = feed
    try {
      feed.feed()
    } catch (error) {
      this.#failed(member, error)
    }
  }

  #joinOf(member: Member) {
    return {
      deletes: 'lacking' as const,
      takeSteps: () => {
        const steps = member.stepsOwed
        member.stepsOwed = 0
        return steps
      },
      onEnd: () => {
        member.knownDeletes = null
        member.deletesSentMs = this.#parts.time.nowMs()
        this.#host.isLive(member)
        this.#next(member)
      }
    }
  }

  #resyncOf(member: Member, { asked }: Resync) {
    member.deletesSentMs = this.#parts.time.nowMs()
    return {
      deletes: 'all' as const,
      takeSteps: () => asked.steps,
      onEnd: () => {
        member.resync = null
        this.#next(member)
      }
    }
  }

  /** What was asked meanwhile, in one of the next turns: whoever asks again and again must not be all that is done. */
  #next(member: Member): void {
    const { asked } = member
    if (asked === null) return
    member.asked = null
    this.#parts.pacer.run(() => {
      if (this.#host.isHere(member)) this.#ask(member, asked)
    })
  }
}

/** What both have. */
function lower(
  one: ReadonlyMap<number, number>,
  other: ReadonlyMap<number, number>
): ReadonlyMap<number, number> {
  if (covers(one, other)) return other
  if (covers(other, one)) return one
  const both = new Map<number, number>()
  for (const [client, clock] of one) {
    const least = Math.min(clock, other.get(client) ?? 0)
    if (least > 0) both.set(client, least)
  }
  return both
}
