/**
 * The histories of a server's documents: begun before a compaction's checkpoint, sealed after it, cut when they grow too
 * long. A document that no rule names costs nothing here. What fails here never keeps a compaction from going on.
 */
import type { HistoryStore } from '../../persistence/history.ts'
import type { LoadedDocument } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Slices } from '../base/slices.ts'
import type { Time } from '../base/time.ts'
import { everyInSteps, type Steps } from '../document/steps.ts'
import { beginHistory } from './beginning.ts'
import { isKeyframeDue } from './growth.ts'
import { beginAgain, beginWith, type Compaction } from './holes.ts'
import { bytesOf, type Kept, KeptHistories } from './kept.ts'
import { readKnown } from './known.ts'
import { lastReplaced } from './pages.ts'
import type { HistoryPolicy, PolicyOf } from './policy.ts'
import { Sealing } from './sealing.ts'
import type { UpdatePlace } from './segment.ts'
import { cut, cutToAge, cutToSize } from './trimming.ts'
import type { SealingWork } from './work.ts'

export type { Compaction } from './holes.ts'

type Parts = {
  readonly store: HistoryStore
  readonly work: SealingWork
  readonly policyOf: PolicyOf
  readonly random: () => number
  readonly time: Time
  readonly slices: Slices
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** What is left after a prune: from when on it can be read, and how many bytes went. */
export type Pruned = { readonly beginsAt: Kept['manifest']['beginsAt']; readonly bytes: number }

/** `left`: null: nothing was young enough, and it was dropped. */
export type Trimmed = { readonly left: Kept | null; readonly isCut: boolean }

export class Histories {
  readonly #parts: Parts
  readonly #sealing: Sealing
  /** Changes histories and reads them: for versions and restores too. */
  readonly kept: KeptHistories

  constructor(parts: Parts) {
    this.#parts = parts
    this.kept = new KeptHistories(parts)
    this.#sealing = new Sealing({ ...parts, kept: this.kept, onSealed: parts.metrics.historySealed })
  }

  /** Whether the document has one, and what it may take; null: it has none. */
  policyOf(document: string): HistoryPolicy | null {
    return this.#parts.policyOf(document)
  }

  /**
   * Before the checkpoint that replaces these records: begins a history that there is none of yet, and notes what the
   * compaction has refused. Never rejects: without it the history has a hole, or begins later.
   */
  async prepare(document: string, loaded: LoadedDocument, refused: readonly UpdatePlace[]): Promise<void> {
    const { incarnation } = loaded
    if (incarnation === null || this.policyOf(document) === null) return
    try {
      const there = await this.kept.read(document)
      const parts = { ...this.#parts, kept: this.kept }
      if (there === null) await beginHistory(document, { incarnation, log: loaded }, parts)
      if (refused.length > 0) await this.#refuse(document, incarnation, refused)
    } catch (error) {
      this.#failed(document, error)
    }
  }

  #refuse(document: string, incarnation: string, refused: readonly UpdatePlace[]): Promise<Kept | null> {
    return this.kept.change(document, incarnation, ({ manifest }) => {
      return { manifest: { ...manifest, refused: [...manifest.refused, ...refused] } }
    })
  }

  /**
   * After the checkpoint: seals what it has replaced. What cannot be sealed, or would take too long, becomes a hole, and the
   * history begins again with this checkpoint. Never rejects.
   */
  async seal(document: string, compaction: Compaction): Promise<void> {
    const policy = this.policyOf(document)
    if (policy === null) return
    try {
      const there = await this.kept.read(document)
      const parts = { ...this.#parts, kept: this.kept }
      if (there === null) return void (await beginWith(document, compaction, parts))
      if (there.incarnation !== compaction.incarnation) return
      const reason = this.#unsealable(there, compaction) ?? (await this.#sealOrWhyNot(document, compaction))
      if (reason !== null) await this.#beginAgain(document, compaction, reason)
      await this.#cutToSize(document, policy)
      this.#parts.metrics.historyLag(document, 0)
    } catch (error) {
      this.#failed(document, error)
      await this.#measureLag(document, compaction)
    }
  }

  /** Seals what a checkpoint has replaced and nobody has sealed since. Rejects as `Sealing.seal` does. */
  async catchUp(document: string, kept: Kept): Promise<Kept | null> {
    const upTo = await lastReplaced(document, kept, this.#parts)
    if (upTo === null) return kept
    const goal = { incarnation: kept.incarnation, upTo, documentBytes: null }
    return (await this.#sealing.seal(document, goal))?.kept ?? null
  }

  /**
   * Contents from before a time (since the epoch) go: of whole segments, so perhaps a little more than that. Who did what
   * when stays. Records that no checkpoint has replaced yet are no part of it: compact the document first. Null: the document
   * has no history. Rejects with what the store or the worker rejects with.
   */
  async prune(document: string, beforeMs: number): Promise<Pruned | null> {
    const parts = { ...this.#parts, kept: this.kept }
    const pruned = await this.kept.again(document, async there => {
      const sealed = await this.catchUp(document, there)
      if (sealed === null) return null
      const count = sealed.manifest.segments.filter(({ firstMs }) => firstMs < beforeMs).length
      const left = await cut(document, sealed, { count, kind: 'bodies' }, parts)
      if (left === null) return null
      const bytes = bytesOf(sealed.manifest) - bytesOf(left.manifest)
      return { beginsAt: left.manifest.beginsAt, bytes }
    })
    if (pruned !== null) this.#parts.metrics.historyCut('pruned')
    return pruned
  }

  /** Cuts off what is older than the rule allows. Null: the document has no history. Rejects as `prune`. */
  cutToAge(document: string, policy: HistoryPolicy): Promise<Trimmed | null> {
    const nowMs = this.#parts.time.wallMs()
    const parts = { ...this.#parts, kept: this.kept }
    return this.kept.again(document, async kept => {
      const left = await cutToAge(document, { kept, nowMs }, policy, parts)
      if (left === null) return null
      return left === 'gone' ? { left: null, isCut: true } : { left, isCut: left !== kept }
    })
  }

  #unsealable({ manifest, releasedTo }: Kept, { sequence }: Compaction): string | null {
    if (manifest.offSinceMs !== null || releasedTo > manifest.sealedTo) return 'it was switched off'
    const behind = sequence - manifest.sealedTo
    return behind > this.#parts.limits.historyUnsealedMax ? `${behind} records were not sealed` : null
  }

  /** Null: it is sealed. Rejects where trying again later is better than a hole. */
  async #sealOrWhyNot(document: string, compaction: Compaction): Promise<string | null> {
    const { incarnation, sequence, segments } = compaction
    const documentBytes = segments.reduce((sum, { length }) => sum + length, 0)
    try {
      const reached = await this.#sealing.seal(document, { incarnation, upTo: sequence, documentBytes })
      if (reached === null) return null
      const { kept, known } = reached
      if (kept.manifest.sealedTo !== sequence) return null
      if (known !== null && !(await this.#parts.slices.run(agree(known, compaction), null)))
        return 'it held something else than the document'
      if (isKeyframeDue(kept.manifest, this.#parts.limits))
        await this.#sealing.addKeyframe(document, kept, segments)
      return null
    } catch (error) {
      if (!isForGood(error)) throw error
      this.#failed(document, error)
      return error instanceof Error ? error.message : String(error)
    }
  }

  async #beginAgain(document: string, compaction: Compaction, reason: string): Promise<void> {
    const { log, metrics, work } = this.#parts
    const begun = await beginAgain(document, { compaction, reason }, { kept: this.kept, work })
    if (begun === null) return
    metrics.historyHole()
    log.warn({ document, reason }, 'the history of a document has a hole')
  }

  async #cutToSize(document: string, policy: HistoryPolicy): Promise<void> {
    const parts = { ...this.#parts, kept: this.kept }
    const trimmed = await this.kept.again(document, async kept => {
      const left = await cutToSize(document, kept, policy, parts)
      return left === null ? null : { isCut: left !== kept }
    })
    if (trimmed?.isCut === true) this.#parts.metrics.historyCut('too-large')
  }

  #failed(document: string, error: unknown): void {
    if (error instanceof Fault && error.code === 'ERR_GOING_DOWN') return
    this.#parts.metrics.historyFailed()
    this.#parts.log.error({ error, document }, 'the history of a document could not be written')
  }

  async #measureLag(document: string, { sequence }: Compaction): Promise<void> {
    // The store may be what failed.
    const there = await this.kept.read(document).catch(() => null)
    if (there !== null) this.#parts.metrics.historyLag(document, sequence - there.manifest.sealedTo)
  }
}

/**
 * Whether the history holds at its end what the checkpoint does: all its structs. Yjs deletes more than updates say, as what
 * was written into something that is deleted.
 */
function* agree(known: Uint8Array, { structs, deletes }: Compaction): Steps<boolean> {
  const { vector, deletes: deleted } = yield* readKnown(known)
  if (structs.clientCount !== vector.size) return false
  const ends = everyInSteps(vector, ([client, end]) => structs.prefixEnd(client) === end)
  if (!(yield* ends)) return false
  return yield* everyInSteps(deleted.ranges(), ({ client, clock, length }) =>
    deletes.covers(client, clock, length)
  )
}

/** Whether it would fail again: what is stored cannot be read, or the worker fails of it. */
function isForGood(error: unknown): boolean {
  if (!(error instanceof Fault)) return (error as { readonly code?: unknown })?.code === 'STORE_DAMAGED'
  switch (error.code) {
    case 'ERR_DOCUMENT_DAMAGED':
    case 'ERR_BAD_MESSAGE':
    case 'ERR_UPDATE_MALFORMED':
    case 'ERR_DEADLINE':
    case 'ERR_INTERNAL':
      return true
    default:
      return false
  }
}
