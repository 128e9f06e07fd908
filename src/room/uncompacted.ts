/**
 * Documents that could not be compacted: they are served as they are, and tried again ever more rarely. Kept in the
 * store's metadata, or each restart would try them all at once. Why and when a compaction begins is its caller's.
 */
import type { Store } from '../../persistence/store.ts'
import type { FaultCode } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Time } from '../base/time.ts'

type Parts = {
  readonly store: Pick<Store, 'readMetadata' | 'writeMetadata'>
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
}

/** `lastMs`: when the last attempt failed, since the epoch. `code`: why, for whoever looks into the store. */
type Entry = { readonly failures: number; readonly lastMs: number; readonly code: string }

/** Where they lie in the store's metadata. */
const metadataKey = 'uncompacted'

export class Uncompacted {
  readonly #parts: Parts
  /** The one that failed longest ago first. */
  readonly #entries = new Map<string, Entry>()
  /** The last write that was asked for, and whether it has begun: it writes all that came before it began. */
  #writing: Promise<void> = Promise.resolve()
  #isWaiting = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#entries.size
  }

  /** Takes up those that the store has. Rejects with what the store rejects with; what cannot be read counts as none. */
  async restore(): Promise<void> {
    const { store, log } = this.#parts
    const stored = await store.readMetadata(metadataKey)
    if (stored === null) return
    const entries = parse(stored)
    if (entries === null) {
      log.warn({ metadataKey }, 'what is known of documents that cannot be compacted could not be read')
      return
    }
    for (const [document, failures, lastMs, code] of entries) {
      this.#entries.set(document, { failures, lastMs, code })
    }
    this.#makeRoom()
  }

  has(document: string): boolean {
    return this.#entries.has(document)
  }

  /** Whether an attempt may be made now: of a document that did not fail, always. */
  isDue(document: string): boolean {
    const entry = this.#entries.get(document)
    if (entry === undefined) return true
    const { compactionRetryMs, compactionRetryMsMax } = this.#parts.limits
    const restMs = Math.min(compactionRetryMs * 2 ** (entry.failures - 1), compactionRetryMsMax)
    const sinceMs = this.#parts.time.wallMs() - entry.lastMs
    // A clock that was set back must not keep it waiting for years.
    return sinceMs >= restMs || sinceMs < 0
  }

  /** An attempt failed, through the document and not through the store. */
  failed(document: string, code: FaultCode): void {
    const failures = (this.#entries.get(document)?.failures ?? 0) + 1
    this.#entries.delete(document)
    this.#entries.set(document, { failures, lastMs: this.#parts.time.wallMs(), code })
    this.#makeRoom()
    this.#save()
  }

  /** It was compacted, or it is gone. */
  forget(document: string): void {
    if (!this.#entries.delete(document)) return
    this.#parts.metrics.uncompacted(this.#entries.size)
    this.#save()
  }

  /** Resolves when everything is written, or could not be. */
  settled(): Promise<void> {
    return this.#writing
  }

  #makeRoom(): void {
    const { limits, metrics } = this.#parts
    for (const first of this.#entries.keys()) {
      if (this.#entries.size <= limits.uncompactedMax) break
      this.#entries.delete(first)
    }
    metrics.uncompacted(this.#entries.size)
  }

  /** Those that come together are written together. */
  #save(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#writing = this.#writing.then(() => this.#write())
  }

  /** Never rejects: what could not be written is written with the next one. */
  async #write(): Promise<void> {
    this.#isWaiting = false
    try {
      await this.#parts.store.writeMetadata(metadataKey, this.#encode())
    } catch (error) {
      this.#parts.log.warn({ error }, 'which documents cannot be compacted could not be written')
    }
  }

  #encode(): Uint8Array | null {
    if (this.#entries.size === 0) return null
    const entries = [...this.#entries].map(([document, { failures, lastMs, code }]) => [
      ...[document, failures, lastMs, code]
    ])
    return Buffer.from(JSON.stringify({ version: 1, entries }))
  }
}

type Stored = readonly [document: string, failures: number, lastMs: number, code: string]

function parse(stored: Uint8Array): readonly Stored[] | null {
  try {
    const { version, entries } = JSON.parse(Buffer.from(stored).toString()) as Record<string, unknown>
    return version === 1 && Array.isArray(entries) && entries.every(isStored) ? entries : null
  } catch {
    // Told by whoever asked.
    return null
  }
}

function isStored(entry: unknown): entry is Stored {
  if (!Array.isArray(entry)) return false
  const [document, failures, lastMs, code] = entry as readonly unknown[]
  const areNumbers = Number.isSafeInteger(failures) && Number.isFinite(lastMs)
  return typeof document === 'string' && typeof code === 'string' && areNumbers
}
