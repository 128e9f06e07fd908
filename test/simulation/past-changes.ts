/**
 * People who change documents by their past while others type and servers die: they name versions, restore, undo, look, and
 * ask again with the same key when they got no answer. What they are told stands in the book.
 */
import { StoreError } from '../../persistence/store.ts'
import { Fault } from '../../src/base/errors.ts'
import { decodeRecord } from '../../src/document/record.ts'
import type {
  DocumentHistory,
  HistoryExtent,
  HistoryMoment,
  RestoreAnswer
} from '../../src/documents/history-api.ts'
import { Chance } from './chance.ts'
import type { Asked, PastBook, Undo } from './past-book.ts'
import type { PastPlan } from './past-plan.ts'
import { contentsBy, isApartAfter } from './past-truth.ts'
import type { ServerProcess } from './server-process.ts'
import type { Servers } from './servers.ts'
import { type Trace, Violation } from './trace.ts'
import type { Scope, VirtualClock } from './virtual-time.ts'

type Parts = {
  readonly plan: NonNullable<PastPlan['changes']>
  readonly servers: Servers
  readonly book: PastBook
  readonly time: Scope
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly isCalm: () => boolean
  /** Whoever asks then would not know of which life they were told. */
  readonly isBeingDeleted: (room: string) => boolean
}

type Outcome<T> =
  | { readonly type: 'answered'; readonly answer: T }
  | { readonly type: 'refused' }
  /** Nobody knows what became of it. */
  | { readonly type: 'unknown' }

/** Of a process that runs. */
type Call<T> = (history: DocumentHistory, process: ServerProcess) => Promise<T>

/** So many are under way, at most. */
const atOnceMax = 4
/** All are over so long after the calm. */
const overWithinMs = 240_000

export class PastChanges {
  readonly #parts: Parts
  /** Its own, so that the seeds of other runs go on meaning what they meant. */
  readonly #chance: Chance
  #underWay = 0
  #serial = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.#chance = new Chance(parts.plan.seed)
    this.#later()
  }

  /** In calm: resolves when all of them have an answer. */
  async end(): Promise<void> {
    const { clock } = this.#parts
    const untilMs = clock.nowMs + overWithinMs
    while (this.#underWay > 0) {
      if (clock.nowMs > untilMs) throw new Violation('a change by the past does not come to its end')
      await clock.runFor(500)
    }
  }

  #later(): void {
    const { time, plan, isCalm } = this.#parts
    if (isCalm()) return
    time.after(this.#chance.gapMs(plan.gapMs), () => {
      if (this.#underWay < atOnceMax) this.#begin()
      this.#later()
    })
  }

  #begin(): void {
    const { plan, clock, isCalm, isBeingDeleted } = this.#parts
    const room = this.#chance.pick(plan.documents)
    if (isCalm() || isBeingDeleted(room)) return
    const change = this.#chance.weighted<(room: string) => Promise<void>>([
      [5, each => this.#restore(each)],
      [3, each => this.#undo(each)],
      [4, each => this.#name(each)],
      [1, each => this.#unname(each)],
      [3, each => this.#look(each)],
      [1, each => this.#thin(each)]
    ])
    this.#underWay++
    change(room)
      .catch((error: unknown) => clock.fail(error))
      .finally(() => this.#underWay--)
  }

  async #restore(room: string): Promise<void> {
    const extent = await this.#ask(room, history => history.extent())
    if (extent.type !== 'answered') return
    const moment = this.#momentOf(extent.answer)
    const options = this.#chance.hits(0.15) ? { roots: ['text', 'map'] } : {}
    await this.#once(room, `back to ${JSON.stringify(moment)}`, (key, history) =>
      history.restore(moment, { key, author: key, ...options })
    )
  }

  /** Of what one connection did, or of a restore: its user is its key. */
  async #undo(room: string): Promise<void> {
    const extent = await this.#ask(room, history => history.extent())
    if (extent.type !== 'answered') return
    const by = await this.#somebody(room)
    if (by === null) return
    const { beginsAt, head } = extent.answer
    const from = beginsAt.sequence + this.#chance.below(head - beginsAt.sequence + 1)
    const to = this.#chance.hits(0.5) ? null : from + this.#chance.below(head - from + 1)
    const question = { ...by, from: { sequence: from }, ...(to === null ? {} : { to: { sequence: to } }) }
    const what = `undo ${JSON.stringify(question)}`
    const run = (key: string, history: DocumentHistory) => history.undo(question, { key, author: key })
    await this.#once(room, what, run, to === null ? null : { by, from, to })
  }

  async #somebody(room: string): Promise<{ user: string } | { connection: string } | null> {
    const life = await this.#ask(room, (_, process) => process.lifeOf(room))
    if (life.type !== 'answered' || life.answer === null) return null
    const records = this.#parts.servers.truth.records(life.answer, Number.MAX_SAFE_INTEGER)
    const authors = records.flatMap(({ record }) => decodeRecord(record).map(({ author }) => author))
    const { user = null, connection = null } = authors.length === 0 ? {} : (this.#chance.pick(authors) ?? {})
    if (connection !== null) return { connection }
    return user === null ? null : { user }
  }

  #momentOf({ beginsAt, head, versions, lastMs }: HistoryExtent): HistoryMoment {
    const chance = this.#chance
    if (versions.length > 0 && chance.hits(0.4)) return { version: chance.pick(versions).id }
    if (lastMs !== null && chance.hits(0.1))
      return { timeMs: Math.floor(chance.between(beginsAt.timeMs, lastMs + 1)) }
    return { sequence: beginsAt.sequence + chance.below(head - beginsAt.sequence + 1) }
  }

  /** Until it is answered; by one, or by two at once; and perhaps asked for once more then. */
  async #once(
    room: string,
    what: string,
    run: (key: string, history: DocumentHistory) => Promise<RestoreAnswer>,
    undo: Undo | null = null
  ): Promise<void> {
    const { book, trace, time } = this.#parts
    const key = `k${this.#serial++}`
    trace.note('take back', `${key} in ${room}: ${what}`)
    const asked = book.asks(room, key, undo)
    const call: Call<RestoreAnswer> = history => run(key, history)
    if (this.#chance.hits(0.2)) {
      // Each may be refused while the other is not.
      asked.isUnknown = true
      await Promise.all([this.#untilAnswered(asked, call), this.#untilAnswered(asked, call)])
    } else await this.#untilAnswered(asked, call)
    if (asked.answer === null || this.#chance.hits(0.5)) return
    await time.delay(this.#chance.gapMs(1_000))
    await this.#untilAnswered(asked, call)
  }

  async #untilAnswered(asked: Asked, call: Call<RestoreAnswer>): Promise<void> {
    const { book, time, trace } = this.#parts
    const { room, key, stamp } = asked
    // Whoever asks again after the document was deleted, or the store went back, asks for something else.
    while (book.holds(room, stamp)) {
      const outcome = await this.#ask(room, call, { mayDie: true })
      if (outcome.type !== 'answered') trace.note(`take back ${outcome.type}`, key)
      if (outcome.type === 'answered') {
        const { sequence, isChanged } = outcome.answer
        trace.note('took back', `${key} at ${sequence}, ${isChanged ? 'changed' : 'unchanged'}`)
        return book.answered(asked, outcome.answer)
      }
      if (outcome.type === 'refused') {
        asked.isRefused = true
        return
      }
      asked.isUnknown = true
      await time.delay(this.#chance.gapMs(300))
    }
  }

  async #name(room: string): Promise<void> {
    const { book, trace } = this.#parts
    const extent = await this.#ask(room, history => history.extent())
    if (extent.type !== 'answered') return
    const moment = this.#chance.hits(0.5) ? {} : { moment: this.#momentOf(extent.answer) }
    const name = `v${this.#serial++}`
    const stamp = book.stampOf(room)
    const outcome = await this.#ask(room, history => history.name(name, { author: 'somebody', ...moment }))
    if (outcome.type !== 'answered') return
    trace.note('named', `${name} in ${room} at ${outcome.answer.sequence}`)
    book.named(room, stamp, outcome.answer)
  }

  async #unname(room: string): Promise<void> {
    const { book, trace } = this.#parts
    const extent = await this.#ask(room, history => history.extent())
    if (extent.type !== 'answered' || extent.answer.versions.length === 0) return
    const { id, name } = this.#chance.pick(extent.answer.versions)
    trace.note('unname', `${name} in ${room}`)
    book.unnamed(id)
    await this.#ask(room, history => history.unname(id))
  }

  /** What a moment is said to have been is what it was. */
  async #look(room: string): Promise<void> {
    const { book, servers, trace } = this.#parts
    const stamp = book.stampOf(room)
    const outcome = await this.#ask(room, async (history, process) => {
      const before = await process.lifeOf(room)
      const extent = await history.extent()
      const sequence = sequenceOf(this.#momentOf(extent), extent)
      const update = sequence === null ? null : await history.at({ sequence })
      const life = await process.lifeOf(room)
      return life !== null && life === before ? { life, sequence, update } : null
    })
    if (outcome.type !== 'answered' || outcome.answer === null || !book.holds(room, stamp)) return
    const { life, sequence, update } = outcome.answer
    if (sequence === null || update === null) return
    const records = servers.truth.records(life, Number.MAX_SAFE_INTEGER)
    const upTo = records.filter(each => each.sequence <= sequence)
    if (!isApartAfter(records, upTo.length)) return
    trace.note('looked', `at ${sequence} of ${room}`)
    const [is, was] = [contentsBy([update]), contentsBy(upTo)]
    if (is !== was)
      throw new Violation(`${room} is said to have been otherwise at ${sequence}\n${is}\n${was}`)
  }

  /** As the sweep would two days later. */
  async #thin(room: string): Promise<void> {
    this.#parts.trace.note('thin', room)
    await this.#ask(room, (_, process) => process.thinHistory(room))
  }

  async #ask<T>(room: string, call: Call<T>, { mayDie = false } = {}): Promise<Outcome<T>> {
    const { servers, time } = this.#parts
    const up = servers.all.filter(({ isUp }) => isUp)
    if (up.length === 0) return { type: 'unknown' }
    const process = this.#chance.pick(up)
    const history = process.history(room)
    if (history === null) return { type: 'refused' }
    if (mayDie && !this.#parts.isCalm() && this.#chance.hits(0.3)) {
      const end = this.#chance.pick(['crash-before', 'crash-after'] as const)
      time.after(this.#chance.gapMs(40), () => servers.endWithNext(process, end))
    }
    let outcome: Outcome<T> | null = null
    call(history, process).then(
      answer => {
        outcome = { type: 'answered', answer }
      },
      (error: unknown) => {
        outcome = this.#outcomeOf(error)
      }
    )
    // The answer of a process that has ended never comes.
    while (outcome === null && !process.isOver) await time.delay(20)
    return outcome ?? { type: 'unknown' }
  }

  #outcomeOf(error: unknown): Outcome<never> {
    const { clock, trace } = this.#parts
    trace.note('past refused', error instanceof Fault ? error.code : String(error))
    if (error instanceof Fault && refusals.has(error.code)) return { type: 'refused' }
    if (error instanceof Fault && unknowns.has(error.code)) return { type: 'unknown' }
    const why = error instanceof StoreError ? 'a fault of the store was not made one of ours' : 'unexpected'
    clock.fail(new Violation(`a change by the past failed, ${why}: ${error}`, { cause: error }))
    return { type: 'unknown' }
  }
}

/** Nothing was changed. */
const refusals: ReadonlySet<string> = new Set([
  ...['ERR_NO_DOCUMENT', 'ERR_NO_HISTORY', 'ERR_NO_MOMENT', 'ERR_NO_VERSION', 'ERR_TOO_MANY_VERSIONS'],
  ...['ERR_OVERLOADED', 'ERR_DELETED', 'ERR_UPDATE_TOO_LARGE', 'ERR_INTERNAL', 'ERR_DEADLINE']
])

/** It may have been. */
const unknowns: ReadonlySet<string> = new Set(['ERR_STORE', 'ERR_GOING_DOWN'])

function sequenceOf(moment: HistoryMoment, { versions }: HistoryExtent): number | null {
  if ('sequence' in moment) return moment.sequence
  if ('version' in moment) return versions.find(({ id }) => id === moment.version)?.sequence ?? null
  return null
}
