/**
 * The ordered interface over a disk in memory whose faults the caller drives: for tests and simulation.
 * Nothing here takes real time. It models what LevelDB was measured to do, the worst of it included: after a
 * failed write on one handle, later writes of that handle are gone at the next opening, however synced.
 */
import { bounds } from './bounds.ts'
import type {
  BatchDurability,
  Operation,
  OrderedBackend,
  OrderedDatabase,
  OrderedEntry,
  OrderedReader,
  RangeQuery
} from './ordered.ts'
import { StoreError } from './store.ts'

/** One batch about to be written. `step` counts all batches of the disk from 1. */
export type SimulatedWrite = {
  readonly step: number
  readonly operations: readonly Operation[]
  readonly durability: BatchDurability
}

/**
 * What becomes of a batch. `failed`: rejected, nothing written. `failed-but-written`: rejected, yet it
 * exists. `crash-before`, `crash-after`: the process ends there; every handle is dead until the disk is
 * opened again.
 */
export type SimulatedOutcome = 'written' | 'failed' | 'failed-but-written' | 'crash-before' | 'crash-after'

export type SimulatedOptions = {
  /** Asked for each batch; absent: all are written. */
  readonly onWrite?: (write: SimulatedWrite) => SimulatedOutcome
  /** Called at each opening; it may throw, and the opening fails. */
  readonly onOpen?: () => void
  /** Awaited before each step, so that a scheduler can decide what happens between two. */
  readonly pause?: () => Promise<void>
  /** Of the batches since the last sync, how many survive a crash (0 to `unsynced`). Absent: none. */
  readonly survivors?: (unsynced: number) => number
  /**
   * Bytes of keys and values the disk holds; beyond, a batch fails with STORE_FULL. May change: see
   * `setCapacity`.
   */
  readonly capacityBytes?: number
}

export type SimulatedDisk = {
  /**
   * A process that uses this disk, one at a time. After a crash it can neither use its handles nor open
   * again.
   */
  startProcess(): OrderedBackend
  /** Ends the process now; an unsynced suffix is lost. */
  crash(): void
  setCapacity(bytes: number): void
  steps(): number
  /** Everything visible now, in key order. For checks; the arrays are the disk's own. */
  entries(): readonly OrderedEntry[]
  /** Bytes of keys and values visible now. */
  bytes(): number
  /** Changes one stored value behind the store's back. */
  overwrite(key: Buffer, value: Buffer): void
  /** Takes one away behind the store's back. */
  remove(key: Buffer): void
}

type Handle = { alive: boolean; hasFailed: boolean }

export function createSimulatedDisk(options: SimulatedOptions = {}): SimulatedDisk {
  return new Disk(options)
}

class Disk implements SimulatedDisk {
  readonly #options: SimulatedOptions
  /** What would be there after a crash that loses everything unsynced. */
  #durable = new Table()
  #unsynced: (readonly Operation[])[] = []
  #visible = new Table()
  /** True once the visible table holds writes that came after a failed one on the same handle. */
  #isPoisoned = false
  #handle: Handle | null = null
  #steps = 0
  #crashes = 0
  #capacityBytes: number

  constructor(options: SimulatedOptions) {
    this.#options = options
    this.#capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
  }

  startProcess(): OrderedBackend {
    const crashes = this.#crashes
    return { open: () => this.#open(crashes) }
  }

  crash(): void {
    this.#crashes++
    if (this.#handle !== null) this.#handle.alive = false
    this.#handle = null
    const survivors = this.#options.survivors?.(this.#unsynced.length) ?? 0
    for (const operations of this.#unsynced.slice(0, survivors)) this.#durable.apply(operations)
    this.#unsynced = []
    this.#visible = this.#durable.clone()
    this.#isPoisoned = false
  }

  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes
  }

  steps(): number {
    return this.#steps
  }

  entries(): readonly OrderedEntry[] {
    return this.#visible.range({ from: Buffer.alloc(0), to: Buffer.from([0xff]) })
  }

  bytes(): number {
    return this.#visible.bytes
  }

  overwrite(key: Buffer, value: Buffer): void {
    for (const table of [this.#visible, this.#durable]) table.apply([{ type: 'put', key, value }])
  }

  remove(key: Buffer): void {
    for (const table of [this.#visible, this.#durable]) table.apply([{ type: 'del', key }])
  }

  async #open(crashes: number): Promise<OrderedDatabase> {
    await this.#options.pause?.()
    if (crashes !== this.#crashes) throw new StoreError('STORE_FAILED', 'The simulated process has crashed')
    if (this.#handle !== null) throw new StoreError('STORE_LOCKED', 'The simulated disk is open already')
    this.#options.onOpen?.()
    if (this.#isPoisoned) this.#dropPoisoned()
    const handle: Handle = { alive: true, hasFailed: false }
    this.#handle = handle
    return {
      ...this.#reader(handle, () => this.#visible),
      batch: (operations, durability) => this.#batch(handle, operations, durability),
      snapshot: () => {
        const frozen = this.#visible.clone()
        return { ...this.#reader(handle, () => frozen), release: async () => {} }
      },
      compactRange: () => this.#step(handle),
      close: async () => {
        await this.#options.pause?.()
        // After a crash there is nothing left to close, and another process may have the disk.
        if (handle.alive) this.#handle = null
        handle.alive = false
      }
    }
  }

  /** Re-reading the log: it ends where the failed write tore it. */
  #dropPoisoned(): void {
    this.#visible = this.#durable.clone()
    for (const operations of this.#unsynced) this.#visible.apply(operations)
    this.#isPoisoned = false
  }

  async #step(handle: Handle): Promise<void> {
    await this.#options.pause?.()
    if (!handle.alive) throw new StoreError('STORE_FAILED', 'The simulated process has crashed or closed')
  }

  async #batch(handle: Handle, operations: readonly Operation[], durability: BatchDurability): Promise<void> {
    // Copied at once: the contract lets the caller reuse its buffers later.
    const copied = operations.map(copyOperation)
    await this.#step(handle)
    const step = ++this.#steps
    const outcome = this.#options.onWrite?.({ step, operations: copied, durability }) ?? 'written'
    if (outcome === 'crash-before' || outcome === 'crash-after') {
      if (outcome === 'crash-after') this.#write(handle, copied, durability)
      this.crash()
      throw new StoreError('STORE_FAILED', 'The simulated process crashed')
    }
    if (this.#visible.bytes + putBytes(copied) > this.#capacityBytes) {
      handle.hasFailed = true
      throw new StoreError('STORE_FULL', 'Simulated: No space left on device')
    }
    if (outcome === 'failed-but-written') this.#write(handle, copied, 'unsynced')
    if (outcome !== 'written') {
      handle.hasFailed = true
      throw new StoreError('STORE_FAILED', 'Simulated: IO error')
    }
    this.#write(handle, copied, durability)
  }

  #write(handle: Handle, operations: readonly Operation[], durability: BatchDurability): void {
    this.#visible.apply(operations)
    if (handle.hasFailed) {
      this.#isPoisoned = true
      return
    }
    this.#unsynced.push(operations)
    if (durability === 'unsynced') return
    for (const batch of this.#unsynced) this.#durable.apply(batch)
    this.#unsynced = []
  }

  #reader(handle: Handle, table: () => Table): OrderedReader {
    const pages = (query: RangeQuery) => this.#pages(handle, table, query)
    return {
      get: async key => {
        await this.#step(handle)
        return table().get(key)
      },
      getMany: async keys => {
        await this.#step(handle)
        return keys.map(key => table().get(key))
      },
      range: pages
    }
  }

  async *#pages(handle: Handle, table: () => Table, query: RangeQuery): AsyncGenerator<OrderedEntry[]> {
    await this.#step(handle)
    const entries = table().range(query)
    for (let at = 0; at < entries.length; at += bounds.pageKeys) {
      await this.#step(handle)
      yield entries.slice(at, at + bounds.pageKeys)
    }
  }
}

/** A sorted array of entries; cloning is cheap until one of the two is changed. */
class Table {
  bytes = 0
  /** Keys as latin1 strings: JavaScript compares them in byte order. */
  #keys: string[] = []
  #values: Buffer[] = []
  #isShared = false

  clone(): Table {
    const table = new Table()
    table.bytes = this.bytes
    table.#keys = this.#keys
    table.#values = this.#values
    table.#isShared = true
    this.#isShared = true
    return table
  }

  get(key: Buffer): Buffer | undefined {
    const name = key.toString('latin1')
    const at = this.#find(name)
    return this.#keys[at] === name ? this.#values[at] : undefined
  }

  range(query: RangeQuery): OrderedEntry[] {
    const from = this.#find(query.from.toString('latin1'))
    const to = Math.max(from, this.#find(query.to.toString('latin1')))
    const limit = query.limit ?? to - from
    const entries: OrderedEntry[] = []
    for (let count = 0; count < Math.min(limit, to - from); count++) {
      const at = query.order === 'descending' ? to - 1 - count : from + count
      const value = query.values === 'omit' ? undefined : this.#values[at]
      entries.push([Buffer.from(this.#keys[at] ?? '', 'latin1'), value ?? Buffer.alloc(0)])
    }
    return entries
  }

  apply(operations: readonly Operation[]): void {
    if (this.#isShared) {
      this.#keys = this.#keys.slice()
      this.#values = this.#values.slice()
      this.#isShared = false
    }
    for (const operation of operations) this.#applyOne(operation)
  }

  #applyOne(operation: Operation): void {
    const name = operation.key.toString('latin1')
    const at = this.#find(name)
    if (this.#keys[at] === name) {
      this.bytes -= name.length + (this.#values[at]?.length ?? 0)
      this.#keys.splice(at, 1)
      this.#values.splice(at, 1)
    }
    if (operation.type === 'del') return
    this.#keys.splice(at, 0, name)
    this.#values.splice(at, 0, operation.value)
    this.bytes += name.length + operation.value.length
  }

  /** Index of the first key that is not below `name`. */
  #find(name: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#keys[middle] ?? '') < name) low = middle + 1
      else high = middle
    }
    return low
  }
}

function copyOperation(operation: Operation): Operation {
  const key = Buffer.from(operation.key)
  return operation.type === 'del'
    ? { type: 'del', key }
    : { type: 'put', key, value: Buffer.from(operation.value) }
}

function putBytes(operations: readonly Operation[]): number {
  let bytes = 0
  for (const operation of operations) {
    if (operation.type === 'put') bytes += operation.key.length + operation.value.length
  }
  return bytes
}
