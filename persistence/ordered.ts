/**
 * The small ordered key-value interface the store logic runs over. Keys are ordered by their bytes. Backends:
 * `level-backend.ts` (LevelDB) and `simulated.ts` (memory, with faults). A backend knows no documents.
 */

/** One change. The backend copies key and value before `batch` returns its promise. */
export type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

/** Key and value; the value is empty when the query omits values. The receiver may keep both. */
export type OrderedEntry = readonly [key: Buffer, value: Buffer]

/** All keys k with from <= k < to, ascending unless `order` says otherwise. */
export type RangeQuery = {
  readonly from: Buffer
  readonly to: Buffer
  readonly order?: 'ascending' | 'descending'
  readonly limit?: number
  readonly values?: 'include' | 'omit'
}

export type OrderedReader = {
  get(key: Buffer): Promise<Buffer | undefined>
  getMany(keys: readonly Buffer[]): Promise<readonly (Buffer | undefined)[]>
  /** Pages of at most `bounds.pageKeys` entries, from one consistent view. */
  range(query: RangeQuery): AsyncIterable<readonly OrderedEntry[]>
}

/** `synced` resolves when the batch and everything before it would survive a power cut. */
export type BatchDurability = 'synced' | 'unsynced'

export type OrderedDatabase = OrderedReader & {
  /**
   * Atomic. After a rejection the batch may or may not exist, and the database must be closed and reopened.
   */
  batch(operations: readonly Operation[], durability: BatchDurability): Promise<void>
  /** A frozen view; the caller must release it. */
  snapshot(): OrderedReader & { release(): Promise<void> }
  /** Gives the space of removed keys back. Must not run while the database is closed. */
  compactRange(from: Buffer, to: Buffer): Promise<void>
  close(): Promise<void>
}

/** Rejects with a StoreError: STORE_LOCKED, STORE_UNWRITABLE, STORE_FULL, STORE_DAMAGED or STORE_FAILED. */
export type OrderedBackend = { open(): Promise<OrderedDatabase> }

/** Collects a range whose size the caller has bounded. */
export async function collectRange(reader: OrderedReader, query: RangeQuery): Promise<OrderedEntry[]> {
  const entries: OrderedEntry[] = []
  for await (const page of reader.range(query)) for (const entry of page) entries.push(entry)
  return entries
}
