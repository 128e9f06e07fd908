/** The pasts of a server's documents, put together: questions, and what changes a document or its history. */
import type { HistoryStore } from '../../persistence/history.ts'
import type { Store } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import type { Histories } from '../history/histories.ts'
import { sealingWork } from '../history/work.ts'
import type { HistoryWorkers } from '../history/workers.ts'
import type { CompactionSchedule } from '../room/compaction-schedule.ts'
import { checkDocumentName } from '../room/document-name.ts'
import type { Rooms } from '../room/rooms.ts'
import { HistoryQuestioning } from './history.ts'
import type { DocumentHistory, PruneAnswer } from './history-api.ts'
import { HistoryChanges } from './history-changes.ts'
import { HistoryReads } from './history-reads.ts'
import { HistoryViews } from './history-views.ts'
import { Pruning } from './pruning.ts'
import { Restores } from './restores.ts'

type Parts = {
  readonly rooms: Rooms
  readonly compactions: CompactionSchedule
  readonly store: Store
  readonly history: HistoryStore
  readonly histories: Histories
  readonly workers: Pick<HistoryWorkers, 'ask'>
  readonly slices: Slices
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  /** From 0 to below 1. */
  readonly random: () => number
  /** Of a version, or of a restore that was asked for without a key; never the same twice. */
  readonly newId: () => string
}

export class DocumentHistories {
  readonly #parts: Parts
  readonly #views: HistoryViews
  readonly #pruning: Pruning
  readonly questions: HistoryQuestioning
  readonly changes: HistoryChanges

  constructor(parts: Parts) {
    this.#parts = parts
    const { histories, workers, metrics } = parts
    const { kept } = histories
    const policyOf = (document: string) => histories.policyOf(document)
    this.#views = new HistoryViews({ ...parts, kept, work: sealingWork(workers), policyOf })
    const reads = new HistoryReads({ views: this.#views, workers, metrics })
    const begin = (document: string) => this.#views.kept(document)
    const restores = new Restores({ ...parts, histories: kept, begin })
    this.questions = new HistoryQuestioning({ ...parts, reads, views: this.#views })
    this.#pruning = new Pruning(parts)
    this.changes = new HistoryChanges({ ...parts, restores, reads, views: this.#views, kept })
  }

  of(document: string): DocumentHistory {
    checkDocumentName(document, this.#parts.limits)
    return {
      ...this.questions.of(document),
      restore: (moment, options) => this.changes.restore(document, moment, options),
      undo: (question, options) => this.changes.undo(document, question, options),
      name: (name, options) => this.changes.name(document, name, options),
      unname: version => this.changes.unname(document, version),
      prune: before => this.prune(document, before)
    }
  }

  /** What waits for its turn to be pruned is given up (ERR_GOING_DOWN). Leaves no timer. */
  close(): void {
    this.#pruning.close()
  }

  async prune(document: string, { timeMs }: { readonly timeMs: number }): Promise<PruneAnswer> {
    if (!Number.isSafeInteger(timeMs) || timeMs < 0) throw new TypeError('history.prune takes { timeMs }')
    await this.#views.kept(document)
    return this.#pruning.prune(document, timeMs)
  }
}
