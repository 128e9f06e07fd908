/** What the calls about a document's past may be given. A TypeError names what is wrong. */
import { callback, checkOptions, listOf, matching, type ShapeOf, text, whole } from '../base/check.ts'
import type {
  ActivityOptions,
  ContentsOptions,
  DifferenceOptions,
  HistoryMoment,
  QuestionOptions
} from './history-api.ts'

const name = text('the name of a root type', /./)

const questionShape = {
  signal: matching<AbortSignal>('an AbortSignal', value => value instanceof AbortSignal),
  onProgress: callback<(share: number) => void>()
} as const satisfies ShapeOf<QuestionOptions>

const kinds: ReadonlySet<unknown> = new Set(['text', 'array', 'map', 'xml'])

const contentsShape = {
  ...questionShape,
  types: matching<ContentsOptions['types']>(
    'an object of root types and what they are: text, array, map or xml',
    value =>
      typeof value === 'object' && value !== null && Object.values(value).every(kind => kinds.has(kind))
  )
} as const satisfies ShapeOf<ContentsOptions>

/** Every option of `activity`, and what it may be. */
export const activityShape = {
  ...questionShape,
  fromMs: whole(0, Number.MAX_SAFE_INTEGER),
  toMs: whole(0, Number.MAX_SAFE_INTEGER),
  pauseMs: whole(0, Number.MAX_SAFE_INTEGER),
  limit: whole(1, 100_000)
} as const satisfies ShapeOf<ActivityOptions>

const differenceShape = {
  ...questionShape,
  roots: listOf('a list of names of root types', name)
} as const satisfies ShapeOf<DifferenceOptions>

export function checkQuestion(call: string, options: QuestionOptions): void {
  checkOptions(call, options, questionShape)
}

export function checkContents(call: string, options: ContentsOptions): void {
  checkOptions(call, options, contentsShape)
  if (options?.types === undefined) throw new TypeError(`${call}: types must be given`)
}

export function checkActivity(call: string, options: ActivityOptions): void {
  checkOptions(call, options, activityShape)
}

export function checkDifference(call: string, options: DifferenceOptions): void {
  checkOptions(call, options, differenceShape)
}

/** Throws TypeError unless it is one of the three. */
export function checkMoment(call: string, moment: HistoryMoment): void {
  if (isMoment(moment)) return
  throw new TypeError(`${call} takes a moment: { timeMs }, { sequence } or { version }`)
}

function isMoment(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const [[key, part] = ['', null], ...more] = Object.entries(value)
  if (more.length > 0) return false
  if (key === 'version') return typeof part === 'string'
  return (key === 'timeMs' || key === 'sequence') && Number.isSafeInteger(part) && Number(part) >= 0
}
