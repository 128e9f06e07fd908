/** Work that is done a few at a time; the rest waits for its turn, in order, and not without bound. */
import { Fault } from './errors.ts'

export type WorkQueueOptions = {
  readonly atOnceMax: number
  readonly waitingMax: number
  /**
   * When one is done, the place is free once this runs what it is given; at once by default. Work that settles without
   * leaving the turn of the event loop would otherwise all be done in one turn, however many wait.
   */
  readonly whenFree?: (free: () => void) => void
}

export class WorkQueue {
  readonly #options: WorkQueueOptions
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Whether nothing is under way, and so nothing waits. */
  get isIdle(): boolean {
    return this.#running === 0
  }

  /** Resolves or rejects as the work does. Rejects with ERR_OVERLOADED, the work not begun, when too many wait. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.atOnceMax) await this.#turn()
    else this.#running++
    try {
      return await work()
    } finally {
      const { whenFree } = this.#options
      if (whenFree === undefined) this.#free()
      else whenFree(() => this.#free())
    }
  }

  #free(): void {
    const next = this.#waiting.shift()
    // The turn is handed on, so that nobody who comes now gets in between.
    if (next === undefined) this.#running--
    else next()
  }

  #turn(): Promise<void> {
    const { waitingMax } = this.#options
    if (this.#waiting.length >= waitingMax) throw new Fault('ERR_OVERLOADED', `${waitingMax} calls wait`)
    return new Promise(resolve => this.#waiting.push(resolve))
  }
}

/** Work about things of a name: one at a time for each name, in order, and `atOnceMax` names at once. */
export class NamedWorkQueue {
  readonly #options: WorkQueueOptions
  readonly #turns: WorkQueue
  /** Of names that have work under way or waiting. */
  readonly #queues = new Map<string, WorkQueue>()
  #count = 0

  constructor(options: WorkQueueOptions) {
    this.#options = options
    this.#turns = new WorkQueue(options)
  }

  /** Resolves or rejects as the work does. Rejects with ERR_OVERLOADED, the work not begun, when too many wait. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { atOnceMax, waitingMax } = this.#options
    if (this.#count >= atOnceMax + waitingMax) throw new Fault('ERR_OVERLOADED', `${waitingMax} calls wait`)
    const queue =
      this.#queues.get(name) ?? new WorkQueue({ atOnceMax: 1, waitingMax: atOnceMax + waitingMax })
    this.#queues.set(name, queue)
    this.#count++
    try {
      return await queue.run(() => this.#turns.run(work))
    } finally {
      this.#count--
      if (queue.isIdle) this.#queues.delete(name)
    }
  }
}
