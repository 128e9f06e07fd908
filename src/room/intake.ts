/**
 * Received bytes on their way to a commit: copied, bounded, scanned; or refused, and then set aside before their
 * connection is closed, so that nothing typed is beyond recovery.
 */
import type { Store } from '../../persistence/store.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Payer, Slices, Work } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { Timers } from '../base/timers.ts'
import { ClockRuns } from '../document/clocks.ts'
import { type Document, type Judgement, rangesAtOnceMax, rangesOf, setsOf } from '../document/document.ts'
import { type ScanBounds, scanInSteps, scanUpdate, type UpdateScan } from '../document/scan.ts'
import { readStateVector } from '../document/state-vector.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { KeptCopies } from './kept-copies.ts'
import { KnownAnswers } from './known-answers.ts'
import type { Member } from './member.ts'
import type { Refusals } from './refusals.ts'
import type { SetAsides } from './set-asides.ts'

type Parts = {
  readonly store: Store
  readonly refusals: Refusals
  readonly setAsides: SetAsides
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
  readonly log: Log
}

/** An update as it may be committed in this turn; `judgement` where it was made in slices. */
export type JudgedUpdate = ScannedUpdate & { readonly judgement?: Judgement }

type Commit = (judged: JudgedUpdate) => void

/** A longer state vector is read in slices. */
const vectorBytesMax = 16 * 1024

/** A longer update is scanned in slices, even where `scanBytesMax` is more: so much of the worst kind takes some milliseconds. */
const scannedAtOnceMax = 64 * 1024

/** What a socket reads at once is not longer: a longer message lies in memory of its own, which may be kept. */
const readBytesMax = 64 * 1024

export class Intake {
  readonly #document: Document
  readonly #parts: Parts
  readonly #copies: KeptCopies
  readonly #answers: KnownAnswers<JudgedUpdate>
  readonly #timers: Timers
  #isClosed = false

  constructor(document: Document, parts: Parts) {
    this.#document = document
    this.#parts = parts
    this.#answers = new KnownAnswers(parts.limits)
    this.#timers = new Timers(parts.time)
    this.#copies = new KeptCopies(document.name, parts)
  }

  /**
   * Calls `commit` with the update as bytes of its own, at once or, for a large one, after some turns in which its
   * connection is held. What `commit` throws refuses the update too.
   */
  take(member: Member, received: Uint8Array, commit: Commit): void {
    const known = this.#answers.find(received)
    if (known !== null) return this.#attempt(member, known.update, () => commit(known))
    const update = kept(received)
    const { documentBytesMax, scanBytesMax } = this.#parts.limits
    if (update.length > documentBytesMax) {
      this.#refuse(member, update, new Fault('ERR_UPDATE_TOO_LARGE', `an update of ${update.length} bytes`))
    } else if (update.length <= Math.min(scanBytesMax, scannedAtOnceMax)) {
      this.#attempt(member, update, () => this.#takeSmall(member, update, commit))
    } else {
      void this.#takeInSlices(member, update, () => this.#large(update, commit))
    }
  }

  /** Reads a state vector, at once or as a large update is taken. */
  readVector(member: Member, received: Uint8Array, use: (vector: Map<number, number>) => void): void {
    const limits = { clientsMax: this.#parts.limits.stateVectorEntriesMax }
    const bytes = received.length > vectorBytesMax ? kept(received) : received
    const work = readStateVector(bytes, limits)
    // What it announces is judged before it waits.
    let step = work.next()
    if (bytes.length > vectorBytesMax) return void this.#readInSlices(member, work, use)
    while (step.done !== true) step = work.next()
    use(step.value)
  }

  /** Ends a member that has sent nothing to set aside. */
  refuse(member: Member, fault: Fault): void {
    if (!member.isRefused) this.#refuse(member, null, fault)
  }

  /** Leaves no timer; the room ends its members itself. */
  close(): void {
    this.#isClosed = true
    this.#answers.clear()
    this.#timers.clear()
  }

  #takeSmall(member: Member, update: Uint8Array, commit: Commit): void {
    const scan = scanUpdate(update, scanBounds(this.#parts.limits))
    if (rangesOf(scan) <= rangesAtOnceMax) commit(this.#judgedAtOnce({ update, scan }))
    else void this.#takeInSlices(member, update, () => this.#judged({ update, scan }, commit))
  }

  /** Most are judged by their commit; those that others will send as well are judged once. */
  #judgedAtOnce(scanned: ScannedUpdate): JudgedUpdate {
    if (!this.#answers.mayAdd(scanned)) return scanned
    const judgement = this.#document.judge(scanned.scan)
    if (judgement.type === 'new') return { ...scanned, judgement }
    const sets = { structs: new ClockRuns(), deletes: ClockRuns.from(scanned.scan.deletes) }
    return this.#remember({ ...scanned, sets, judgement })
  }

  #remember(judged: JudgedUpdate): JudgedUpdate {
    if (this.#answers.isEmpty) {
      this.#timers.after(this.#parts.limits.knownAnswersMs, () => this.#answers.clear())
    }
    this.#answers.add(judged)
    return judged
  }

  *#large(update: Uint8Array, commit: Commit): Work<void> {
    // Another one may have been through it while this one waited for its turn.
    const known = this.#answers.find(update)
    if (known !== null) return commit(known)
    const scan = yield* scanInSlices(update, this.#parts.limits)
    yield* this.#judged({ update, scan }, commit)
  }

  /** The commit belongs to the last step, so that nothing is between it and the judgement. */
  *#judged(scanned: ScannedUpdate, commit: Commit): Work<void> {
    const judged = yield* judgedInSlices(this.#document, scanned)
    if (judged.judgement?.type === 'known' && this.#answers.mayAdd(judged)) this.#remember(judged)
    commit(judged)
  }

  /** The connection is held meanwhile, so that nothing overtakes, and pays for the time. Never rejects. */
  async #takeInSlices(member: Member, update: Uint8Array, work: () => Work<void>): Promise<void> {
    member.port.hold()
    try {
      await this.#parts.slices.run(work(), payerOf(member))
    } catch (error) {
      if (!this.#isClosed) this.#refuse(member, update, toFault(error))
    } finally {
      member.port.release()
    }
  }

  async #readInSlices<T>(member: Member, work: Work<T>, use: (result: T) => void): Promise<void> {
    member.port.hold()
    try {
      await this.#parts.slices.run(used(work, use), payerOf(member))
    } catch (error) {
      member.port.end(toFault(error))
    } finally {
      member.port.release()
    }
  }

  #attempt(member: Member, update: Uint8Array, commit: () => void): void {
    try {
      commit()
    } catch (error) {
      this.#refuse(member, update, toFault(error))
    }
  }

  #refuse(member: Member, update: Uint8Array | null, fault: Fault): void {
    member.isRefused = true
    const notSaved = member.encoder.notSaved(fault.code === 'ERR_OLD_COPY' ? 'old-copy' : 'malformed')
    if (notSaved !== null) member.port.send(notSaved)
    const { refusals, setAsides, log } = this.#parts
    const count = refusals.add(member.person.peer)
    const { user, connection } = member.author
    const context = { document: this.#document.name, user, connection }
    log.warn(
      { ...context, error: fault },
      update === null ? 'a client was refused' : 'update refused and set aside'
    )
    setAsides
      .track(this.#setAside(member, update, fault))
      .catch((error: unknown) => log.error({ ...context, error }, 'could not set an update aside'))
      .finally(() => this.#end(member, fault, count))
  }

  /** Who may not write leaves nothing in the store, not even here. */
  async #setAside(member: Member, update: Uint8Array | null, fault: Fault): Promise<void> {
    if (update === null || member.access !== 'write') return
    const { setAsides, time } = this.#parts
    const { source } = member.person
    const entry = { author: member.author, timeMs: time.wallMs(), reason: fault.message, bytes: update }
    if (fault.code === 'ERR_OLD_COPY') await this.#copies.setAside(source, entry)
    else await setAsides.add(this.#document.name, source, entry)
  }

  /** Whoever keeps coming back with what is refused is answered ever more slowly, and nobody else is. */
  #end(member: Member, fault: Fault, count: number): void {
    const end = () => member.port.end(count > 1 ? repeated(fault) : fault)
    const delayMs = this.#isClosed ? 0 : this.#parts.refusals.delayMs(count)
    if (delayMs === 0) return end()
    member.port.pause()
    this.#timers.after(delayMs, end)
  }
}

/** As `scanUpdate`, in slices. The bytes must not change meanwhile. */
export function scanInSlices(update: Uint8Array, limits: Limits): Work<UpdateScan> {
  return scanInSteps(update, scanBounds(limits))
}

/**
 * I9: the bytes of a small message are a view into what the socket read, and are copied. Those of a large one are kept, as
 * pages of new memory cost more than the copy; they would not be if most of that memory were somebody else's.
 */
function kept(received: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = received
  const isOwn = length > readBytesMax && length > buffer.byteLength / 2
  return isOwn ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(received)
}

function payerOf({ port, person }: Member): Payer {
  return { spent: spentMs => port.charge(spentMs), sender: person.peer }
}

/** What is made of the result is part of the work, and paid for. */
function* used<T>(work: Work<T>, use: (result: T) => void): Work<void> {
  use(yield* work)
}

function scanBounds({ updateRangesMax, stateVectorEntriesMax }: Limits): ScanBounds {
  return { rangesMax: updateRangesMax, clientsMax: stateVectorEntriesMax }
}

/** What a commit to the document would find out itself, in slices if there is much; to be committed in this turn. */
export function* judgedInSlices(document: Document, { update, scan }: ScannedUpdate): Work<JudgedUpdate> {
  if (rangesOf(scan) <= rangesAtOnceMax) return { update, scan }
  const sets = yield* setsOf(scan)
  const judgement = yield* document.judgeInSlices(scan, sets)
  if (judgement.type === 'known') return { update, scan, sets, judgement }
  return { update, scan, sets: { ...sets, adds: yield* document.addsInSlices(scan) }, judgement }
}

/** What the update brings to the document, found out now if it was not before. */
export function judgementOf(document: Document, { scan, judgement }: JudgedUpdate): Judgement {
  return judgement ?? document.judge(scan)
}

function repeated(fault: Fault): Fault {
  if (fault.code === 'ERR_UPDATE_TOO_LARGE') return new Fault('ERR_UPDATE_TOO_LARGE_AGAIN', fault.message)
  if (fault.code === 'ERR_UPDATE_MALFORMED') return new Fault('ERR_UPDATE_MALFORMED_AGAIN', fault.message)
  return fault
}
