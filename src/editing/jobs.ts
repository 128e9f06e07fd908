/**
 * What the worker threads of edits are asked, and what they answer. Everything in it can be sent to a thread: bytes,
 * numbers, texts and plain objects.
 */
import type { Author } from '../../persistence/author.ts'
import type { PackedUpdates } from '../document/packed-updates.ts'
import type { ClockRange } from '../document/scan.ts'

/**
 * A document as the store has it. `since`: the sequence number of the record up to which whoever asks has seen it, whose
 * own later records (of this connection) count as seen; null: it is not said, or what came since cannot be told any more.
 */
export type StateMessage = {
  readonly segments: PackedUpdates
  readonly records: PackedUpdates
  readonly sequences: readonly number[]
  readonly since: number | null
  /** It was said, and what came since cannot be told. */
  readonly isLost: boolean
  readonly connection: string | null
}

/**
 * One change of a text. Where: `quote` is text that stands there exactly, `occurrence` (from 1) which of several; or
 * `index`, and `length` of what is replaced, in UTF-16 units. `anchor`: only within the block of this name. A block is a
 * text of an XML fragment, or a line of a plain text.
 */
export type TextPlace = {
  readonly anchor?: string | undefined
  readonly quote?: string | undefined
  readonly occurrence?: number | undefined
  readonly index?: number | undefined
  readonly length?: number | undefined
}

export type TextChange =
  | (TextPlace & { readonly op: 'replace'; readonly text: string })
  | (TextPlace & { readonly op: 'delete' })
  /** With `quote`: after it, or before it. */
  | (TextPlace & {
      readonly op: 'insert'
      readonly text: string
      readonly side?: 'before' | 'after' | undefined
    })
  /** A new block behind that of `anchor`, or at the end; only in an XML fragment. */
  | {
      readonly op: 'insert-block'
      readonly anchor?: string | undefined
      readonly name: string
      readonly attributes?: Readonly<Record<string, string>> | undefined
      readonly text: string
    }

/** RFC 6902. The first part of a pointer is the name of a root type. */
export type DataChange = {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from?: string | undefined
  readonly value?: unknown
}

export type EditQuestion =
  | { readonly kind: 'text'; readonly type: string; readonly changes: readonly TextChange[] }
  | { readonly kind: 'data'; readonly changes: readonly DataChange[] }

export type EditMessage = {
  readonly state: StateMessage
  readonly question: EditQuestion
  /** Whose id the new structs have; the document may know it already. */
  readonly client: number
  /** The edit was made already if the client has come beyond this clock; null: it was not. */
  readonly knownAbove: number | null
  /** It is to be known by its client also if it changes nothing. */
  readonly isKeyed: boolean
  /** Text comes in pieces of so many words, each an update; null: at once. */
  readonly wordsAtOnce: number | null
  readonly passageMax: number
}

/** As `Guard`, to cross threads. */
export type GuardMessage = {
  readonly deletes: readonly ClockRange[]
  readonly origins: readonly ClockRange[]
  readonly rights: readonly ClockRange[]
  readonly hasEmpty: boolean
}

/** A relative position of Yjs, as JSON. */
export type CursorMessage = Readonly<Record<string, unknown>>

/** An update (V1), and where the writer stands after it. `last`: the last clock of text that it brings. */
export type EditStep = {
  readonly update: Uint8Array
  readonly cursor: CursorMessage | null
  readonly last: number | null
}

/** Somebody, and when. `author`: null when nobody knows. */
export type ChangedBy = { readonly author: Author | null; readonly timeMs: number }

export type EditedMessage =
  /** `steps`: none when there is nothing to do. */
  | { readonly outcome: 'edited'; readonly steps: readonly EditStep[]; readonly guard: GuardMessage }
  /** It was made already. */
  | { readonly outcome: 'known' }
  /** The change of this index meets what others have changed since; `by`: nobody where it cannot be told. */
  | {
      readonly outcome: 'stale'
      readonly change: number
      readonly passage: unknown
      readonly by: readonly ChangedBy[]
    }
  /** The change of this index cannot be made, whoever changed what. */
  | { readonly outcome: 'wrong'; readonly change: number; readonly reason: string }

/** How a document is read. `anchor`: only this block. `type`: null: all root types. */
export type ReadQuestion = {
  readonly form: 'text' | 'outline' | 'json'
  readonly type: string | null
  readonly anchor: string | null
}

export type EditJobs = {
  readonly read: {
    readonly job: {
      readonly state: StateMessage
      readonly question: ReadQuestion
      readonly answerBytesMax: number
    }
    /** JSON in UTF-8; null: there is no such block or root type. */
    readonly result: Uint8Array | null
  }
  readonly edit: { readonly job: EditMessage; readonly result: EditedMessage }
}

export type EditJobName = keyof EditJobs

export type EditJob = {
  readonly [N in EditJobName]: { readonly type: N } & Pick<EditJobs[N], 'job'>
}[EditJobName]

export type EditAnswer = {
  readonly [N in EditJobName]: { readonly type: N } & Pick<EditJobs[N], 'result'>
}[EditJobName]
