/**
 * A store that keeps nothing past the process: the oracle of the conformance suite, and `--data :memory:`.
 * Simple rather than fast; every call is finished before it returns its promise.
 */

import {
  checkAppend,
  checkCheckpoint,
  checkDeletion,
  checkHeads,
  checkList,
  checkRecordsAfter,
  checkValue,
  compareUtf8
} from './arguments.ts'
import { bounds } from './bounds.ts'
import { following } from './following.ts'
import { encodeName } from './format.ts'
import { Leases } from './leases.ts'
import { type Life, MemoryHistories, replaceRecord } from './memory-history.ts'
import { MemoryMarks } from './memory-marks.ts'
import { digestOf, isSameValue } from './metadata.ts'
import {
  type AppendAnswer,
  type AppendEntry,
  type CheckpointRequest,
  type CheckpointResult,
  type CopyProgress,
  type Deletion,
  type DocumentHead,
  type HeadQuery,
  type ListOptions,
  type LoadedDocument,
  type RecordLimits,
  type RecordsAfter,
  type SetAside,
  type Store,
  type StoredRecord,
  type StoredSetAside,
  StoreError,
  singleWriter,
  type Tombstone
} from './store.ts'

/**
 * Documents live until `close`. `copyTo` is refused with STORE_ARGUMENT: there is nothing to open a copy
 * with.
 */
export function createMemoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly lanes = 1
  readonly node = singleWriter.node
  readonly #documents = new Map<string, Life>()
  readonly #aside = new Map<string, StoredSetAside[]>()
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #metadata = new Map<string, Uint8Array>()
  readonly #leases = new Leases(() => performance.now())
  readonly history = new MemoryHistories({
    lives: this.#documents,
    checkOpen: (...names) => this.#checkOpen(...names),
    floorOf: life => this.#floorOf(life),
    nextNumber: () => ++this.#incarnations
  })
  readonly marks = new MemoryMarks({
    lives: this.#documents,
    checkOpen: (...names) => this.#checkOpen(...names)
  })
  #incarnations = 0
  #sequenceFloor = 0
  #isClosed = false

  async append(entries: readonly AppendEntry[]): Promise<AppendAnswer[]> {
    this.#checkOpen()
    checkAppend(entries)
    return entries.map(entry => this.#appendOne(entry))
  }

  async load(document: string): Promise<LoadedDocument> {
    this.#checkOpen(document)
    const life = this.#documents.get(document)
    const tombstone = this.#tombstones.get(document) ?? null
    // The floor is not the document's own here, and one writer has no use for it.
    const floor = null
    if (life === undefined)
      return { incarnation: null, head: 0, checkpoint: null, records: [], damaged: [], tombstone, floor }
    const records = recordsOf(life, 0)
    const { incarnation, checkpoint, lastSequence: head } = life
    return { incarnation, head, checkpoint, records, damaged: [], tombstone, floor }
  }

  async recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<RecordsAfter> {
    this.#checkOpen()
    checkRecordsAfter(document, sequence, limits)
    const life = this.#documents.get(document)
    if (life?.incarnation !== incarnation) return { outcome: 'gone', floor: this.#floorOf(life) }
    return following(recordsOf(life, sequence), { after: sequence, head: life.lastSequence, limits })
  }

  async heads(queries: readonly HeadQuery[]): Promise<DocumentHead[]> {
    this.#checkOpen()
    checkHeads(queries)
    return queries.map(({ document, at }) => {
      const life = this.#documents.get(document)
      const floor = this.#floorOf(life)
      if (life === undefined) return { incarnation: null, generation: 0, head: 0, identity: null, floor }
      const isThere = at !== undefined && life.records.has(at)
      return {
        incarnation: life.incarnation,
        generation: life.checkpoint?.generation ?? 0,
        head: life.lastSequence,
        identity: isThere ? singleWriter : null,
        floor
      }
    })
  }

  async lease(key: string, holder: string, ms: number): Promise<boolean> {
    this.#checkOpen()
    return this.#leases.take(key, holder, ms)
  }

  async segments(document: string, generation: number): Promise<readonly Uint8Array[] | null> {
    this.#checkOpen(document)
    const current = this.#documents.get(document)?.checkpoint
    return current?.generation === generation ? current.segments : null
  }

  async checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    this.#checkOpen(request.document)
    checkCheckpoint(request, Number.POSITIVE_INFINITY)
    const found = this.#documents.get(request.document)
    const isSameLife = (found?.incarnation ?? null) === request.incarnation
    const isSameBase = (found?.checkpoint?.generation ?? null) === request.base
    if (!isSameLife || !isSameBase) return { outcome: 'superseded' }
    checkCheckpoint(request, found?.lastSequence ?? 0)
    const life = found ?? this.#begin(request.document)
    // Its head is above 0: there is a document.
    if (found === undefined) life.lastSequence++
    for (const sequence of request.replaces) replaceRecord(life, sequence)
    const generation = (request.base ?? 0) + 1
    const segments = request.segments.map(segment => segment.slice())
    life.checkpoint = { generation, meta: request.meta.slice(), segments }
    return { outcome: 'written', generation }
  }

  async setAside(document: string, entry: SetAside): Promise<void> {
    this.#checkOpen(document)
    checkValue(entry.bytes)
    const entries = this.#aside.get(document) ?? []
    const number = (entries.at(-1)?.number ?? 0) + 1
    entries.push({ ...entry, number, bytes: entry.bytes.slice() })
    makeRoom(entries)
    this.#aside.set(document, entries)
  }

  async listSetAside(document: string): Promise<readonly StoredSetAside[]> {
    this.#checkOpen(document)
    return [...(this.#aside.get(document) ?? [])]
  }

  async setAsideDocuments(): Promise<readonly string[]> {
    this.#checkOpen()
    return [...this.#aside.keys()].sort(compareUtf8)
  }

  async dropSetAside(document: string, number: number): Promise<boolean> {
    this.#checkOpen(document)
    const entries = this.#aside.get(document) ?? []
    const left = entries.filter(entry => entry.number !== number)
    if (left.length === 0) this.#aside.delete(document)
    else this.#aside.set(document, left)
    return left.length < entries.length
  }

  async list(options?: ListOptions): Promise<readonly string[]> {
    this.#checkOpen()
    const { prefix, after, limit } = checkList(options)
    return [...this.#documents.keys()]
      .filter(name => name.startsWith(prefix) && (after === '' || compareUtf8(name, after) > 0))
      .sort(compareUtf8)
      .slice(0, limit)
  }

  async delete(document: string, deletion: Deletion = {}): Promise<boolean> {
    this.#checkOpen(document)
    checkDeletion(deletion)
    const { incarnation, tombstone } = deletion
    const present = this.#documents.get(document)?.incarnation ?? null
    if (incarnation !== undefined && incarnation !== present) return false
    if (tombstone === null) this.#tombstones.delete(document)
    else if (tombstone !== undefined) {
      this.#tombstones.set(document, { timeMs: tombstone.timeMs, bytes: tombstone.bytes.slice() })
    }
    const lastSequence = this.#documents.get(document)?.lastSequence ?? 0
    if (present !== null && deletion.leavesMark === true)
      this.marks.leave(document, { incarnation: present, after: lastSequence })
    this.#sequenceFloor = Math.max(this.#sequenceFloor, lastSequence)
    return this.#documents.delete(document)
  }

  async tombstones(): ReturnType<Store['tombstones']> {
    this.#checkOpen()
    const kept = [...this.#tombstones].map(([document, { timeMs }]) => ({ document, timeMs }))
    return kept.sort((a, b) => a.timeMs - b.timeMs || compareUtf8(a.document, b.document))
  }

  async dropTombstones(documents: readonly string[]): Promise<void> {
    this.#checkOpen(...documents)
    for (const document of documents) this.#tombstones.delete(document)
  }

  async readMetadata(key: string): Promise<Uint8Array | null> {
    this.#checkOpen(key)
    return this.#metadata.get(key)?.slice() ?? null
  }

  async writeMetadata(key: string, value: Uint8Array | null): Promise<void> {
    this.#checkOpen(key)
    if (value === null) this.#metadata.delete(key)
    else this.#metadata.set(key, value.slice())
  }

  async swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean> {
    this.#checkOpen(key)
    if (!isSameValue(this.#metadata.get(key) ?? null, present)) return false
    await this.writeMetadata(key, value)
    return true
  }

  async metadataDigest(key: string): Promise<Uint8Array | null> {
    return digestOf(await this.readMetadata(key))
  }

  async probe(): Promise<void> {
    this.#checkOpen()
  }

  async copyTo(): Promise<CopyProgress> {
    this.#checkOpen()
    throw new StoreError('STORE_ARGUMENT', 'A store in memory cannot be copied to a directory')
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  /** Every call begins here, with the name it was given if it takes one. */
  #checkOpen(...names: readonly string[]): void {
    if (this.#isClosed) throw new StoreError('STORE_CLOSED', 'The store was closed')
    for (const name of names) encodeName(name)
  }

  #appendOne({ document, record, incarnation = null, ifHead, leavesMark }: AppendEntry): AppendAnswer {
    const present = this.#documents.get(document)
    if (incarnation !== null && present?.incarnation !== incarnation)
      return { outcome: 'gone', floor: this.#floorOf(present) }
    const head = present?.lastSequence ?? 0
    if (ifHead !== undefined && ifHead !== head) return { outcome: 'conflict', head }
    const life = present ?? this.#begin(document)
    if (leavesMark === true) {
      const after = present === undefined ? 0 : life.lastSequence
      this.marks.leave(document, { incarnation: life.incarnation, after })
    }
    const sequence = ++life.lastSequence
    life.records.set(sequence, record.slice())
    return { outcome: 'written', incarnation: life.incarnation, sequence, identity: singleWriter }
  }

  #floorOf(life: Life | undefined): number {
    return life?.floor ?? this.#sequenceFloor
  }

  #begin(document: string): Life {
    this.#incarnations++
    const incarnation = String(this.#incarnations)
    const life: Life = {
      incarnation,
      floor: this.#sequenceFloor,
      lastSequence: this.#sequenceFloor,
      checkpoint: null,
      records: new Map(),
      hidden: new Map(),
      history: null
    }
    this.#documents.set(document, life)
    return life
  }
}

/** Those above a sequence number, in order. */
function recordsOf(life: Life, above: number): StoredRecord[] {
  return [...life.records]
    .filter(([sequence]) => sequence > above)
    .map(([sequence, record]) => ({ sequence, identity: singleWriter, record }))
}

/** The oldest go; the newest stays however large it is. */
function makeRoom(entries: StoredSetAside[]): void {
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, 0)
  while (entries.length > 1 && (entries.length > bounds.setAsideMax || bytes > bounds.setAsideBytesMax)) {
    bytes -= entries.shift()?.bytes.length ?? 0
  }
}
