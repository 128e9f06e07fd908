/** Which documents have a history, and what it may take: the first rule whose pattern a name matches. */
import { listOf, oneOf, record, type ShapeOf, text, whole } from '../base/check.ts'
import type { Limits } from '../base/limits.ts'

export type HistoryRule = {
  /** A pattern of document names, as in a token: `notes/*`; `**` stands for all. */
  readonly documents: string
  /** How many days it goes back. Default 30. */
  readonly days?: number
  /** How many bytes it may have. Default: 4 MiB, or four times the document if that is more. Above: the oldest goes. */
  readonly bytes?: number
  /**
   * `keep`: the content of what was deleted stays in the document too, for clients that run with `gc: false` and keep
   * snapshots of Yjs. `collect` (the default): it goes, as in every client that does not.
   */
  readonly gc?: 'collect' | 'keep'
  /**
   * What everybody may do with these histories where nobody is asked who they are: `read` them, or `restore` as well.
   * Default: what `openHistory` says.
   */
  readonly everybody?: 'none' | 'read' | 'restore'
}

export const historyRuleShape = {
  documents: text('a pattern of names', /./),
  days: whole(1, 36_500),
  bytes: whole(0, Number.MAX_SAFE_INTEGER),
  gc: oneOf('collect', 'keep'),
  everybody: oneOf('none', 'read', 'restore')
} as const satisfies ShapeOf<HistoryRule>

/** Which documents have a history. */
export const historyRules = listOf(
  'a list of rules, like { documents: "notes/*" }',
  record<HistoryRule>('a rule, like { documents: "notes/*" }', historyRuleShape, { required: ['documents'] })
)

/** What a rule comes to. `bytes`: null: it is measured by the document. */
export type HistoryPolicy = {
  readonly days: number
  readonly bytes: number | null
  readonly gc: 'collect' | 'keep'
}

/** Null: a document of this name has none. */
export type PolicyOf = (document: string) => HistoryPolicy | null

/** `matches`: whether a name matches a pattern. */
export function policies(
  rules: readonly HistoryRule[],
  matches: (pattern: string, name: string) => boolean,
  limits: Pick<Limits, 'historyDays'>
): PolicyOf {
  return document => {
    const rule = rules.find(({ documents }) => matches(documents, document))
    if (rule === undefined) return null
    const { days = limits.historyDays, bytes = null, gc = 'collect' } = rule
    return { days, bytes, gc }
  }
}

/** What everybody may do with a document's history; `otherwise`: where its rule does not say. */
export function openTo(
  rules: readonly HistoryRule[],
  matches: (pattern: string, name: string) => boolean,
  otherwise: NonNullable<HistoryRule['everybody']>
): (document: string) => NonNullable<HistoryRule['everybody']> {
  return document => rules.find(({ documents }) => matches(documents, document))?.everybody ?? otherwise
}

/** How many bytes a history may have, of a document that has so many. */
export function bytesAllowed(
  { bytes }: HistoryPolicy,
  documentBytes: number,
  limits: Pick<Limits, 'historyBytesMin' | 'historyDocumentRatio'>
): number {
  return bytes ?? Math.max(limits.historyBytesMin, limits.historyDocumentRatio * documentBytes)
}
