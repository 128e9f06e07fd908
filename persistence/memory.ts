/**
 * A store that keeps nothing past the process: the oracle of the conformance suite, and `--data :memory:`.
 * Simple rather than fast; every call is finished before it returns its promise.
 */

import { checkAppend, checkCheckpoint, checkList, checkValue } from './arguments.ts'
import { bounds } from './bounds.ts'
import { encodeName } from './format.ts'
import {
  type AppendEntry,
  type CheckpointRequest,
  type CheckpointResult,
  type CopyProgress,
  type ListOptions,
  type LoadedDocument,
  type SetAside,
  type Store,
  type StoredCheckpoint,
  type StoredSetAside,
  StoreError
} from './store.ts'

type Life = {
  readonly incarnation: string
  lastSequence: number
  checkpoint: StoredCheckpoint | null
  readonly records: Map<number, Uint8Array>
}

/**
 * Documents live until `close`. `copyTo` is refused with STORE_ARGUMENT: there is nothing to open a copy
 * with.
 */
export function createMemoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly #documents = new Map<string, Life>()
  readonly #aside = new Map<string, StoredSetAside[]>()
  readonly #metadata = new Map<string, Uint8Array>()
  #incarnations = 0
  #sequenceFloor = 0
  #isClosed = false

  async append(entries: readonly AppendEntry[]): Promise<number[]> {
    this.#checkOpen()
    checkAppend(entries)
    return entries.map(entry => this.#appendOne(entry))
  }

  async load(document: string): Promise<LoadedDocument> {
    this.#checkOpen(document)
    const life = this.#documents.get(document)
    if (life === undefined) return { incarnation: null, checkpoint: null, records: [], damaged: [] }
    const records = [...life.records].map(([sequence, record]) => ({ sequence, record }))
    return { incarnation: life.incarnation, checkpoint: life.checkpoint, records, damaged: [] }
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
    for (const sequence of request.replaces) life.records.delete(sequence)
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

  async delete(document: string): Promise<boolean> {
    this.#checkOpen(document)
    const lastSequence = this.#documents.get(document)?.lastSequence ?? 0
    this.#sequenceFloor = Math.max(this.#sequenceFloor, lastSequence)
    return this.#documents.delete(document)
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

  #appendOne({ document, record }: AppendEntry): number {
    const life = this.#documents.get(document) ?? this.#begin(document)
    life.lastSequence++
    life.records.set(life.lastSequence, record.slice())
    return life.lastSequence
  }

  #begin(document: string): Life {
    this.#incarnations++
    const incarnation = String(this.#incarnations)
    const life: Life = {
      incarnation,
      lastSequence: this.#sequenceFloor,
      checkpoint: null,
      records: new Map()
    }
    this.#documents.set(document, life)
    return life
  }
}

/** The oldest go; the newest stays however large it is. */
function makeRoom(entries: StoredSetAside[]): void {
  let bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, 0)
  while (entries.length > 1 && (entries.length > bounds.setAsideMax || bytes > bounds.setAsideBytesMax)) {
    bytes -= entries.shift()?.bytes.length ?? 0
  }
}

function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'))
}
