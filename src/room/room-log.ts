/**
 * A document as a log: what lies behind a record, for who reads it by the numbers of records and not by state vectors. The
 * numbers are the store's: the same on every node and after a restart, and never given out twice.
 */
import type { Author } from '../../persistence/author.ts'
import type { Checkpoint } from '../document/checkpoint.ts'
import type { Document } from '../document/document.ts'
import { scanUpdate } from '../document/scan.ts'
import { type CheckpointReads, Superseded } from './checkpoint-reads.ts'
import type { Commits } from './commits.ts'
import type { JudgedUpdate } from './intake.ts'
import type { Life } from './journal.ts'
import { live, type Member } from './member.ts'

/** Updates in order, and the record up to which they bring whoever has what was asked for. Nobody writes into them. */
export type LogReading = { readonly updates: readonly Uint8Array[]; readonly position: number }

type Parts = {
  readonly life: Life
  readonly commits: Commits
  readonly checkpointReads: CheckpointReads
}

/** A record that brings nothing, so that there is a document. */
const emptyUpdate = Uint8Array.of(0, 0)
const beginning: JudgedUpdate = {
  update: emptyUpdate,
  scan: scanUpdate(emptyUpdate),
  judgement: { type: 'new', gap: null }
}

/** How often a checkpoint that was replaced while it was read is read again. */
const attemptsMax = 5

export class RoomLog {
  readonly #document: Document
  readonly #parts: Parts

  constructor(document: Document, parts: Parts) {
    this.#document = document
    this.#parts = parts
  }

  /** Whether there is such a document, be it empty. */
  get isStored(): boolean {
    return this.#parts.life.incarnation !== null
  }

  /** The number of the last record that is durable here. */
  get position(): number {
    return this.#document.tail.position
  }

  /** The number of the last record that members were sent. */
  get shown(): number {
    return this.#parts.commits.shownSequence
  }

  /** Resolves when what other nodes had written at the call is here. Rejects with a Fault. */
  upToDate(): Promise<void> {
    return new Promise((pass, fail) => this.#parts.commits.barrier(0, { pass, fail }))
  }

  /** Resolves when what is committed by now is durable and shown. Rejects with what ended the room. */
  durable(): Promise<void> {
    return this.#parts.commits.durable()
  }

  /** Sees to it that there is such a document. Resolves when that is durable, to whether there was none before. */
  async create(author: Author): Promise<boolean> {
    if (this.isStored) return false
    const { commits } = this.#parts
    const isFirst = commits.scannedTicket === 0
    if (isFirst) commits.commit(beginning, author)
    await this.durable()
    return isFirst
  }

  /** What lies behind the record, if that is at hand; else null, and `whole` has it. */
  after(sequence: number): LogReading | null {
    const { tail } = this.#document
    if (sequence < tail.completeAfter || sequence > tail.position) return null
    return { updates: this.#tailAfter(sequence), position: tail.position }
  }

  /** The same. A record that was never given out, or which a checkpoint has passed, is answered with all there is. */
  async behind(sequence: number): Promise<LogReading> {
    return this.after(sequence) ?? this.whole()
  }

  /** The whole document. Rejects with a Fault, or what the store threw. */
  async whole(): Promise<LogReading> {
    const segments = await this.#segments()
    return { updates: [...segments, ...this.#tailAfter(-1)], position: this.#document.tail.position }
  }

  /**
   * Of the checkpoint, if it is one update and contains all up to its last record: the number of that. Whoever has it goes
   * on with what lies behind. Null: there is none.
   */
  get wholeCheckpoint(): number | null {
    const { checkpoint, tail } = this.#document
    if (checkpoint === null || checkpoint.layout !== 'whole') return null
    const first = tail.head.next
    const isAll = first === null || first.lastSequence > tail.completeAfter
    return isAll ? tail.completeAfter : null
  }

  /** Its bytes; null when there is none of this number (any more). Rejects as `whole`. */
  async checkpointAt(sequence: number): Promise<Uint8Array | null> {
    if (this.wholeCheckpoint !== sequence) return null
    const [update = null] = await this.#segments()
    return this.wholeCheckpoint === sequence ? update : null
  }

  /** The member has everything up to `position` and gets each batch from now on. */
  follow(member: Member): void {
    member.phase = live
  }

  /** Those of the checkpoint that is there when they are. */
  async #segments(): Promise<readonly Uint8Array[]> {
    for (let attempt = 1; ; attempt++) {
      const { checkpoint } = this.#document
      if (checkpoint === null) return []
      const segments = await this.#read(checkpoint).catch(error => {
        if (error instanceof Superseded && attempt < attemptsMax) return null
        throw error
      })
      if (segments !== null && this.#document.checkpoint === checkpoint) return segments
    }
  }

  async #read(checkpoint: Checkpoint): Promise<readonly Uint8Array[]> {
    const plan = { type: 'segments', checkpoint, indexes: 'all' } as const
    return (
      this.#parts.checkpointReads.atHand(plan) ??
      this.#parts.checkpointReads.prepare(this.#document.name, plan)
    )
  }

  #tailAfter(sequence: number): Uint8Array[] {
    const updates: Uint8Array[] = []
    for (let node = this.#document.tail.head.next; node !== null; node = node.next) {
      if (node.update !== null && node.lastSequence > sequence) updates.push(node.update)
    }
    return updates
  }
}
