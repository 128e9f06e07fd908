/**
 * The past of documents as the embedding application asks for it: what it is asked is checked here, and put to the workers,
 * the restores and the store.
 */
import { parseInSteps } from '../base/json-steps.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import { recordHead } from '../document/record.ts'
import { bytesOf } from '../history/kept.ts'
import { endOf } from '../history/past.ts'
import { checkDocumentName } from '../room/document-name.ts'
import { differencesOf } from './history-answers.ts'
import type {
  ActivityAnswer,
  ActivityOptions,
  ContentsOptions,
  DifferenceOptions,
  DocumentDifferences,
  DocumentHistory,
  HistoryExtent,
  HistoryMoment,
  QuestionOptions
} from './history-api.ts'
import {
  checkActivity,
  checkContents,
  checkDifference,
  checkMoment,
  checkQuestion
} from './history-options.ts'
import type { HistoryReads } from './history-reads.ts'
import type { HistoryViews } from './history-views.ts'

type Parts = {
  readonly reads: HistoryReads
  readonly views: HistoryViews
  readonly slices: Slices
  readonly limits: Limits
}

/** What `activity` is asked when nothing else is said. */
export const activityDefaults = {
  fromMs: 0,
  toMs: Number.MAX_SAFE_INTEGER,
  pauseMs: 120_000,
  limit: 1_000
} as const satisfies ActivityOptions

/** Questions only; what changes a document or its history is added by who builds this. */
export type HistoryQuestions = Pick<
  DocumentHistory,
  'extent' | 'versions' | 'at' | 'contents' | 'activity' | 'diff' | 'blame'
>

export class HistoryQuestioning {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  of(document: string): HistoryQuestions {
    return {
      extent: () => this.extent(document),
      versions: async () => (await this.extent(document)).versions,
      at: (moment, options) => this.#at(document, moment, options),
      contents: (moment, options) => this.#contents(document, moment, options),
      activity: options => this.#activity(document, options),
      diff: (from, to, options) => this.#diff(document, { from, to }, options),
      blame: (moment, options) => this.#blame(document, moment, options)
    }
  }

  /** Questions whose answer is not parsed. */
  get reads(): HistoryReads {
    return this.#parts.reads
  }

  /** As long as it is the same, so are all answers. */
  stamp(document: string): Promise<string> {
    checkDocumentName(document, this.#parts.limits)
    return this.#parts.views.stamp(document)
  }

  async extent(document: string): Promise<HistoryExtent> {
    const { views, limits } = this.#parts
    checkDocumentName(document, limits)
    return views.read(document, async ({ manifest, head, records }) => {
      const last = records.at(-1)
      const lastMs = Math.max(endOf(manifest).timeMs, last === undefined ? 0 : recordHead(last.record).timeMs)
      const { beginsAt, holes, versions } = manifest
      const unsealed = records.reduce((sum, { record }) => sum + record.length, 0)
      return {
        beginsAt,
        head,
        lastMs: lastMs === 0 ? null : lastMs,
        bytes: bytesOf(manifest) + unsealed,
        holes,
        versions
      }
    })
  }

  async #at(document: string, moment: HistoryMoment, options: QuestionOptions = {}): Promise<Uint8Array> {
    const { reads, limits } = this.#parts
    checkDocumentName(document, limits)
    checkMoment('history.at', moment)
    checkQuestion('history.at', options)
    return reads.at({ document, ...options }, moment)
  }

  async #contents(document: string, moment: HistoryMoment, options: ContentsOptions) {
    const { reads, limits } = this.#parts
    checkDocumentName(document, limits)
    checkMoment('history.contents', moment)
    checkContents('history.contents', options)
    const { types, ...asking } = options
    const question = { moment, types, answerBytesMax: limits.historyAnswerBytesMax }
    const contents = await reads.contents({ document, ...asking }, question)
    return (await this.#parsed(contents)) as Readonly<Record<string, unknown>>
  }

  async #activity(document: string, options: ActivityOptions = {}): Promise<ActivityAnswer> {
    const { reads, limits } = this.#parts
    checkDocumentName(document, limits)
    checkActivity('history.activity', options)
    const { fromMs, toMs, pauseMs, limit, ...asking } = { ...activityDefaults, ...options }
    const question = { fromMs, toMs, pauseMs, burstsMax: limit }
    return (await this.#parsed(await reads.activity({ document, ...asking }, question))) as ActivityAnswer
  }

  async #diff(
    document: string,
    { from, to }: { readonly from: HistoryMoment; readonly to: HistoryMoment | null },
    options: DifferenceOptions = {}
  ): Promise<DocumentDifferences> {
    const { reads, slices, limits } = this.#parts
    checkDocumentName(document, limits)
    for (const moment of [from, ...(to === null ? [] : [to])]) checkMoment('history.diff', moment)
    checkDifference('history.diff', options)
    const { roots = null, ...asking } = options
    const question = { from, to, roots, answerBytesMax: limits.historyAnswerBytesMax }
    return slices.run(differencesOf(await reads.differences({ document, ...asking }, question)), null)
  }

  async #blame(
    document: string,
    moment: HistoryMoment | null = null,
    options: DifferenceOptions = {}
  ): Promise<DocumentDifferences> {
    const { reads, slices, limits } = this.#parts
    checkDocumentName(document, limits)
    if (moment !== null) checkMoment('history.blame', moment)
    checkDifference('history.blame', options)
    const { roots = null, ...asking } = options
    const question = { from: moment, roots, answerBytesMax: limits.historyAnswerBytesMax }
    return slices.run(differencesOf(await reads.blame({ document, ...asking }, question)), null)
  }

  /** What the worker wrote as JSON. */
  #parsed(json: Uint8Array): Promise<unknown> {
    return this.#parts.slices.run(parseInSteps(json), null)
  }
}
