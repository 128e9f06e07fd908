/**
 * A room's end of a log that other nodes write to as well: what was appended here is told to them, what they tell is put
 * in order, and the store is asked for the rest. What showing means is the room's.
 */
import type { DocumentHead, Floor, RecordIdentity, Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { type Time, within } from '../base/time.ts'
import { FollowedLog, type LogHost } from './followed-log.ts'
import type { Life } from './journal.ts'
import type { Start } from './log-order.ts'
import type { Followed, Known, Nodes, Notice } from './nodes.ts'

type Limits = {
  readonly foreignBytesMax: number
  readonly gapWaitMs: number
  readonly gapRetryMs: number
  readonly gapRecordsMax: number
  readonly gapBytesMax: number
  readonly freshHeadMs: number
}

type Parts = {
  readonly store: Store
  readonly nodes: Nodes
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Pick<Metrics, 'recordsRead'>
  readonly log: Log
}

/** A document as it was opened. `start`: where the load ended, null for a document that is not stored. */
type Opened = { readonly name: string; readonly life: Life; readonly start: Start | null }

/** A record that is in the store. */
type AppendedRecord = {
  readonly sequence: number
  readonly identity: RecordIdentity
  readonly record: Uint8Array
}

/** A batch that is in the store. `own`: what the room calls it. */
export type Appended<Own> = AppendedRecord & { readonly own: Own }

/** The room, as far as other nodes have an effect on it. */
export type SharedHost<Own> = LogHost<Own> & {
  /** The store has a checkpoint of this generation; 0: none. */
  checkpointIs(generation: number): void
}

export class SharedLog<Own> implements Followed {
  readonly #opened: Opened
  readonly #parts: Parts
  readonly #host: SharedHost<Own>
  readonly #log: FollowedLog<Own>
  readonly #unfollow: () => void
  /** One question is under way, and all who ask meanwhile share the next: so many ask that each cannot have its own. */
  #asking: Promise<void> | null = null
  #askingNext: Promise<void> | null = null

  constructor(opened: Opened, parts: Parts, host: SharedHost<Own>) {
    this.#opened = opened
    this.#parts = parts
    this.#host = host
    const { time, limits, log } = parts
    const source = { after: (sequence: number) => this.#after(sequence) }
    this.#log = new FollowedLog(opened.start, { node: parts.nodes.node, source, host, time, limits, log })
    this.#unfollow = parts.nodes.follow(opened.name, this)
  }

  get known(): Known {
    return { incarnation: this.#opened.life.incarnation, visible: this.#log.visible }
  }

  /** Everything that this node knows of is shown, which is up to this number; null: something is not yet. */
  get complete(): number | null {
    return this.#log.complete
  }

  appended({ own, ...appended }: Appended<Own>): void {
    this.#announce(appended)
    this.#log.appended(appended, own)
  }

  /** A record that was appended here and is no batch of the room: shown as if it were another node's. */
  appendedRecord(appended: AppendedRecord): void {
    this.#announce(appended)
    this.#log.appendedRecord(appended, appended.record)
  }

  #announce(appended: AppendedRecord): void {
    const { incarnation } = this.#opened.life
    if (incarnation !== null) this.#parts.nodes.announce(this.#opened.name, { incarnation, ...appended })
  }

  heard({ incarnation, sequence, identity, record }: Notice): void {
    const { life } = this.#opened
    // It may speak of a life that is over: the store says which one is the present one.
    if (life.incarnation !== incarnation) this.changed()
    else this.#log.heard({ sequence, identity }, record)
  }

  changed(): void {
    // Should the store not answer, the next look at the heads finds it.
    void this.caughtUp().catch(() => {})
  }

  headIs({ incarnation, generation, head, identity, floor }: DocumentHead, known: Known): void {
    const { life } = this.#opened
    // An append has begun a life since the question was put, and the answer may speak of the time before.
    if (life.incarnation !== known.incarnation && life.incarnation !== incarnation) return
    life.incarnation ??= incarnation
    if (life.incarnation !== incarnation) return this.isOver(floor)
    if (this.#hasMissedLife(floor)) return this.#log.isBehind()
    if (incarnation === null) return
    this.#log.headIs({ head, visible: known.visible, identity })
    this.#host.checkpointIs(generation)
  }

  /**
   * The room was opened while nothing was stored, and a life has come and gone between that and the present one: it is in
   * no tombstone that the room has, so an old copy of it would be taken for something new.
   */
  #hasMissedLife(floor: Floor): boolean {
    const { start, life } = this.#opened
    return start === null && floor !== null && life.floor !== null && floor !== life.floor
  }

  /** The store has no such life, or another one: deleted, or put back. */
  isOver(floor: Floor): void {
    this.#log.isOver(floor)
  }

  /** Resolves when everything up to the number, which is in the store, is shown. Rejects with what ended the room. */
  reached(sequence: number): Promise<void> {
    const { visible } = this.#log
    // Nobody may have told of it yet.
    if (sequence > visible) this.#log.headIs({ head: sequence, visible, identity: null })
    return this.#log.reached(sequence)
  }

  /** Resolves when everything that was in the store at the call is shown. Rejects with ERR_STORE, or what ended the room. */
  caughtUp(): Promise<void> {
    if (this.#asking === null) return this.#ask()
    this.#askingNext ??= this.#asking
      .catch(() => {})
      .then(() => {
        this.#askingNext = null
        return this.#ask()
      })
    return this.#askingNext
  }

  #ask(): Promise<void> {
    const asking = this.#catchUp().finally(() => {
      if (this.#asking === asking) this.#asking = null
    })
    this.#asking = asking
    return asking
  }

  async #catchUp(): Promise<void> {
    const { nodes, time, limits } = this.#parts
    const { known } = this
    const head = await nodes.freshHead({ document: this.#opened.name, at: known.visible })
    this.headIs(head, known)
    const late = new Fault('ERR_STORE', 'what other nodes have written cannot be read')
    await within(this.#log.reached(head.head), { time, ms: limits.freshHeadMs, late })
  }

  close(fault: Fault): void {
    this.#unfollow()
    this.#log.close(fault)
  }

  async #after(sequence: number) {
    const { store, limits, metrics } = this.#parts
    const { incarnation } = this.#opened.life
    if (incarnation === null) return { outcome: 'records', records: [], head: 0 } as const
    const most = { records: limits.gapRecordsMax, bytes: limits.gapBytesMax }
    const read = await store.recordsAfter(this.#opened.name, incarnation, sequence, most)
    metrics.recordsRead(read.outcome === 'records' ? read.records.length : 0)
    return read
  }
}
