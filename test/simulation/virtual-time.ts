/**
 * The one clock of a run: events in a queue, ordered by time and then by arrival. Whoever lives in the run gets a scope
 * of it, which counts what is pending and ends all of it at once, as the end of a process does.
 */
import type { Cancel, Time } from '../../src/base/time.ts'

type Event = {
  atMs: number
  order: number
  readonly scope: Scope
  run: (() => void) | null
}

/** Where a run begins, in milliseconds since the epoch. */
const epochMs = 1_700_000_000_000

/** More events than any run needs: a loop that never rests is a finding, not a hang. */
const eventsPerMsMax = 20_000

export class VirtualClock {
  readonly #queue: Event[] = []
  #nowMs = 0
  #order = 0
  #events = 0
  #eventsInMs = 0
  #failure: unknown = null

  get nowMs(): number {
    return this.#nowMs
  }

  /** Events that have run. */
  get events(): number {
    return this.#events
  }

  /** Ends the run with this error, from wherever it is found. */
  fail(error: unknown): void {
    this.#failure ??= error
  }

  scope(): Scope {
    return new Scope(this)
  }

  schedule(scope: Scope, delayMs: number, run: () => void): Event {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, scope, run }
    this.#push(event)
    return event
  }

  /** An event that was held back runs in the next turn. */
  resume(event: Event): void {
    event.atMs = this.#nowMs
    event.order = this.#order++
    this.#push(event)
  }

  /** Runs every event up to a time. After each, promises get their turns until all of them rest. */
  async runUntil(untilMs: number): Promise<void> {
    await rested()
    for (let next = this.#queue[0]; next !== undefined && next.atMs <= untilMs; next = this.#queue[0]) {
      this.#pop()
      const { run } = next
      if (run === null || next.scope.holdsBack(next)) continue
      this.#count(next.atMs)
      next.scope.done(next)
      run()
      await rested()
      if (this.#failure !== null) throw this.#failure
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  async runFor(ms: number): Promise<void> {
    await this.runUntil(this.#nowMs + ms)
  }

  #count(atMs: number): void {
    this.#eventsInMs = Math.floor(atMs) === Math.floor(this.#nowMs) ? this.#eventsInMs + 1 : 0
    if (this.#eventsInMs > eventsPerMsMax) throw new Error('the run does not come to rest: time stands still')
    this.#nowMs = atMs
    this.#events++
  }

  #push(event: Event): void {
    const queue = this.#queue
    let at = queue.length
    queue.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = queue[above] as Event
      if (!isBefore(event, parent)) break
      queue[at] = parent
      at = above
    }
    queue[at] = event
  }

  #pop(): void {
    const queue = this.#queue
    const last = queue.pop() as Event
    if (queue.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= queue.length) break
      if (below + 1 < queue.length && isBefore(queue[below + 1] as Event, queue[below] as Event)) below++
      if (!isBefore(queue[below] as Event, last)) break
      queue[at] = queue[below] as Event
      at = below
    }
    queue[at] = last
  }
}

/** The part of the clock that one inhabitant of the run uses. */
export class Scope implements Time {
  readonly #clock: VirtualClock
  readonly #pending = new Set<Event>()
  /** Null: it runs. Else what would have happened since it was stopped, in order. */
  #heldBack: Event[] | null = null
  #isOver = false

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  get pending(): number {
    return this.#pending.size
  }

  nowMs(): number {
    return this.#clock.nowMs
  }

  wallMs(): number {
    return epochMs + Math.floor(this.#clock.nowMs)
  }

  after(delayMs: number, run: () => void): Cancel {
    if (this.#isOver) return () => {}
    const event = this.#clock.schedule(this, delayMs, run)
    this.#pending.add(event)
    return () => {
      event.run = null
      this.#pending.delete(event)
    }
  }

  soon(run: () => void): Cancel {
    return this.after(0, run)
  }

  /** Resolves after the delay; never, if the scope ends before. */
  delay(delayMs: number): Promise<void> {
    return new Promise(resolve => void this.after(delayMs, resolve))
  }

  get isStopped(): boolean {
    return this.#heldBack !== null
  }

  /** As SIGSTOP: nothing of it runs, and what comes piles up. */
  stop(): void {
    this.#heldBack ??= []
  }

  /** As SIGCONT: all that has piled up runs, in its order. */
  goOn(): void {
    const heldBack = this.#heldBack ?? []
    this.#heldBack = null
    for (const event of heldBack) this.#clock.resume(event)
  }

  /** Runs what comes from outside: now, or when it goes on. */
  enter(run: () => void): void {
    if (this.isStopped) this.after(0, run)
    else if (!this.#isOver) run()
  }

  /** For the clock: the event does not run now, as nothing of this scope does. */
  holdsBack(event: Event): boolean {
    this.#heldBack?.push(event)
    return this.isStopped
  }

  /** For the clock: the event is about to run. */
  done(event: Event): void {
    this.#pending.delete(event)
  }

  /** Nothing of it runs any more. */
  end(): void {
    this.#isOver = true
    for (const event of this.#pending) event.run = null
    this.#pending.clear()
  }
}

/** Resolves when every promise that can go on without a timer has done so. */
function rested(): Promise<void> {
  return new Promise(resolve => void setImmediate(resolve))
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
