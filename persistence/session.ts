/**
 * One opened database and the order of what happens to it: writes one at a time, reads beside them, and after
 * a failed write close and reopen before anything else. It knows no documents and no keys.
 */
import { bounds } from './bounds.ts'
import type { BatchDurability, Operation, OrderedBackend, OrderedDatabase, OrderedReader } from './ordered.ts'
import { StoreError } from './store.ts'

/** Reads and writes of one turn in the write queue. Using it after its turn is a programmer's error. */
export type Writer = OrderedReader & Pick<OrderedDatabase, 'batch'>

export type SessionOptions = {
  readonly backend: OrderedBackend
  /**
   * Runs on each freshly opened database before anyone else may use it: re-read counters, finish removals.
   */
  readonly opened: (database: OrderedDatabase) => Promise<void>
  /**
   * Runs last, alone, before the database is closed; null: it has failed and is of no use. What it throws is ignored:
   * closing must not fail on it.
   */
  readonly closing: (database: OrderedDatabase | null) => Promise<void>
  readonly onReopened: (cause: StoreError) => void
  readonly onReopenFailed: (cause: StoreError) => void
}

type State =
  | { readonly phase: 'open'; readonly database: OrderedDatabase; readonly writer: Writer }
  | { readonly phase: 'broken'; readonly database: OrderedDatabase | null; readonly cause: StoreError }
  | { readonly phase: 'opening'; readonly ready: Promise<void> }

export class Session {
  readonly #options: SessionOptions
  #state: State
  #epoch = 0
  #readers = 0
  #readersGone: (() => void) | null = null
  #lastWrite: Promise<void> = Promise.resolve()
  #waitingWrites = 0
  #waitingOthers = 0
  #active = 0
  #idle: (() => void) | null = null
  #closed: Promise<void> | null = null

  private constructor(options: SessionOptions) {
    this.#options = options
    const cause = new StoreError('STORE_FAILED', 'The database was not opened yet')
    this.#state = { phase: 'broken', database: null, cause }
  }

  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options)
    await session.#ready()
    return session
  }

  /** Counts the openings. What was written in steps and finds another epoch must not go on: it was swept. */
  get epoch(): number {
    return this.#epoch
  }

  get isClosing(): boolean {
    return this.#closed !== null
  }

  /** Wraps each public call: refused after `close`, and waited for by it. */
  async operation<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw new StoreError('STORE_CLOSED', 'The store was closed')
    this.#active++
    try {
      return await work()
    } finally {
      this.#active--
      if (this.#active === 0) this.#idle?.()
    }
  }

  /** A short read. It holds up a reopen, so it must never wait for a write. */
  async read<T>(work: (database: OrderedDatabase) => Promise<T>): Promise<T> {
    const { database } = await this.#opened()
    this.#readers++
    try {
      return await work(database)
    } finally {
      this.#readers--
      if (this.#readers === 0) this.#readersGone?.()
    }
  }

  /**
   * The open database for a long walk that does not hold up a reopen: its reads may fail when one happens.
   */
  async borrow(): Promise<OrderedDatabase> {
    return (await this.#opened()).database
  }

  /**
   * Runs `work` alone among the writes, in order of call. Refused when too many wait, and long before that where it is no
   * append: whoever asks for something else must not end what people write.
   */
  async write<T>(work: (writer: Writer) => Promise<T>): Promise<T> {
    if (this.#waitingOthers >= bounds.waitingOthersMax) throw tooMany()
    this.#waitingOthers++
    try {
      return await this.append(work)
    } finally {
      this.#waitingOthers--
    }
  }

  /** The same for an append. */
  append<T>(work: (writer: Writer) => Promise<T>): Promise<T> {
    if (this.#waitingWrites >= bounds.waitingWritesMax) return Promise.reject(tooMany())
    this.#waitingWrites++
    const turn = this.#lastWrite.then(() => this.#turn(work))
    // The caller has the rejection; the next in the queue must run either way.
    this.#lastWrite = turn.then(ignore, ignore)
    return turn
  }

  /** Waits for every operation under way, then closes the database. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shut()
    return this.#closed
  }

  async #turn<T>(work: (writer: Writer) => Promise<T>): Promise<T> {
    try {
      const { writer } = await this.#opened()
      return await work(writer)
    } finally {
      this.#waitingWrites--
    }
  }

  async #opened(): Promise<Extract<State, { phase: 'open' }>> {
    if (this.#state.phase !== 'open') await this.#ready()
    const state: State = this.#state
    if (state.phase === 'open') return state
    throw new StoreError('STORE_FAILED', 'The database failed again while it was being opened')
  }

  #ready(): Promise<void> {
    switch (this.#state.phase) {
      case 'open':
        return Promise.resolve()
      case 'opening':
        return this.#state.ready
      case 'broken': {
        const ready = this.#reopen(this.#state)
        this.#state = { phase: 'opening', ready }
        return ready
      }
      default:
        return this.#state satisfies never
    }
  }

  async #reopen(broken: Extract<State, { phase: 'broken' }>): Promise<void> {
    try {
      await this.#readersDone()
      // A close after a failed write may fail as well; opening is what shows whether the files are free.
      await broken.database?.close().catch(ignore)
      const database = await this.#openDatabase()
      this.#epoch++
      this.#state = { phase: 'open', database, writer: this.#writerOf(database) }
      if (this.#epoch > 1) this.#options.onReopened(broken.cause)
    } catch (error) {
      const cause = asStoreError(error)
      this.#state = { phase: 'broken', database: null, cause }
      if (this.#epoch > 0) this.#options.onReopenFailed(cause)
      throw cause
    }
  }

  async #openDatabase(): Promise<OrderedDatabase> {
    const database = await this.#options.backend.open()
    try {
      await this.#options.opened(database)
    } catch (error) {
      // The first error is the one to tell.
      await database.close().catch(ignore)
      throw error
    }
    return database
  }

  #writerOf(database: OrderedDatabase): Writer {
    return {
      get: key => database.get(key),
      getMany: keys => database.getMany(keys),
      range: query => database.range(query),
      batch: (operations, durability) => this.#batch(database, operations, durability)
    }
  }

  async #batch(database: OrderedDatabase, operations: readonly Operation[], durability: BatchDurability) {
    try {
      await database.batch(operations, durability)
    } catch (error) {
      const cause = asStoreError(error)
      this.#state = { phase: 'broken', database, cause }
      throw cause
    }
  }

  #readersDone(): Promise<void> {
    if (this.#readers === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#readersGone = resolve
    })
  }

  async #shut(): Promise<void> {
    if (this.#active > 0) {
      await new Promise<void>(resolve => {
        this.#idle = resolve
      })
    }
    const state = this.#state
    await this.#options.closing(state.phase === 'open' ? state.database : null).catch(ignore)
    if (state.phase === 'open') await state.database.close()
    if (state.phase === 'broken') await state.database?.close().catch(ignore)
  }
}

/** Any failure as a StoreError; one that is none becomes STORE_FAILED with its cause. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new StoreError('STORE_FAILED', `The store failed: ${message}`, { cause: error })
}

function tooMany(): StoreError {
  return new StoreError('STORE_FAILED', 'Too many writes are waiting; nothing was written')
}

function ignore(): void {}
