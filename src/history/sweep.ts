/**
 * Looks at all histories now and then, those of closed documents too: seals what was left unsealed, cuts off what is too old,
 * and ends those that no rule asks for any more. One at a time, with a rest after each, and on one node at a time.
 */
import type { HistoryStore } from '../../persistence/history.ts'
import type { DocumentLog, LeaseStore } from '../../persistence/store.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Cancel, Time } from '../base/time.ts'
import type { Histories } from './histories.ts'
import { bytesOf, type Kept } from './kept.ts'
import type { HistoryPolicy } from './policy.ts'

type Parts = {
  readonly store: LeaseStore & Pick<DocumentLog, 'heads' | 'node'>
  readonly history: HistoryStore
  readonly histories: Histories
  /** Whether a rule asks for histories; else there may be some of an earlier start. */
  readonly hasRules: boolean
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** Names that are asked of the store at once. */
const pageNames = 100

const dayMs = 86_400_000

export class Sweep {
  readonly #parts: Parts
  #cancel: Cancel = () => {}
  /** Ends the rest between two histories. */
  #wake: () => void = () => {}
  #running: Promise<void> = Promise.resolve()
  #isClosed = false
  /** There is none, and none begins. */
  #isOver = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The first one after a while, then again and again. */
  start(): void {
    this.#later(this.#parts.limits.historySweepFirstMs)
  }

  /** Looks at all of them once, unless another node does. Never rejects. */
  async run(): Promise<void> {
    try {
      if (!(await this.#hasSome())) return
      if (await this.#lease(this.#parts.limits.historySweepLeaseMs)) await this.#visitAll()
      await this.#lease(0)
    } catch (error) {
      if (!this.#isClosed) this.#parts.log.error({ error }, 'histories could not be looked at')
    }
  }

  /** Resolves when the one that is under way has stopped. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    this.#wake()
    await this.#running
  }

  async #hasSome(): Promise<boolean> {
    const { hasRules, history } = this.#parts
    const isAny = (await history.list({ limit: 1 })).length > 0
    this.#isOver = !isAny && !hasRules
    return isAny
  }

  #later(ms: number): void {
    this.#cancel = this.#parts.time.after(ms, () => {
      this.#running = this.run().then(() => {
        if (!this.#isClosed && !this.#isOver) this.#later(this.#parts.limits.historySweepMs)
      })
    })
  }

  /** What is done is safe without it. */
  #lease(ms: number): Promise<boolean> {
    const { store } = this.#parts
    return store.lease('history-sweep', store.node === '' ? 'server' : store.node, ms)
  }

  async #visitAll(): Promise<void> {
    const { history, metrics, limits, time } = this.#parts
    let [documents, bytes, leasedMs] = [0, 0, time.nowMs()]
    for (let after = ''; ; ) {
      const names = await history.list({ after, limit: pageNames })
      for (const name of names) {
        if (this.#isClosed) return
        const left = await this.#visit(name)
        documents += left === null ? 0 : 1
        bytes += left === null ? 0 : bytesOf(left.manifest)
        await this.#rest()
        if (time.nowMs() - leasedMs < limits.historySweepLeaseMs / 3) continue
        if (!(await this.#lease(limits.historySweepLeaseMs))) return
        leasedMs = time.nowMs()
      }
      const last = names.at(-1)
      if (last === undefined) break
      after = last
    }
    metrics.historiesMeasured(documents, bytes)
  }

  #rest(): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#parts.time.after(this.#parts.limits.historySweepPauseMs, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  /** What is left; null: nothing. One that fails is left for the next time. */
  async #visit(document: string): Promise<Kept | null> {
    const { histories, metrics, log } = this.#parts
    try {
      const kept = await histories.kept.read(document)
      if (kept === null) return null
      const policy = histories.policyOf(document)
      return policy === null ? await this.#off(document, kept) : await this.#look(document, kept, policy)
    } catch (error) {
      if (this.#isClosed) return null
      metrics.historyFailed()
      log.error({ error, document }, 'the history of a document could not be looked at')
      return null
    }
  }

  async #look(document: string, kept: Kept, policy: HistoryPolicy): Promise<Kept | null> {
    const { histories, metrics, log } = this.#parts
    const sealed = (await this.#isBehind(document, kept)) ? await histories.catchUp(document, kept) : kept
    if (sealed === null) return null
    const trimmed = await histories.cutToAge(document, policy)
    if (trimmed === null || !trimmed.isCut) return trimmed?.left ?? null
    metrics.historyCut('too-old')
    log.info({ document, days: policy.days }, 'the oldest part of a history was removed')
    return trimmed.left
  }

  /** Whether a checkpoint has replaced the first record that is not sealed: told from that one alone. */
  async #isBehind(document: string, { incarnation, manifest }: Kept): Promise<boolean> {
    const { history } = this.#parts
    const first = await history.unreleased(document, incarnation, manifest.sealedTo, { records: 1, bytes: 1 })
    return first.outcome === 'records' && first.records[0]?.isReplaced === true
  }

  /** What it has stays for a time, should somebody have mistyped a rule; nothing is added. */
  async #off(document: string, kept: Kept): Promise<Kept | null> {
    const { histories, time, limits, metrics, log, store } = this.#parts
    const nowMs = time.wallMs()
    const { incarnation, manifest } = kept
    if (manifest.offSinceMs !== null && nowMs - manifest.offSinceMs > limits.historyDays * dayMs) {
      await histories.kept.drop(document, incarnation)
      metrics.historyCut('off')
      log.info({ document }, 'the history of a document was removed, as no rule asks for it any more')
      return null
    }
    const [head] = await store.heads([{ document }])
    if (head?.incarnation !== incarnation) return null
    if (manifest.offSinceMs !== null && kept.releasedTo >= head.head) return kept
    return histories.kept.change(document, incarnation, ({ manifest: now, releasedTo }) => ({
      manifest: { ...now, offSinceMs: now.offSinceMs ?? nowMs, waiting: [], refused: [] },
      ...{ releasedTo: Math.max(releasedTo, head.head), pins: [] }
    }))
  }
}
