/** Edits of documents by those who have no copy of them: over HTTP, and agents. edits.ts makes them. */
import type { Author } from '../../persistence/author.ts'
import type { ChangedBy, CursorMessage, EditQuestion } from '../editing/jobs.ts'

export type { DataChange, EditQuestion, ReadQuestion, TextChange } from '../editing/jobs.ts'

export type EditCall = {
  readonly document: string
  readonly question: EditQuestion
  /** A connection names an agent: its own later changes count as seen by it. */
  readonly author: Author
  /** What whoever edits has seen. Null: nothing is said, and each place is looked for as the document is now. */
  readonly version: string | null
  /** Asked again with the same key, it is made once. Null: it has none. */
  readonly key: string | null
  /** Text comes at this pace, so that people can follow; null, or with a key: at once. */
  readonly wordsPerSecond: number | null
  readonly signal?: AbortSignal | undefined
  /** Is told where the writer stands after each step. Must not throw. */
  readonly onStep?: (cursor: CursorMessage | null) => void
}

/**
 * `version`: whoever edits has seen the document up to there, and its own changes; their next edit may name it.
 * `stale`: nothing was written; `passage`: what stands there now, `by`: who changed it, as far as that is known.
 */
export type EditOutcome =
  | {
      readonly outcome: 'edited'
      readonly version: string
      readonly isChanged: boolean
      /** The edit of this key was made before. */
      readonly isRepeated: boolean
      /** Somebody deleted what was being written, so that the rest was not. */
      readonly isInterrupted: boolean
    }
  | {
      readonly outcome: 'stale'
      readonly version: string
      readonly change: number
      readonly passage: unknown
      readonly by: readonly ChangedBy[]
    }

/** `json`: UTF-8, an object. */
export type ReadAnswer = { readonly version: string; readonly json: Uint8Array }
