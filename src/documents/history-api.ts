/**
 * The calls about a document's past, as the embedding application makes them. docs/history.md says what for; history.ts
 * answers them.
 */
import type { Burst } from '../history/activity.ts'
import type { Attribution } from '../history/attribution.ts'
import type { Alteration, Attributes } from '../history/differences-writer.ts'
import type { RootKind } from '../history/jobs.ts'
import type { HoleEntry, Version } from '../history/manifest.ts'

/** At a time (since the epoch), after a record of the log, or at a version, by its id. */
export type HistoryMoment =
  | { readonly timeMs: number }
  | { readonly sequence: number }
  | { readonly version: string }

/** What every question takes. */
export type QuestionOptions = {
  /** Aborted: it rejects with ERR_CANCELLED, and the work ends. */
  readonly signal?: AbortSignal
  /** Is told how much of the work is done, from 0 to 1, now and then. */
  readonly onProgress?: (share: number) => void
}

/** The contents of a document at a moment, instead of an update: what is wanted of it. */
export type ContentsOptions = QuestionOptions & {
  /** Root types by their names: a text comes as its delta, an XML fragment as text. */
  readonly types: Readonly<Record<string, RootKind>>
}

export type ActivityOptions = QuestionOptions & {
  /** Since the epoch. Default: from the beginning, and until now. */
  readonly fromMs?: number
  readonly toMs?: number
  /** A longer pause of an author ends a burst. Default: two minutes. */
  readonly pauseMs?: number
  /** Of more bursts the newest are given. Default 1,000. */
  readonly limit?: number
}

/** `isComplete`: no burst was left out. Bursts are in the order in which they began. */
export type ActivityAnswer = { readonly bursts: readonly Burst[]; readonly isComplete: boolean }

export type DifferenceOptions = QuestionOptions & {
  /** Names of root types. Default: all of the document. */
  readonly roots?: readonly string[]
}

/**
 * A stretch of a text, or one value of a list or a map. `by`: who inserted it, or who removed or formatted it; null: the
 * history does not reach back to that. One of `text`, `value` and `type` is there.
 */
export type DifferencePiece = {
  readonly change: Alteration
  readonly by: Attribution | null
  readonly text?: string
  readonly value?: unknown
  readonly type?: TypeDifference
  readonly attributes?: Attributes
  /** Of what was formatted: the attributes as they were. */
  readonly before?: Attributes
}

/** Of one shared type. `entries`: of a map, or the attributes of an element. */
export type TypeDifference = {
  readonly kind: 'text' | 'list' | 'map' | 'xml'
  readonly name?: string
  readonly pieces: readonly DifferencePiece[]
  readonly entries: Readonly<Record<string, readonly DifferencePiece[]>>
}

/** By the names of the root types. */
export type DocumentDifferences = Readonly<Record<string, TypeDifference>>

/** `author`: the user who named it. */
export type HistoryVersion = Version

/** How far a history goes, and what it takes. */
export type HistoryExtent = {
  /** Moments before are not known. */
  readonly beginsAt: { readonly sequence: number; readonly timeMs: number }
  /** The last record of the document. */
  readonly head: number
  /** When the last change came that is sealed or waits to be; null: there is none. */
  readonly lastMs: number | null
  /** What the store keeps for it. */
  readonly bytes: number
  /** Between these nothing is known, as it could not be kept. */
  readonly holes: readonly HoleEntry[]
  readonly versions: readonly HistoryVersion[]
}

export type RestoreOptions = {
  /** The user who restores, as the log is to name them. Default: nobody. */
  readonly author?: string
  /** Asked again with the same key, it is done once. Default: one is made. */
  readonly key?: string
  /** Names of root types: the others stay as they are. Default: all. */
  readonly roots?: readonly string[]
  readonly signal?: AbortSignal
}

/** What is to be taken back: what this user did, or what came over this connection, after `from` and up to `to` (default: now). */
export type UndoQuestion = ({ readonly user: string } | { readonly connection: string }) & {
  readonly from: HistoryMoment
  readonly to?: HistoryMoment
}

/** `version`: the id of the version that was named before it; null: nothing had to be changed. */
export type RestoreAnswer = {
  readonly key: string
  readonly isChanged: boolean
  readonly sequence: number
  readonly version: string | null
}

export type NameOptions = {
  /** Default: now. */
  readonly moment?: HistoryMoment
  /** The user who names it. */
  readonly author?: string
}

/** From when on the history can be read after a prune, and how many bytes went. */
export type PruneAnswer = {
  readonly beginsAt: { readonly sequence: number; readonly timeMs: number }
  readonly bytes: number
}

/**
 * The past of one document. All calls reject with ERR_NO_HISTORY when none is kept, ERR_NO_DOCUMENT when there is no such
 * document, ERR_NO_MOMENT for a moment that the history does not know (its reason says from when on it does),
 * ERR_NO_VERSION, ERR_ANSWER_TOO_LARGE, ERR_DEADLINE, ERR_CANCELLED, ERR_OVERLOADED, ERR_STORE, ERR_DOCUMENT_DAMAGED, and
 * ERR_GOING_DOWN. Questions read what is durable, the newest record included, in threads of their own.
 */
export type DocumentHistory = {
  /** How far it goes, its holes and versions. */
  extent(): Promise<HistoryExtent>
  versions(): Promise<readonly HistoryVersion[]>
  /** The document at a moment as one Yjs V1 update, which is the caller's. */
  at(moment: HistoryMoment, options?: QuestionOptions): Promise<Uint8Array>
  /** The same as JSON of chosen root types. */
  contents(moment: HistoryMoment, options: ContentsOptions): Promise<Readonly<Record<string, unknown>>>
  /** Who worked when, and how much. */
  activity(options?: ActivityOptions): Promise<ActivityAnswer>
  /** What lies between two moments, piece by piece, with who did it. `to`: null: now. */
  diff(
    from: HistoryMoment,
    to: HistoryMoment | null,
    options?: DifferenceOptions
  ): Promise<DocumentDifferences>
  /** Who wrote what stands at a moment. Null: now. */
  blame(moment?: HistoryMoment | null, options?: DifferenceOptions): Promise<DocumentDifferences>
  /** Brings the document back to what it was, as one ordinary edit. */
  restore(moment: HistoryMoment, options?: RestoreOptions): Promise<RestoreAnswer>
  /** Takes back what somebody did, wherever others have gone on since. */
  undo(question: UndoQuestion, options?: RestoreOptions): Promise<RestoreAnswer>
  name(name: string, options?: NameOptions): Promise<HistoryVersion>
  /** False: there was no such version. */
  unname(version: string): Promise<boolean>
  /**
   * Contents from before a time go for good, also those still in the log: the document is compacted first. Who did what when
   * stays. ERR_OVERLOADED when it cannot be compacted just now: then nothing was pruned.
   */
  prune(before: { readonly timeMs: number }): Promise<PruneAnswer>
}
