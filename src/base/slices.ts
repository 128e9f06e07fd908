/**
 * Long work in slices: some time in each turn of the event loop, of whoever has some in turn. What is small is done in
 * between. The work reads and prepares; a step that changes something does it whole.
 */
import { Fault } from './errors.ts'
import type { Cancel, Time } from './time.ts'

/** Work that gives way after each step, of well below a millisecond. */
export type Work<T> = Generator<void, T>

/** Told how long a slice took, in milliseconds. */
export type Spent = (spentMs: number) => void

/** Who pays for the work; and whose it is: null when the server needs it itself, which waits for nobody. */
export type Payer = { readonly spent: Spent; readonly sender: string | null }

const nobody: Payer = { spent: () => {}, sender: null }

type Task = Payer & {
  /** One step. Whether it was the last. */
  readonly step: () => boolean
  readonly abandon: (fault: Fault) => void
}

/** `sliceMs` of one turn; `slicedAtOnceMax` pieces of work of senders are under way, as each holds memory. */
type SliceLimits = { readonly sliceMs: number; readonly slicedAtOnceMax: number }

/** Where the clock is too coarse to see a step, a slice ends after so many. */
const stepsMax = 1_024

export class Slices {
  readonly #time: Time
  readonly #limits: SliceLimits
  /** Bounded by its users: a member has one piece of work under way, a room one, calls as many as `applyBytesMax` allows. */
  #tasks: Task[] = []
  /** Of senders, and not begun yet. */
  #waiting: Task[] = []
  /** Whose work has begun and is not done. */
  readonly #served: string[] = []
  #cancelTurn: Cancel | null = null
  #isClosed = false

  constructor(time: Time, limits: SliceLimits) {
    this.#time = time
    this.#limits = limits
  }

  /**
   * Begins in the next turn, or when others are done: whoever has none under way goes first. Resolves to what the work returns, and rejects with what it throws, or ERR_GOING_DOWN.
   * Whatever has to happen in the same turn as the last step belongs into the work.
   */
  run<T>(work: Work<T>, payer: Payer | null): Promise<T> {
    const { spent, sender } = payer ?? nobody
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new Fault('ERR_GOING_DOWN'))
      const step = () => {
        try {
          const { done, value } = work.next()
          if (done === true) resolve(value)
          return done === true
        } catch (error) {
          reject(error)
          return true
        }
      }
      const task = { step, abandon: reject, spent, sender }
      if (sender === null) this.#tasks.push(task)
      else this.#waiting.push(task)
      this.#beginNext()
      this.#cancelTurn ??= this.#time.soon(() => this.#turn())
    })
  }

  /** Leaves nothing behind: what is under way rejects. */
  close(): void {
    this.#isClosed = true
    this.#cancelTurn?.()
    const tasks = [...this.#tasks, ...this.#waiting]
    this.#tasks = []
    this.#waiting = []
    for (const { abandon } of tasks) abandon(new Fault('ERR_GOING_DOWN'))
  }

  #beginNext(): void {
    while (this.#waiting.length > 0 && this.#served.length < this.#limits.slicedAtOnceMax) {
      const isNew = ({ sender }: Task) => sender === null || !this.#served.includes(sender)
      const index = Math.max(0, this.#waiting.findIndex(isNew))
      for (const task of this.#waiting.splice(index, 1)) {
        this.#tasks.push(task)
        if (task.sender !== null) this.#served.push(task.sender)
      }
    }
  }

  #ended({ sender }: Task): void {
    const index = sender === null ? -1 : this.#served.indexOf(sender)
    if (index >= 0) this.#served.splice(index, 1)
    this.#beginNext()
  }

  /** Small pieces of work share a turn; a long one has what is left of it. */
  #turn(): void {
    this.#cancelTurn = null
    const untilMs = this.#time.nowMs() + this.#limits.sliceMs
    let steps = stepsMax
    // Each piece is worked on once in a turn, so the next turn begins with who came after.
    for (let left = this.#tasks.length; left > 0 && steps > 0; left--) {
      const task = this.#tasks.shift()
      if (task === undefined) break
      steps = this.#work(task, { steps, untilMs })
      if (this.#time.nowMs() >= untilMs) break
    }
    if (this.#tasks.length > 0) this.#cancelTurn ??= this.#time.soon(() => this.#turn())
  }

  /** One step at least. Returns how many of the steps are left. */
  #work(task: Task, { steps, untilMs }: { steps: number; untilMs: number }): number {
    const startMs = this.#time.nowMs()
    let left = steps
    let isDone = false
    while (left > 0 && !isDone) {
      isDone = task.step()
      left--
      if (this.#time.nowMs() >= untilMs) break
    }
    task.spent(this.#time.nowMs() - startMs)
    if (isDone) this.#ended(task)
    else this.#tasks.push(task)
    return left
  }
}
