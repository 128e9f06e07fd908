/**
 * Questions about a document's past: which parts of its history each needs, and the worker that answers it. What is durable
 * and not sealed yet is part of every answer that reaches so far.
 */
import type { HistoryQuestionKind, Metrics } from '../base/metrics.ts'
import type { ActivityQuestion } from '../history/activity.ts'
import type {
  HistoryJobName,
  HistoryJobs,
  KeyframeMessage,
  MomentMessage,
  PastMessage,
  RestoredMessage,
  RootKind,
  SegmentMessage
} from '../history/jobs.ts'
import type { KeyframeEntry, SegmentEntry } from '../history/manifest.ts'
import type { Moment } from '../history/moment.ts'
import {
  keyframeBefore,
  knownMoment,
  type NamedMoment,
  now,
  reachesUnsealed,
  segmentsBetween,
  segmentsUpTo
} from '../history/moments.ts'
import type { HistoryWorkers } from '../history/workers.ts'
import { outcomeOf } from './history-outcome.ts'
import type { HistoryView, HistoryViews } from './history-views.ts'

type Parts = {
  readonly views: HistoryViews
  readonly workers: Pick<HistoryWorkers, 'ask'>
  readonly metrics: Pick<Metrics, 'historyRead' | 'historyReadTook'>
}

/** Of every question. `signal`, `onProgress`: as in a HistoryQuestion. */
export type Asking = {
  readonly document: string
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((share: number) => void) | undefined
}

export type ContentsQuestion = {
  readonly moment: NamedMoment
  readonly types: Readonly<Record<string, RootKind>>
  readonly answerBytesMax: number
}

/** `to`: null: now. `roots`: null: all. */
export type DifferencesQuestion = {
  readonly from: NamedMoment
  readonly to: NamedMoment | null
  readonly roots: readonly string[] | null
  readonly answerBytesMax: number
}

/** `from`: null: now. */
export type BlameQuestion = Omit<DifferencesQuestion, 'from' | 'to'> & { readonly from: NamedMoment | null }

/** What a restore or an undo is computed on: as in a TakeBackMessage. */
export type TakingBack = Pick<HistoryJobs['restore']['job'], 'now' | 'copies' | 'client' | 'roots'>

export type UndoneQuestion = {
  readonly by: HistoryJobs['undo']['job']['by']
  readonly after: NamedMoment
  readonly upTo: NamedMoment | null
}

/** Where a moment is counted from, and the segments of which the content is needed. */
type Way = {
  readonly moment: Moment
  readonly keyframe: KeyframeEntry | null
  readonly segments: readonly SegmentEntry[]
}

/** All reject as `HistoryViews.read` and `HistoryWorkers.ask` do, with ERR_NO_MOMENT and ERR_NO_VERSION. */
export class HistoryReads {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The document as an update (V1), which is the caller's. */
  at(asking: Asking, moment: NamedMoment): Promise<Uint8Array> {
    return this.#ask(asking, ['at', 'at'], async view => {
      const way = wayTo(view, moment)
      return { past: await this.#past(view, [way]), at: await this.#message(view, way) }
    })
  }

  /** JSON of root types by their names, as UTF-8. */
  contents(asking: Asking, { moment, types, answerBytesMax }: ContentsQuestion): Promise<Uint8Array> {
    return this.#ask(asking, ['contents', 'json'], async view => {
      const way = wayTo(view, moment)
      const past = await this.#past(view, [way])
      return { past, at: await this.#message(view, way), types, answerBytesMax }
    })
  }

  /** `Activity` as JSON. */
  activity(asking: Asking, question: ActivityQuestion): Promise<Uint8Array> {
    return this.#ask(asking, ['activity', 'activity'], async view => {
      const { fromMs, toMs } = question
      const segments = view.manifest.segments.filter(
        ({ firstMs, lastMs }) => lastMs >= fromMs && firstMs <= toMs
      )
      const past = await this.#messages(view, { segments, withBody: new Set(), isToEnd: true })
      return { past, question }
    })
  }

  /** JSON, as `DifferencesWriter` writes it. */
  differences(asking: Asking, { from, to, roots, answerBytesMax }: DifferencesQuestion): Promise<Uint8Array> {
    return this.#ask(asking, ['diff', 'differences'], async view => {
      const was = wayTo(view, from)
      const is = wayTo(view, to ?? now)
      return {
        past: await this.#pastWithAuthors(view, [was, is]),
        was: await this.#message(view, was),
        is: await this.#message(view, is),
        copies: await this.#copies(view),
        roots,
        answerBytesMax
      }
    })
  }

  /** The same of a moment and itself: who wrote what stands. */
  blame(asking: Asking, { from, roots, answerBytesMax }: BlameQuestion): Promise<Uint8Array> {
    return this.#ask(asking, ['blame', 'differences'], async view => {
      const was = wayTo(view, from ?? now)
      return {
        past: await this.#pastWithAuthors(view, [was]),
        was: await this.#message(view, was),
        is: null,
        copies: await this.#copies(view),
        roots,
        answerBytesMax
      }
    })
  }

  /** What brings the document back to the moment, on top of `now`. */
  restored(asking: Asking, moment: NamedMoment, taking: TakingBack): Promise<RestoredMessage> {
    return this.#ask(asking, ['restore', 'restore'], async view => {
      const way = wayTo(view, moment)
      return { ...taking, past: await this.#past(view, [way]), at: await this.#message(view, way) }
    })
  }

  /** What takes back what somebody did between two moments, on top of `now`. */
  undone(asking: Asking, { by, after, upTo }: UndoneQuestion, taking: TakingBack): Promise<RestoredMessage> {
    return this.#ask(asking, ['undo', 'undo'], async view => {
      const first = wayTo(view, after)
      const moment = knownMoment(view, upTo ?? now)
      // What they deleted has to be there: a later keyframe would have collected it.
      const { keyframe } = first
      const way = { moment, keyframe, segments: segmentsBetween(view.manifest, keyframe, moment) }
      const past = await this.#past(view, [way])
      return { ...taking, past, after: first.moment, upTo: await this.#message(view, way), by }
    })
  }

  /** The kind of question as it is counted, and the job that answers it. */
  async #ask<N extends HistoryJobName>(
    { document, signal, onProgress }: Asking,
    [kind, type]: readonly [HistoryQuestionKind, N],
    build: (view: HistoryView) => Promise<HistoryJobs[N]['job']>
  ): Promise<HistoryJobs[N]['result']> {
    const { views, workers, metrics } = this.#parts
    const onDone = (tookMs: number) => metrics.historyReadTook(kind, tookMs)
    const job = () => views.read(document, build)
    try {
      const result = await workers.ask(type, { document, signal, onProgress, onDone, job })
      metrics.historyRead(kind, 'done')
      return result
    } catch (error) {
      metrics.historyRead(kind, outcomeOf(error))
      throw error
    }
  }

  /** No more than the ways need. */
  #past(view: HistoryView, ways: readonly Way[]): Promise<PastMessage> {
    const withBody = new Set(ways.flatMap(({ segments }) => segments))
    const segments = view.manifest.segments.filter(segment => withBody.has(segment))
    const isToEnd = ways.some(({ moment }) => reachesUnsealed(view.manifest, moment))
    return this.#messages(view, { segments, withBody, isToEnd })
  }

  /** The timelines of all that came before, too: who wrote something may have done so long ago. */
  #pastWithAuthors(view: HistoryView, ways: readonly Way[]): Promise<PastMessage> {
    const withBody = new Set(ways.flatMap(({ segments }) => segments))
    const upTo = new Set(ways.flatMap(({ moment }) => segmentsUpTo(view.manifest, moment)))
    const segments = view.manifest.segments.filter(segment => upTo.has(segment))
    const isToEnd = ways.some(({ moment }) => reachesUnsealed(view.manifest, moment))
    return this.#messages(view, { segments, withBody, isToEnd })
  }

  async #messages(
    view: HistoryView,
    {
      segments,
      withBody,
      isToEnd
    }: {
      readonly segments: readonly SegmentEntry[]
      readonly withBody: ReadonlySet<SegmentEntry>
      readonly isToEnd: boolean
    }
  ): Promise<PastMessage> {
    const { views } = this.#parts
    const entries = segments.flatMap(each => [each.timeline, withBody.has(each) ? each.body : null])
    const blobs = await views.blobs(view, entries)
    const messages = segments.map(({ firstSequence, lastSequence, firstMs }, index): SegmentMessage => {
      const [timeline, body] = [blobs[2 * index], blobs[2 * index + 1]]
      return {
        firstSequence,
        lastSequence,
        firstMs,
        timeline: timeline ?? new Uint8Array(),
        body: body ?? null
      }
    })
    return { segments: messages, unsealed: isToEnd ? await views.unsealed(view) : null }
  }

  async #message(view: HistoryView, { keyframe, moment }: Way): Promise<MomentMessage> {
    if (keyframe === null) return { from: null, moment }
    const { sequence } = keyframe
    const from: KeyframeMessage = { sequence, bytes: await this.#parts.views.blob(view, keyframe) }
    return { from, moment }
  }

  async #copies(view: HistoryView): Promise<readonly Uint8Array[]> {
    const copies = await this.#parts.views.blobs(view, view.manifest.copies)
    return copies.filter(bytes => bytes !== null)
  }
}

function wayTo(view: HistoryView, named: NamedMoment): Way {
  const moment = knownMoment(view, named)
  const keyframe = keyframeBefore(view.manifest, moment)
  return { moment, keyframe, segments: segmentsBetween(view.manifest, keyframe, moment) }
}
