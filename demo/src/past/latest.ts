// Answers to questions that change faster than they can be answered, as when a slider is moved: only the last one counts.
// It knows nothing of what is asked.

type Asked<Question, Answer> = {
  readonly place: number
  readonly key: string
  readonly question: Question
  readonly resolve: (answer: Answer | null) => void
  readonly reject: (error: unknown) => void
}

export type Asking<Question, Answer> = {
  /** Equal texts are the same question, whose answer never changes. */
  keyOf(question: Question): string
  load(question: Question, signal: AbortSignal): Promise<Answer>
  /** An answer that takes longer is given up when another one is wanted. */
  readonly patienceMs: number
  /** So many answers are kept, those that were used last. */
  readonly keptMax: number
}

/** At most one request is under way and one question waits for it: a newer one takes its place. */
export class LatestAnswer<Question, Answer> {
  readonly #asking: Asking<Question, Answer>
  /** The least recently used first. */
  readonly #kept = new Map<string, Answer>()
  /** How many questions there were, and which of them is the last that is answered. */
  #count = 0
  #answered = 0
  #running: { readonly sinceMs: number; readonly controller: AbortController } | null = null
  #waiting: Asked<Question, Answer> | null = null
  #impatience: ReturnType<typeof setTimeout> | undefined

  constructor(asking: Asking<Question, Answer>) {
    this.#asking = asking
  }

  /** Null: a later question was answered or asked meanwhile. Rejects with what `load` rejects with. */
  ask(question: Question): Promise<Answer | null> {
    const key = this.#asking.keyOf(question)
    const place = ++this.#count
    this.#waiting?.resolve(null)
    this.#waiting = null
    const known = this.#kept.get(key)
    if (known !== undefined) {
      this.#answered = place
      return Promise.resolve(this.#keep(key, known))
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { place, key, question, resolve, reject }
      if (this.#running === null) void this.#answerWaiting()
      else this.#hurry(this.#running)
    })
  }

  /** What was answered before is asked anew. */
  forget(): void {
    this.#kept.clear()
  }

  #hurry({ sinceMs, controller }: { readonly sinceMs: number; readonly controller: AbortController }): void {
    clearTimeout(this.#impatience)
    const leftMs = Math.max(0, sinceMs + this.#asking.patienceMs - performance.now())
    this.#impatience = setTimeout(() => {
      if (this.#waiting !== null) controller.abort()
    }, leftMs)
  }

  async #answerWaiting(): Promise<void> {
    for (let asked = this.#waiting; asked !== null; asked = this.#waiting) {
      this.#waiting = null
      const controller = new AbortController()
      this.#running = { sinceMs: performance.now(), controller }
      try {
        const answer = await this.#asking.load(asked.question, controller.signal)
        this.#keep(asked.key, answer)
        const isOvertaken = this.#answered > asked.place
        if (!isOvertaken) this.#answered = asked.place
        asked.resolve(isOvertaken ? null : answer)
      } catch (error) {
        if (controller.signal.aborted) asked.resolve(null)
        else asked.reject(error)
      }
      clearTimeout(this.#impatience)
      this.#running = null
    }
  }

  #keep(key: string, answer: Answer): Answer {
    this.#kept.delete(key)
    this.#kept.set(key, answer)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#asking.keptMax) break
      this.#kept.delete(oldest)
    }
    return answer
  }
}
