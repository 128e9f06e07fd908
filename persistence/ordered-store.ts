/**
 * The store over any ordered database: opens the session, wires the parts and gives each call of the contract
 * its place. What the calls do is in appending, reading, checkpoints, deleting, set-aside, copy and ordered-history.
 */
import { append } from './appending.ts'
import { checkDeletion, checkHeads, checkList, checkRecordsAfter } from './arguments.ts'
import { bounds } from './bounds.ts'
import { Checkpoints } from './checkpoints.ts'
import { type CopyTarget, copyEverything } from './copy.ts'
import { deleteDocument } from './deleting.ts'
import {
  type Counters,
  encodeName,
  encodePrefix,
  headRange,
  kinds,
  nameOfKey,
  probeKey,
  recordKey,
  seal
} from './format.ts'
import { readGarbage, sweep } from './garbage.ts'
import { Heads, readCounters } from './heads.ts'
import { Leases } from './leases.ts'
import { digestOf, isSameValue, putMetadata, readMetadata } from './metadata.ts'
import { collectRange, type Operation, type OrderedBackend, type OrderedDatabase } from './ordered.ts'
import { OrderedHistories } from './ordered-history.ts'
import { OrderedMarks } from './ordered-marks.ts'
import { readDocument, readHeads, readRecordsAfter, readSegments } from './reading.ts'
import { guarded, type OnReport } from './reports.ts'
import { Session } from './session.ts'
import { readSetAside, readSetAsideDocuments, type SetAsideBounds } from './set-aside.ts'
import { SettingAside } from './setting-aside.ts'
import {
  type CopyProgress,
  type DamageReport,
  type Deletion,
  type ListOptions,
  type LoadedDocument,
  type RecordLimits,
  type Store,
  StoreError,
  singleWriter
} from './store.ts'
import { type Schedule, scheduleByTimer, Tidy } from './tidy.ts'
import { dropTombstones, listTombstones } from './tombstones.ts'
import { putHead, type StoreParts } from './writing.ts'

export type OrderedStoreOptions = {
  /**
   * `sync` (the default): an append resolves when it would survive a power cut. `relaxed`: when the system
   * has it.
   */
  readonly durability?: 'sync' | 'relaxed'
  readonly onReport?: OnReport
  readonly headsMax?: number
  readonly setAsideMax?: number
  readonly setAsideBytesMax?: number
  /** Milliseconds since the epoch, for set-aside entries of damaged records. */
  readonly now?: () => number
  /** When to compact after quiet. */
  readonly schedule?: Schedule
  /** Where `copyTo` goes; absent: it rejects with STORE_ARGUMENT. */
  readonly claimCopy?: (directory: string) => Promise<CopyTarget>
}

/** Opens the store over a backend. Rejects with what the backend rejects with, or STORE_DAMAGED. */
export async function openOrderedStore(
  backend: OrderedBackend,
  options: OrderedStoreOptions = {}
): Promise<Store> {
  const store = new OrderedStore(options)
  await store.open(backend)
  return store
}

class OrderedStore implements Store {
  readonly lanes = 1
  readonly node = singleWriter.node
  readonly #options: OrderedStoreOptions
  readonly #limits: SetAsideBounds
  readonly #onReport: OnReport
  readonly #heads: Heads
  readonly #tidy: Tidy
  readonly #leases: Leases
  readonly #state: { counters: Counters } = { counters: { nextIncarnation: 1, sequenceFloor: 0 } }
  #opened: {
    readonly parts: StoreParts
    readonly checkpoints: Checkpoints
    readonly settingAside: SettingAside
    readonly histories: OrderedHistories
    readonly marks: OrderedMarks
  } | null = null

  constructor(options: OrderedStoreOptions) {
    this.#options = options
    this.#limits = {
      setAsideMax: options.setAsideMax ?? bounds.setAsideMax,
      setAsideBytesMax: options.setAsideBytesMax ?? bounds.setAsideBytesMax
    }
    this.#onReport = guarded(options.onReport)
    this.#heads = new Heads(options.headsMax ?? bounds.headsMax)
    this.#leases = new Leases(options.now ?? (() => performance.now()))
    this.#tidy = new Tidy(options.schedule ?? scheduleByTimer, this.#onReport)
  }

  async open(backend: OrderedBackend): Promise<void> {
    const session = await Session.open({
      backend,
      opened: database => this.#recover(database),
      closing: database => this.#tidy.close(database),
      onReopened: cause => this.#onReport({ kind: 'reopened', cause }),
      onReopenFailed: cause => this.#onReport({ kind: 'reopen-failed', cause })
    })
    const parts = {
      session,
      heads: this.#heads,
      tidy: this.#tidy,
      onReport: this.#onReport,
      state: this.#state
    }
    const settingAside = new SettingAside(parts, this.#limits)
    const histories = new OrderedHistories(parts)
    const marks = new OrderedMarks(parts)
    this.#opened = { parts, checkpoints: new Checkpoints(parts), settingAside, histories, marks }
  }

  append(entries: Parameters<Store['append']>[0]): ReturnType<Store['append']> {
    const durability = this.#options.durability === 'relaxed' ? 'unsynced' : 'synced'
    return this.#session.operation(() => append(this.#parts, entries, durability))
  }

  load(document: string): Promise<LoadedDocument> {
    return this.#session.operation(async () => {
      const loaded = await this.#session.read(database => readDocument(database, document))
      for (const damage of loaded.damaged) await this.#moveDamaged(document, loaded.incarnation, damage)
      return loaded
    })
  }

  recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): ReturnType<Store['recordsAfter']> {
    return this.#session.operation(() => {
      checkRecordsAfter(document, sequence, limits)
      const query = { document, incarnation, sequence, limits }
      return this.#session.read(database => readRecordsAfter(database, query))
    })
  }

  heads(queries: Parameters<Store['heads']>[0]): ReturnType<Store['heads']> {
    return this.#session.operation(() => {
      checkHeads(queries)
      return this.#session.read(database => readHeads(database, queries))
    })
  }

  lease(key: string, holder: string, ms: number): Promise<boolean> {
    return this.#session.operation(async () => this.#leases.take(key, holder, ms))
  }

  segments(document: string, generation: number): Promise<readonly Uint8Array[] | null> {
    return this.#session.operation(() =>
      this.#session.read(database => readSegments(database, document, generation))
    )
  }

  checkpoint(request: Parameters<Store['checkpoint']>[0]): ReturnType<Store['checkpoint']> {
    return this.#session.operation(() => this.#checkpoints.write(request))
  }

  setAside(document: string, entry: Parameters<Store['setAside']>[1]): Promise<void> {
    return this.#session.operation(() => this.#settingAside.add(document, entry))
  }

  listSetAside(document: string): ReturnType<Store['listSetAside']> {
    return this.#session.operation(() => this.#session.read(database => readSetAside(database, document)))
  }

  setAsideDocuments(): Promise<readonly string[]> {
    return this.#session.operation(() => this.#session.read(database => readSetAsideDocuments(database)))
  }

  dropSetAside(document: string, number: number): Promise<boolean> {
    return this.#session.operation(() => this.#settingAside.drop(document, number))
  }

  list(options?: ListOptions): Promise<readonly string[]> {
    return this.#session.operation(async () => {
      const { prefix, after, limit } = checkList(options)
      const range = headRange(encodePrefix(prefix), encodePrefix(after))
      const query = { ...range, limit, values: 'omit' } as const
      const entries = await this.#session.read(database => collectRange(database, query))
      return entries.map(([key]) => nameOfKey(key))
    })
  }

  delete(document: string, deletion: Deletion = {}): Promise<boolean> {
    return this.#session.operation(() => {
      checkDeletion(deletion)
      return deleteDocument(this.#parts, document, deletion)
    })
  }

  tombstones(): ReturnType<Store['tombstones']> {
    return this.#session.operation(() => this.#session.read(listTombstones))
  }

  dropTombstones(documents: readonly string[]): Promise<void> {
    return this.#session.operation(() => dropTombstones(this.#session, documents))
  }

  readMetadata(key: string): Promise<Uint8Array | null> {
    return this.#session.operation(async () => {
      encodeName(key)
      return this.#session.read(database => readMetadata(database, key))
    })
  }

  writeMetadata(key: string, value: Uint8Array | null): Promise<void> {
    return this.#session.operation(() => {
      const operation = putMetadata(key, value)
      return this.#session.write(writer => writer.batch([operation], 'synced'))
    })
  }

  swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean> {
    return this.#session.operation(() => {
      const operation = putMetadata(key, value)
      return this.#session.write(async writer => {
        if (!isSameValue(await readMetadata(writer, key), present)) return false
        await writer.batch([operation], 'synced')
        return true
      })
    })
  }

  async metadataDigest(key: string): Promise<Uint8Array | null> {
    return digestOf(await this.readMetadata(key))
  }

  probe(): Promise<void> {
    return this.#session.operation(() =>
      this.#session.write(async writer => {
        const value = seal(probeKey, kinds.probe, Buffer.from('probe'))
        await writer.batch([{ type: 'put', key: probeKey, value }], 'synced')
        const found = await writer.get(probeKey)
        if (found?.equals(value) !== true) throw new StoreError('STORE_FAILED', 'The probe was not read back')
      })
    )
  }

  copyTo(directory: string, onProgress?: (progress: CopyProgress) => void): Promise<CopyProgress> {
    return this.#session.operation(async () => {
      const { claimCopy } = this.#options
      if (claimCopy === undefined) throw new StoreError('STORE_ARGUMENT', 'This store cannot be copied')
      const target = await claimCopy(directory)
      return copyEverything(this.#session, target, onProgress ?? (() => {}))
    })
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  get history(): OrderedHistories {
    return this.#open.histories
  }

  get marks(): OrderedMarks {
    return this.#open.marks
  }

  get #open() {
    if (this.#opened === null) throw new StoreError('STORE_FAILED', 'The store was not opened')
    return this.#opened
  }

  get #parts(): StoreParts {
    return this.#open.parts
  }

  get #session(): Session {
    return this.#parts.session
  }

  get #checkpoints(): Checkpoints {
    return this.#open.checkpoints
  }

  get #settingAside(): SettingAside {
    return this.#open.settingAside
  }

  /**
   * At each opening: forget what was believed, and finish the removals a crash or a failed write interrupted.
   */
  async #recover(database: OrderedDatabase): Promise<void> {
    this.#heads.clear()
    // Whatever can be read from here on survives a power cut, a failed write that nevertheless exists
    // included: readers will show it to people.
    const probe = seal(probeKey, kinds.probe, Buffer.from('probe'))
    await database.batch([{ type: 'put', key: probeKey, value: probe }], 'synced')
    this.#state.counters = await readCounters(database)
    const notes = await readGarbage(database)
    let keys = 0
    const access = {
      read: <T>(work: (reader: OrderedDatabase) => Promise<T>) => work(database),
      commit: (operations: readonly Operation[]) => database.batch(operations, 'synced')
    }
    for (const note of notes) keys += await sweep(access, note)
    if (notes.length > 0) this.#onReport({ kind: 'leftovers-removed', notes: notes.length, keys })
  }

  /** Moves one damaged record in one batch, if it is still there and its document has not ended. */
  async #moveDamaged(
    document: string,
    incarnation: string | null,
    { sequence, reason }: DamageReport
  ): Promise<void> {
    const replaced = await this.#session.write(async writer => {
      const head = await this.#heads.get(writer, document)
      if (head === null || String(head.incarnation) !== incarnation) return null
      const key = recordKey(head.incarnation, sequence)
      const bytes = await writer.get(key)
      if (bytes === undefined) return null
      const timeMs = this.#options.now?.() ?? Date.now()
      const entry = { author: null, timeMs, reason: `damaged record ${sequence}: ${reason}`, bytes }
      // The head carries the sequence number on, for this may be the last record.
      const beside: Operation[] = [{ type: 'del', key }, putHead(document, head)]
      return this.#settingAside.addBeside(writer, { document, entry, beside })
    })
    if (replaced === null) return
    await this.#settingAside.removeLater(document, replaced)
    this.#onReport({ kind: 'record-set-aside', document, sequence, reason })
  }
}
