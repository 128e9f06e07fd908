/**
 * The heads of recently used documents, so that an append normally reads nothing. Only used from a turn in
 * the write queue: there the cache and the database cannot disagree.
 */
import {
  type Counters,
  countersKey,
  decodeCounters,
  decodeHead,
  encodeName,
  type Head,
  headKey,
  kinds,
  numberMax,
  recordRange,
  sequenceOfRecordKey,
  unsealOrThrow
} from './format.ts'
import { collectRange, type OrderedReader } from './ordered.ts'
import type { Floor } from './store.ts'

export class Heads {
  readonly #headsMax: number
  /** Least recently used first: a Map keeps the order of insertion. */
  readonly #cache = new Map<string, Head>()

  constructor(headsMax: number) {
    this.#headsMax = headsMax
  }

  /** The head with its true last sequence number; `null`: no such document. Rejects with STORE_DAMAGED. */
  async get(reader: OrderedReader, document: string): Promise<Head | null> {
    const cached = this.#cache.get(document)
    if (cached !== undefined) return cached
    const head = await readTrueHead(reader, document)
    if (head !== null) this.set(document, head)
    return head
  }

  /** The head if it is in memory. */
  cached(document: string): Head | undefined {
    return this.#cache.get(document)
  }

  /** Only after the batch that makes it true has been written. */
  set(document: string, head: Head): void {
    this.#cache.delete(document)
    this.#cache.set(document, head)
    if (this.#cache.size <= this.#headsMax) return
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest)
      return
    }
  }

  forget(document: string): void {
    this.#cache.delete(document)
  }

  clear(): void {
    this.#cache.clear()
  }
}

/** The head as written; its `lastSequence` is a lower bound. Rejects with STORE_DAMAGED. */
export async function readHead(reader: OrderedReader, document: string): Promise<Head | null> {
  const key = headKey(encodeName(document))
  const value = await reader.get(key)
  if (value === undefined) return null
  return decodeHead(unsealOrThrow(key, kinds.head, value, `The head of document ${JSON.stringify(document)}`))
}

/** The head with its true last sequence number. Rejects with STORE_DAMAGED. */
export async function readTrueHead(reader: OrderedReader, document: string): Promise<Head | null> {
  const stored = await readHead(reader, document)
  if (stored === null) return null
  return { ...stored, lastSequence: await readLastSequence(reader, stored) }
}

/** Rejects with STORE_DAMAGED: numbers given out twice would mix two documents. */
export async function readCounters(reader: OrderedReader): Promise<Counters> {
  const value = await reader.get(countersKey)
  if (value === undefined) return { nextIncarnation: 1, sequenceFloor: 0 }
  return decodeCounters(unsealOrThrow(countersKey, kinds.counters, value, 'The counters of the store'))
}

/** `head`: of the present life, whose beginning is not kept; null: there is none. */
export async function readFloor(reader: OrderedReader, head: Head | null): Promise<Floor> {
  return head === null ? (await readCounters(reader)).sequenceFloor : null
}

async function readLastSequence(reader: OrderedReader, head: Head): Promise<number> {
  const range = recordRange(head.incarnation, 0, numberMax)
  const last = await collectRange(reader, { ...range, order: 'descending', limit: 1, values: 'omit' })
  const key = last[0]?.[0]
  return key === undefined ? head.lastSequence : Math.max(head.lastSequence, sequenceOfRecordKey(key))
}
