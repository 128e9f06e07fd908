/** Begins joins: plans what a member is to be sent, has it prepared if it is not at hand, and starts feeding. */
import type { Document } from '../document/document.ts'
import { type JoinPlan, planJoin } from '../document/sync.ts'
import { toFault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Pacer } from '../pacer.ts'
import type { Time } from '../time.ts'
import type { CheckpointCache } from './checkpoint-cache.ts'
import { type JoinHeads, Superseded } from './join-heads.ts'
import { Joining } from './joining.ts'
import type { Member } from './member.ts'

type Parts = {
  readonly cache: CheckpointCache
  readonly heads: JoinHeads
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

export class Joins {
  readonly #document: Document
  readonly #parts: Parts
  readonly #host: Host

  constructor(document: Document, parts: Parts, host: Host) {
    this.#document = document
    this.#parts = parts
    this.#host = host
  }

  /** `vector`: what the member has. Checkpoint and tail are captured now; later updates follow from the tail. */
  begin(member: Member, vector: ReadonlyMap<number, number>): void {
    const plan = planJoin(this.#document, vector)
    const head = this.#parts.heads.atHand(plan.head)
    this.#parts.cache.used(this.#document)
    member.phase = { type: 'preparing' }
    if (head !== null) this.#parts.pacer.run(() => this.#feed(member, plan, head))
    else void this.#prepare(member, plan)
  }

  async #prepare(member: Member, plan: JoinPlan): Promise<void> {
    try {
      const head = await this.#parts.heads.prepare(this.#document.name, plan.head)
      this.#parts.cache.used(this.#document)
      this.#parts.pacer.run(() => this.#feed(member, plan, head))
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
    const isCurrent = () => plan.head.type !== 'nothing' && plan.head.checkpoint === this.#document.checkpoint
    if (isCurrent()) await this.#host.compactionOver()
    if (!this.#host.isHere(member)) return
    if (isCurrent()) this.#host.isStale()
    else this.begin(member, plan.vector)
  }

  #feed(member: Member, plan: JoinPlan, head: readonly Uint8Array[]): void {
    if (!this.#host.isHere(member)) return
    const { time, limits } = this.#parts
    const onLive = () => this.#host.isLive(member)
    const feed = new Joining(member, { document: this.#document, plan, head, time, limits, onLive })
    member.phase = { type: 'joining', feed }
    try {
      feed.feed()
    } catch (error) {
      this.#failed(member, error)
    }
  }
}
