/**
 * A document's history as it is at one time: its manifest, the blobs that are wanted of it, and the records that are not
 * sealed yet. If it moves meanwhile, it is read anew. A document that is to have a history and has none yet begins one.
 */
import type { HistoryRecord, HistoryStore } from '../../persistence/history.ts'
import type { Store } from '../../persistence/store.ts'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Slices } from '../base/slices.ts'
import { beginHistory } from '../history/beginning.ts'
import type { UnsealedMessage } from '../history/jobs.ts'
import type { Kept, KeptHistories } from '../history/kept.ts'
import type { BlobEntry } from '../history/manifest.ts'
import type { Extent } from '../history/moments.ts'
import { endOf } from '../history/past.ts'
import type { PolicyOf } from '../history/policy.ts'
import type { SealingWork } from '../history/work.ts'
import { orStoreFault } from '../room/store-fault.ts'

type Parts = {
  readonly store: Pick<Store, 'load' | 'history'>
  readonly kept: KeptHistories
  readonly work: Pick<SealingWork, 'keyframe'>
  readonly policyOf: PolicyOf
  readonly slices: Slices
  readonly limits: Limits
}

/** As it is when it is read; its blobs may go. */
export type HistoryView = Extent & {
  readonly document: string
  readonly kept: Kept
  /** Those above what is sealed, and those of which something waits. */
  readonly records: readonly HistoryRecord[]
}

/** Of what was read before, something is gone: the history has moved. */
class Moved extends Error {}

const blobsAtOnce = 500
const recordsAtOnce = { records: 5_000, bytes: 4 * 1024 * 1024 }

export class HistoryViews {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * What `read` makes of the history; it is called again when the history has moved meanwhile. Rejects with what it throws,
   * ERR_NO_HISTORY, ERR_NO_DOCUMENT, ERR_STORE, ERR_DOCUMENT_DAMAGED, and ERR_OVERLOADED when it moves all the time.
   */
  async read<T>(document: string, read: (view: HistoryView) => Promise<T>): Promise<T> {
    for (let tries = 0; tries < this.#parts.limits.historyTriesMax; tries++) {
      const kept = await this.kept(document)
      try {
        const result = await this.#readOnce(document, kept, read)
        // What was sealed and released meanwhile may be missing among the records.
        const after = await this.#parts.kept.read(document)
        if (after?.incarnation === kept.incarnation && after.generation === kept.generation) return result
      } catch (error) {
        if (!(error instanceof Moved)) throw orStoreFault(error)
        const after = await this.#parts.kept.read(document)
        if (after?.incarnation === kept.incarnation && after.generation === kept.generation) {
          throw new Fault('ERR_DOCUMENT_DAMAGED', `${error.message} of the history of ${document}`)
        }
      }
    }
    throw new Fault('ERR_OVERLOADED', 'the history of the document changes all the time')
  }

  /** Another one whenever the history, its versions or the document have changed. Rejects as `read`. */
  async stamp(document: string): Promise<string> {
    const { incarnation, generation } = await this.kept(document)
    try {
      const probe = { records: 1, bytes: 1 }
      const beyond = Number.MAX_SAFE_INTEGER
      const answer = await this.#history().unreleased(document, incarnation, beyond, probe)
      if (answer.outcome === 'gone') throw new Fault('ERR_NO_DOCUMENT')
      return JSON.stringify([incarnation, generation, answer.head])
    } catch (error) {
      throw orStoreFault(error)
    }
  }

  /** Begins one where there is to be one. Rejects as `read`. */
  async kept(document: string): Promise<Kept> {
    const { kept, policyOf, store, work, slices, limits } = this.#parts
    try {
      for (let tries = 0; tries < limits.historyTriesMax; tries++) {
        const there = await kept.read(document)
        if (there !== null) return there
        const log = await store.load(document)
        if (log.incarnation === null) throw new Fault('ERR_NO_DOCUMENT')
        if (policyOf(document) === null) throw new Fault('ERR_NO_HISTORY')
        await beginHistory(document, { incarnation: log.incarnation, log }, { kept, work, slices })
      }
    } catch (error) {
      throw orStoreFault(error)
    }
    throw new Fault('ERR_OVERLOADED', 'the document changes all the time')
  }

  /**
   * In the order of the entries; null for null. Throws what tells `read` that the history has moved, and
   * ERR_ANSWER_TOO_LARGE above `historyReadBytesMax`.
   */
  async blobs(
    { document, kept }: HistoryView,
    entries: readonly (BlobEntry | null)[]
  ): Promise<readonly (Uint8Array | null)[]> {
    const wanted = entries.filter(entry => entry !== null)
    this.#refuseTooMuch(wanted.reduce((sum, { bytes }) => sum + bytes, 0))
    const found = new Map<number, Uint8Array>()
    for (let from = 0; from < wanted.length; from += blobsAtOnce) {
      const numbers = wanted.slice(from, from + blobsAtOnce).map(({ blob }) => blob)
      const blobs = await this.#history().blobs(document, kept.incarnation, numbers)
      for (const [index, number] of numbers.entries()) {
        const bytes = blobs[index]
        if (bytes == null) throw new Moved(`there is no blob ${number}`)
        found.set(number, bytes)
      }
    }
    return entries.map(entry => (entry === null ? null : (found.get(entry.blob) ?? null)))
  }

  async blob(view: HistoryView, entry: BlobEntry): Promise<Uint8Array> {
    const [bytes] = await this.blobs(view, [entry])
    if (bytes == null) throw new Moved(`there is no blob ${entry.blob}`)
    return bytes
  }

  /** What is not sealed, as a worker takes it. */
  async unsealed(view: HistoryView): Promise<UnsealedMessage> {
    const { kept, records } = view
    const { known, refused } = kept.manifest
    const bytes = known === null ? null : await this.blob(view, known)
    return { known: bytes, records, refused, after: endOf(kept.manifest) }
  }

  async #readOnce<T>(document: string, kept: Kept, read: (view: HistoryView) => Promise<T>): Promise<T> {
    const { records, head } = await this.#unsealedRecords(document, kept)
    return read({ document, kept, manifest: kept.manifest, records, head })
  }

  async #unsealedRecords(
    document: string,
    { incarnation, manifest }: Kept
  ): Promise<{ records: HistoryRecord[]; head: number }> {
    const { sealedTo } = manifest
    const waiting = new Set(manifest.waiting.map(({ sequence }) => sequence))
    const records: HistoryRecord[] = []
    let bytes = 0
    for (let after = waiting.size > 0 ? 0 : sealedTo; ; ) {
      const answer = await this.#history().unreleased(document, incarnation, after, recordsAtOnce)
      if (answer.outcome === 'gone') throw new Moved('this life is over')
      for (const record of answer.records) {
        if (record.sequence <= sealedTo && !waiting.has(record.sequence)) continue
        records.push(record)
        bytes += record.record.length
      }
      this.#refuseTooMuch(bytes)
      const last = Math.max(answer.records.at(-1)?.sequence ?? 0, answer.damaged.at(-1)?.sequence ?? 0)
      if (last === 0 || last >= answer.head) return { records, head: answer.head }
      after = last
    }
  }

  #refuseTooMuch(bytes: number): void {
    const { historyReadBytesMax } = this.#parts.limits
    if (bytes <= historyReadBytesMax) return
    throw new Fault('ERR_ANSWER_TOO_LARGE', `${bytes} bytes of a history are needed at once`)
  }

  #history(): HistoryStore {
    const { history } = this.#parts.store
    if (history === undefined) throw new Fault('ERR_NO_HISTORY', 'the store keeps no histories')
    return history
  }
}
