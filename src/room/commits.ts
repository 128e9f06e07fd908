/**
 * What a room takes into its document, and what follows from it. Read it from `commit` down: the order of the functions
 * is the order of the effects. Whose updates may be committed is the room's business.
 */
import type { Author } from '../../persistence/author.ts'
import type { RecordIdentity, Store } from '../../persistence/store.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { LoadWindow } from '../base/load-window.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import type { Document } from '../document/document.ts'
import { type AppendedRecord, appendRecord } from '../document/stored-document.ts'
import type { Awareness } from './awareness.ts'
import { Batches } from './batches.ts'
import { broadcast } from './broadcast.ts'
import type { NewCheckpoint } from './compaction.ts'
import type { Congestion } from './congestion.ts'
import { type JudgedUpdate, judgementOf } from './intake.ts'
import type { BatchWriter, Journal, Life, Refused } from './journal.ts'
import type { Start } from './log-order.ts'
import { Member } from './member.ts'
import type { Nodes } from './nodes.ts'
import { Restoring } from './restoring.ts'
import { SharedLog } from './shared-log.ts'
import { type Showable, Showing } from './showing.ts'
import type { Accepted, RestoreSource, Source } from './source.ts'
import { Uniting } from './uniting.ts'
import { Waiting } from './waiting.ts'
import { Watches } from './watches.ts'

export type CommitsParts = {
  readonly store: Store
  readonly journal: Journal
  readonly window: LoadWindow
  /** Null: this node is the only one. */
  readonly nodes: Nodes | null
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** The room, as far as commits have an effect on it. */
type Host = {
  readonly life: Life
  /** Where the load of the document ended, null for one that is not stored. */
  readonly start: Start | null
  readonly members: ReadonlySet<Member>
  readonly awareness: Awareness
  readonly congestion: Congestion
  isEnded(): boolean
  /** These updates are durable; or their write has failed, and may exist all the same. Before anyone sees them. */
  written(updates: readonly Source[]): void
  /** They, or another node's, are durable, and whoever is to see them was sent them. */
  shown(whose: 'own' | 'foreign'): void
  /** An append failed: nothing that was scanned since may be shown. */
  failed(fault: Fault): void
  /** The store has a checkpoint of this generation; 0: none. */
  checkpointIs(generation: number): void
}

export class Commits implements BatchWriter {
  readonly #document: Document
  readonly #parts: CommitsParts
  readonly #host: Host
  readonly #batches: Batches<Accepted>
  readonly #uniting: Uniting
  readonly #showing: Showing
  readonly #waiting = new Waiting()
  /** Null: no other node writes to the document. */
  readonly #log: SharedLog<readonly Accepted[]> | null
  /** Null where `#log` is. */
  readonly #restoring: Restoring | null
  /** Restores that were committed here, and those that were shown, of other nodes as well. */
  #restoresScanned = 0
  readonly watches: Watches
  #restoresShown = 0
  #shownSequence: number

  constructor(document: Document, parts: CommitsParts, host: Host) {
    this.#document = document
    this.#parts = parts
    this.#host = host
    const { time, journal, window } = parts
    const windowMs = () => window.sendingMs(host.members.size)
    // Not the parts with more added to them: a copy of them would be a tenth of what a room keeps.
    this.#batches = new Batches(this, { time, journal, windowMs })
    this.#showing = new Showing({
      time,
      windowMs,
      isWriting: () => this.#batches.writing.length > 0,
      show: showable => this.#show(showable)
    })
    this.#uniting = new Uniting(document, parts.slices)
    this.watches = new Watches(parts.limits)
    this.#log = parts.nodes === null ? null : this.#share(parts.nodes)
    this.#restoring = this.#log === null ? null : this.#restoringIn(this.#log)
    this.#shownSequence = host.start?.sequence ?? 0
  }

  #share(nodes: Nodes): SharedLog<readonly Accepted[]> {
    const { life, start } = this.#host
    const { metrics } = this.#parts
    return new SharedLog(
      { name: this.name, life, start },
      { ...this.#parts, nodes },
      {
        isAppending: () => this.#batches.writing.length > 0 || this.#isRestoring,
        showOwn: (batch, sequence) => {
          metrics.recordShown('own')
          this.#settle(batch, sequence)
        },
        showForeign: (record, sequence) => {
          metrics.recordShown('others')
          return this.#showForeign(record, sequence)
        },
        isOver: why => this.#host.failed(new Fault(why === 'deleted' ? 'ERR_DELETED' : 'ERR_ROOM_RESTARTS')),
        checkpointIs: generation => this.#host.checkpointIs(generation)
      }
    )
  }

  #restoringIn(log: SharedLog<readonly Accepted[]>): Restoring {
    return new Restoring(
      { ...this.#parts, log },
      {
        offer: () => this.#parts.journal.enqueue(this),
        ended: () => {
          if (!this.#host.isEnded()) this.#host.shown('own')
        }
      }
    )
  }

  get name(): string {
    return this.#document.name
  }

  get life(): Life {
    return this.#host.life
  }

  /** The number of the last update that was committed. */
  get scannedTicket(): number {
    return this.#batches.scannedTicket
  }

  /** The number up to which everything is durable. */
  get durableTicket(): number {
    return this.#batches.durableTicket
  }

  /** The number of the last record that was shown to members. */
  get shownSequence(): number {
    return this.#shownSequence
  }

  get isDurable(): boolean {
    return this.#batches.isDurable && this.#restoring?.isUnderWay !== true
  }

  /** How many restores of the document were durable and shown since the room was opened. */
  get restores(): number {
    return this.#restoresShown
  }

  /**
   * I1: the one way into the document. The update is kept. Returns what the update hangs on and is unknown, or null.
   * What follows: `takeBatch` hands it to the journal's next synced write; `batchDurable` has it shown, or `batchFailed`
   * ends the room. Throws ERR_UPDATE_TOO_LARGE; the caller has scanned it, so it is well-formed.
   */
  commit(judged: JudgedUpdate, by: Member | Author): string | null {
    const { update, scan, sets } = judged
    const judgement = judgementOf(this.#document, judged)
    if (judgement.type === 'known') {
      this.#parts.metrics.updateKnown()
      return null
    }
    this.#checkRoomFor(judged)
    this.#document.hold(sets === undefined ? { update, scan } : { update, scan, sets })
    const source = by instanceof Member ? { author: by.author, member: by } : { author: by, member: null }
    this.watches.came(update)
    this.#batches.add({ ...source, update, timeMs: this.#parts.time.wallMs() })
    this.#parts.metrics.updateAccepted(update.length)
    return judgement.gap
  }

  /**
   * Commits what was computed from a state, in a record of its own, if its condition holds. Resolves with the number of its
   * record when it is durable and shown; with null, when the condition does not hold: nothing was committed. Rejects with
   * ERR_UPDATE_TOO_LARGE or ERR_OVERLOADED, and nothing was committed; or with what ended the room, and it may have been.
   */
  async restore(judged: JudgedUpdate, source: RestoreSource): Promise<number | null> {
    this.#checkRoomFor(judged)
    const { update, scan, sets } = judged
    const { author } = source
    const accepted = { author, update, timeMs: this.#parts.time.wallMs() }
    const isStill = () => ('watch' in source ? source.watch.isUntouched() : this.#restores === source.seen)
    if (this.#restoring !== null) {
      const sequence = await this.#restoring.commit(accepted, isStill)
      if (!this.#host.isEnded()) this.#showing.flush()
      return sequence
    }
    if (!isStill()) {
      await this.durable()
      return null
    }
    if (author.origin === 'restore') this.#restoresScanned++
    this.watches.came(update)
    this.#document.hold(sets === undefined ? { update, scan } : { update, scan, sets })
    let at = 0
    const settled = (sequence: number) => {
      at = sequence
    }
    this.#batches.add({ ...accepted, member: null, settled })
    this.#parts.metrics.updateAccepted(update.length)
    return new Promise((resolve, fail) => {
      this.#waiting.add({ ticket: this.scannedTicket, pass: () => resolve(at), fail })
    })
  }

  /** Where nobody else writes, those that are under way count. */
  get #restores(): number {
    return this.#restoring === null ? this.#restoresScanned : this.#restoresShown
  }

  #checkRoomFor({ update, scan, sets }: JudgedUpdate): void {
    const { limits } = this.#parts
    if (this.#document.bytes + update.length > limits.documentBytesMax) {
      throw new Fault(
        'ERR_UPDATE_TOO_LARGE',
        `the document would exceed its limit by an update of ${update.length}`
      )
    }
    const exceeded = this.#document.wouldExceed(scan, limits, sets?.adds)
    if (exceeded !== null)
      throw new Fault('ERR_UPDATE_TOO_LARGE', `the document would have too many ${exceeded}`)
  }

  takeBatch(): Uint8Array | null {
    return this.#restoring?.take() ?? this.#batches.take()
  }

  get takenIfHead(): number | null {
    return this.#restoring?.taken?.ifHead ?? null
  }

  get #isRestoring(): boolean {
    return this.takenIfHead !== null
  }

  batchDurable(sequence: number, identity: RecordIdentity): void {
    if (this.#isRestoring) return this.#restoreDurable(sequence, identity)
    const { batch, record } = this.#batches.written()
    this.#host.written(batch)
    if (this.#log === null) this.#settle(batch, sequence)
    // Others may have written before it: it is shown in the log's order.
    else this.#log.appended({ sequence, identity, record, own: batch })
  }

  /** It was not scanned as what members send is, so that it could be refused: it is shown as another node's would be. */
  #restoreDurable(sequence: number, identity: RecordIdentity): void {
    this.#host.written(this.#restoresTaken())
    this.#restoring?.durable(sequence, identity)
    // What was gathered meanwhile was offered, and not taken.
    this.#parts.journal.enqueue(this)
  }

  #settle(batch: readonly Accepted[], sequence: number): void {
    const [first] = batch
    if (first?.author.origin === 'restore') this.#restoresShown++
    first?.settled?.(sequence)
    this.#batches.settle(batch.length)
    this.#document.settle(batch.length, sequence)
    this.#uniting.after(batch)
    if (!this.#host.isEnded()) this.#showing.own(batch, sequence)
  }

  /** A record of another node: shown as if it had been committed here, but for who is told that it is saved. */
  #showForeign(record: Uint8Array, sequence: number): Promise<void> | null {
    const work = appendRecord(this.#document, { sequence, record })
    const first = work.next()
    if (first.done === true) return this.#foreignShown(first.value, sequence)
    return this.#parts.slices.run(work, null).then(appended => void this.#foreignShown(appended, sequence))
  }

  #foreignShown({ updates, isRestore, unreadable }: AppendedRecord, shown: number): null {
    if (isRestore) this.#restoresShown++
    for (const { sequence, cause } of unreadable) {
      this.#parts.log.error(
        { document: this.name, sequence, error: cause },
        'an update of another node could not be read; left out'
      )
    }
    this.#uniting.after([])
    for (const update of updates) this.watches.came(update)
    const batch = updates.map(update => ({ update, member: null }))
    if (!this.#host.isEnded()) this.#showing.foreign(batch, shown)
    return null
  }

  /**
   * All that members are shown of the document's changes: they get the updates; then the barriers that waited for them
   * pass; then their authors' awareness follows.
   */
  #show({ updates, sequence, whose }: Showable): void {
    const { members, awareness, congestion } = this.#host
    this.#shownSequence = Math.max(this.#shownSequence, sequence)
    if (updates.length > 0) broadcast(members, updates, this.durableTicket)
    this.#waiting.reached(this.durableTicket)
    awareness.updatesSent()
    congestion.settled()
    this.#host.shown(whose)
  }

  batchFailed(cause: unknown): void {
    this.#parts.log.error(
      { error: cause, document: this.name },
      'the batch failed; the room ends on this node'
    )
    this.#host.written([...this.#batches.writing, ...this.#restoresTaken()])
    this.#host.failed(new Fault('ERR_STORE', 'the append failed', { cause }))
  }

  /** What is being written, if that is a restore. */
  #restoresTaken(): readonly Source[] {
    const author = this.#restoring?.taken?.logged.author
    return author == null ? [] : [{ author, member: null }]
  }

  /** The life of the document that it was opened with has ended, or has begun elsewhere. */
  batchRefused(answer: Refused): void {
    if (answer.outcome === 'conflict' && this.#isRestoring) {
      this.#restoring?.conflicted(answer.head)
      return this.#parts.journal.enqueue(this)
    }
    if (answer.outcome === 'conflict') return this.#host.failed(new Fault('ERR_ROOM_RESTARTS'))
    if (this.#log === null) return this.#host.failed(new Fault('ERR_DELETED'))
    // A life has come and gone that this room never heard of: its members have not been shown it.
    if (this.#host.life.incarnation === null) return this.#host.failed(new Fault('ERR_ROOM_RESTARTS'))
    this.#log.isOver(answer.floor)
  }

  /**
   * Calls `pass` when what is up to the ticket is durable and shown, and everything that other nodes had in the store at
   * the call: at once if it is. Calls neither if the room ends before: whoever waits ends with it.
   */
  barrier(ticket: number, { pass, fail }: { pass: () => void; fail: (fault: Fault) => void }): void {
    const log = this.#log
    if (log === null) return this.#waiting.add({ ticket, pass, fail: () => {} })
    const caughtUp = () => {
      if (!this.#host.isEnded()) pass()
    }
    const failed = (error: unknown) => {
      if (!this.#host.isEnded()) fail(toFault(error))
    }
    this.#waiting.add({ ticket, pass: () => void log.caughtUp().then(caughtUp, failed), fail: () => {} })
  }

  /** Resolves when what is committed by now is durable and shown. Rejects with what ended the room. */
  durable(): Promise<void> {
    return this.#waiting.until(this.scannedTicket)
  }

  /** Hands what is gathered to the journal without waiting for more. */
  flush(): void {
    this.#batches.flush()
  }

  /** Resolves when the log is shown up to this number, which is in the store. Rejects with what ended the room. */
  async shownTo(sequence: number): Promise<void> {
    await this.#log?.reached(sequence)
    if (!this.#host.isEnded()) this.#showing.flush()
  }

  /** The store has a new checkpoint, and everything it stands for was shown. */
  compacted({ checkpoint, meta, sequence, carried }: NewCheckpoint): void {
    this.#document.restore(checkpoint, meta)
    this.#uniting.after([])
    this.#document.tail.compacted(sequence, carried)
  }

  /** The room has ended: what the journal has not taken is dropped. */
  close(fault: Fault): void {
    this.#log?.close(fault)
    this.#restoring?.close(fault)
    this.#showing.close()
    this.#batches.abandon()
    this.#waiting.failed(fault)
  }
}
