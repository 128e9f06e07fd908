/**
 * Documents that could not be compacted: they are served as they are, and tried again ever more rarely. Kept in the
 * store's metadata, or each restart would try them all at once: in one value; and where other nodes write too, in one of
 * each document, which whoever may compact it reads first. Why and when a compaction begins is its caller's.
 */
import type { Store } from '../../persistence/store.ts'
import type { FaultCode } from '../base/errors.ts'
import { hashedName } from '../base/hashed-name.ts'
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

/** Where they lie in the store's metadata: all under one key, or each under one of its own. */
type Keys = 'one' | 'each'

const metadataKey = 'uncompacted'

function keyOf(document: string): string {
  return `${metadataKey}/${hashedName(document)}`
}

export class Uncompacted {
  readonly #parts: Parts
  readonly #keys: Keys
  /** The one that failed longest ago first. */
  readonly #entries = new Map<string, Entry>()
  /** The last write that was asked for, and whether it has begun: it writes all that came before it began. */
  #writing: Promise<void> = Promise.resolve()
  #isWaiting = false

  constructor(parts: Parts, { keys }: { readonly keys: Keys }) {
    this.#parts = parts
    this.#keys = keys
  }

  get count(): number {
    return this.#entries.size
  }

  /** Takes up those that the store has. Rejects with what the store rejects with; what cannot be read counts as none. */
  async restore(): Promise<void> {
    // Other nodes go on writing: it is read when it is needed.
    if (this.#keys === 'each') return
    for (const [document, failures, lastMs, code] of await this.#read(metadataKey)) {
      this.#entries.set(document, { failures, lastMs, code })
    }
    this.#makeRoom()
  }

  /** Takes up what the store knows of one document. Rejects with what the store rejects with. */
  async learn(document: string): Promise<void> {
    if (this.#keys === 'one') return
    await this.#writing
    const [stored] = await this.#read(keyOf(document))
    this.#entries.delete(document)
    if (stored !== undefined) {
      const [, failures, lastMs, code] = stored
      this.#entries.set(document, { failures, lastMs, code })
    }
    this.#makeRoom()
  }

  async #read(key: string): Promise<readonly Stored[]> {
    const stored = await this.#parts.store.readMetadata(key)
    const entries = stored === null ? [] : parse(stored)
    if (entries !== null) return entries
    this.#parts.log.warn(
      { metadataKey: key },
      'what is known of documents that cannot be compacted could not be read'
    )
    return []
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
    this.#save(document)
  }

  /** It was compacted. */
  forget(document: string): void {
    if (this.#drop(document)) this.#save(document)
  }

  /** It is gone, whichever node knew something of it. */
  deleted(document: string): void {
    if (this.#drop(document) || this.#keys === 'each') this.#save(document)
  }

  /** Another node has compacted it, and has written so. */
  compactedElsewhere(document: string): void {
    if (this.#keys === 'each') this.#drop(document)
  }

  #drop(document: string): boolean {
    const isKnown = this.#entries.delete(document)
    if (isKnown) this.#parts.metrics.uncompacted(this.#entries.size)
    return isKnown
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

  #save(document: string): void {
    if (this.#keys === 'one') return this.#saveAll()
    this.#writing = this.#writing.then(() => this.#write(keyOf(document), () => this.#encode([document])))
  }

  /** Those that come together are written together. */
  #saveAll(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#writing = this.#writing.then(() => {
      this.#isWaiting = false
      return this.#write(metadataKey, () => this.#encode([...this.#entries.keys()]))
    })
  }

  /** Never rejects: what could not be written is written with the next one, or is found out again. */
  async #write(key: string, value: () => Uint8Array | null): Promise<void> {
    try {
      await this.#parts.store.writeMetadata(key, value())
    } catch (error) {
      this.#parts.log.warn({ error }, 'which documents cannot be compacted could not be written')
    }
  }

  #encode(documents: readonly string[]): Uint8Array | null {
    const entries = documents.flatMap(document => {
      const entry = this.#entries.get(document)
      return entry === undefined ? [] : [[document, entry.failures, entry.lastMs, entry.code]]
    })
    if (entries.length === 0) return null
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
