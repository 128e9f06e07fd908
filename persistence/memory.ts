/**
 * A store that keeps nothing past the process: the oracle of the conformance suite, and `--data :memory:`. Simple
 * rather than fast; every call is finished before it returns its promise.
 */

import { checkAppend, checkCheckpoint, checkList, checkValue } from './arguments.ts'
import { bounds } from './bounds.ts'
import { encodeName } from './format.ts'
import {
  type CheckpointRequest,
  type CheckpointResult,
  type ListOptions,
  type LoadedDocument,
  type SetAside,
  type Store,
  type StoredCheckpoint,
  StoreError
} from './store.ts'

type Life = {
  readonly incarnation: string
  lastSequence: number
  checkpoint: StoredCheckpoint | null
  readonly records: Map<number, Uint8Array>
}

/** Documents live until `close`. `copyTo` is refused with STORE_ARGUMENT: there is nothing to open a copy with. */
export function createMemoryStore(): Store {
  const documents = new Map<string, Life>()
  const aside = new Map<string, SetAside[]>()
  const metadata = new Map<string, Uint8Array>()
  let incarnations = 0
  let sequenceFloor = 0
  let isClosed = false

  function begin(document: string): Life {
    const life = { incarnation: String(++incarnations), lastSequence: sequenceFloor, checkpoint: null }
    const born: Life = { ...life, records: new Map() }
    documents.set(document, born)
    return born
  }

  function appendOne(document: string, record: Uint8Array): number {
    const life = documents.get(document) ?? begin(document)
    life.lastSequence++
    life.records.set(life.lastSequence, record.slice())
    return life.lastSequence
  }

  function checkpoint(request: CheckpointRequest): CheckpointResult {
    const found = documents.get(request.document)
    const isCurrent =
      (found?.incarnation ?? null) === request.incarnation &&
      (found?.checkpoint?.generation ?? null) === request.base
    if (!isCurrent) return { outcome: 'superseded' }
    const highest = found?.lastSequence ?? 0
    checkCheckpoint(request, highest)
    const life = found ?? begin(request.document)
    for (const sequence of request.replaces) life.records.delete(sequence)
    const generation = (request.base ?? 0) + 1
    const segments = request.segments.map(segment => segment.slice())
    life.checkpoint = { generation, meta: request.meta.slice(), segments }
    return { outcome: 'written', generation }
  }

  function makeRoom(entries: SetAside[]): void {
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, 0)
    while (entries.length > 1 && (entries.length > bounds.setAsideMax || bytes > bounds.setAsideBytesMax)) {
      bytes -= entries.shift()?.bytes.length ?? 0
    }
  }

  function open(): void {
    if (isClosed) throw new StoreError('STORE_CLOSED', 'The store was closed')
  }

  return {
    async append(entries) {
      open()
      checkAppend(entries)
      return entries.map(entry => appendOne(entry.document, entry.record))
    },
    async load(document): Promise<LoadedDocument> {
      open()
      encodeName(document)
      const life = documents.get(document)
      if (life === undefined) return { incarnation: null, checkpoint: null, records: [], damaged: [] }
      const records = [...life.records].map(([sequence, record]) => ({ sequence, record }))
      return { incarnation: life.incarnation, checkpoint: life.checkpoint, records, damaged: [] }
    },
    async segments(document, generation) {
      open()
      encodeName(document)
      const current = documents.get(document)?.checkpoint
      return current?.generation === generation ? current.segments : null
    },
    async checkpoint(request) {
      open()
      checkCheckpoint(request, Number.POSITIVE_INFINITY)
      return checkpoint(request)
    },
    async setAside(document, entry) {
      open()
      encodeName(document)
      checkValue(entry.bytes)
      const entries = aside.get(document) ?? []
      entries.push({ ...entry, bytes: entry.bytes.slice() })
      makeRoom(entries)
      aside.set(document, entries)
    },
    async listSetAside(document) {
      open()
      encodeName(document)
      return [...(aside.get(document) ?? [])]
    },
    async list(options?: ListOptions) {
      open()
      const { prefix, after, limit } = checkList(options)
      return [...documents.keys()]
        .filter(name => name.startsWith(prefix) && (after === '' || compareUtf8(name, after) > 0))
        .sort(compareUtf8)
        .slice(0, limit)
    },
    async delete(document) {
      open()
      encodeName(document)
      sequenceFloor = Math.max(sequenceFloor, documents.get(document)?.lastSequence ?? 0)
      return documents.delete(document)
    },
    async readMetadata(key) {
      open()
      encodeName(key)
      return metadata.get(key)?.slice() ?? null
    },
    async writeMetadata(key, value) {
      open()
      encodeName(key)
      if (value === null) metadata.delete(key)
      else metadata.set(key, value.slice())
    },
    async probe() {
      open()
    },
    async copyTo() {
      open()
      throw new StoreError('STORE_ARGUMENT', 'A store in memory cannot be copied to a directory')
    },
    async close() {
      isClosed = true
    }
  }
}

function compareUtf8(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'))
}
