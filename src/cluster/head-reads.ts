/**
 * Where documents stand in the store, asked for by many at once: everyone who asks while a read is under way is answered
 * by the next one. An answer never comes from a read that began before the question.
 */
import type { DocumentHead, DocumentLog, HeadQuery } from '../../persistence/store.ts'

/** Documents in one read. */
const documentsMax = 1_000

type Question = {
  readonly query: HeadQuery
  readonly answer: (head: DocumentHead) => void
  readonly fail: (error: unknown) => void
}

export class HeadReads {
  readonly #store: Pick<DocumentLog, 'heads'>
  /** Bounded by its callers: a room polls once at a time, and a member asks once at a time. */
  #asked: Question[] = []
  #isReading = false

  constructor(store: Pick<DocumentLog, 'heads'>) {
    this.#store = store
  }

  /** Where the document stands: everything durable before the call is in it. Rejects with what the store rejects with. */
  head(query: HeadQuery): Promise<DocumentHead> {
    return new Promise((answer, fail) => {
      this.#asked.push({ query, answer, fail })
      if (!this.#isReading) void this.#read()
    })
  }

  /** Never rejects. */
  async #read(): Promise<void> {
    this.#isReading = true
    // All who ask in this turn go together.
    await Promise.resolve()
    while (this.#asked.length > 0) {
      const questions = this.#asked.splice(0, documentsMax)
      try {
        const heads = await this.#store.heads(questions.map(({ query }) => query))
        for (const [i, question] of questions.entries()) question.answer(heads[i] as DocumentHead)
      } catch (error) {
        for (const { fail } of questions) fail(error)
      }
    }
    this.#isReading = false
  }
}
