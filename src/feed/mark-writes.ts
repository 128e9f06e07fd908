/** Writes of marks, many documents in one: while one is under way, the next ones gather. */
import type { MarkStore, MarkWrite } from '../../persistence/marks.ts'

type Waiting = {
  readonly write: MarkWrite
  readonly resolve: (isMade: boolean) => void
  readonly reject: (error: unknown) => void
}

/** So many at most in one write of the store. */
const atOnceMax = 1_000

export class MarkWrites {
  readonly #marks: Pick<MarkStore, 'write'>
  /** One at most for each document that is being told of. */
  #waiting: Waiting[] = []
  #isWriting = false

  constructor(marks: Pick<MarkStore, 'write'>) {
    this.#marks = marks
  }

  /** As `MarkStore.write` of one. A document has one under way at a time. */
  write(write: MarkWrite): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      if (!this.#isWriting) void this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      // What is asked for in this turn goes along.
      await Promise.resolve()
      const batch = this.#waiting.slice(0, atOnceMax)
      this.#waiting = this.#waiting.slice(atOnceMax)
      try {
        const made = await this.#marks.write(batch.map(({ write }) => write))
        for (const [index, { resolve }] of batch.entries()) resolve(made[index] === true)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isWriting = false
  }
}
