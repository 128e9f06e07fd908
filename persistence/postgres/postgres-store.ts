/**
 * The store in PostgreSQL, for one server or several on one database. It wires the parts and gives each call of the
 * contract its place; what the calls do is in the files beside. README.md of the folder above describes the tables.
 */
import type { HistoryStore } from '../history.ts'
import type { MarkStore } from '../marks.ts'
import type { OnReport } from '../reports.ts'
import {
  type AppendAnswer,
  type AppendEntry,
  type CheckpointRequest,
  type CheckpointResult,
  type Deletion,
  type DocumentHead,
  type HeadQuery,
  type ListOptions,
  type LoadedDocument,
  type RecordLimits,
  type RecordsAfter,
  type SetAside,
  type Store,
  type StoredSetAside,
  StoreError
} from '../store.ts'
import { readAddress } from './address.ts'
import { Appending } from './appending.ts'
import { Beside } from './beside.ts'
import { Checkpoints } from './checkpoints.ts'
import { collect } from './collecting.ts'
import { Connections } from './connections.ts'
import { Deleting } from './deleting.ts'
import { loadDriver } from './driver.ts'
import { Histories } from './histories.ts'
import { HistoryReading } from './history-reading.ts'
import { Lanes } from './lanes.ts'
import { Marks } from './marks.ts'
import { Names } from './names.ts'
import { Reading } from './reading.ts'
import { prepareSchema } from './schema.ts'
import { SettingAside } from './setting-aside.ts'

export type PostgresStoreOptions = {
  /** `sync` (the default): an append resolves when it would survive a power cut. `relaxed`: when PostgreSQL has it. */
  readonly durability?: 'sync' | 'relaxed'
  /** Whether missing tables are made. Default true; with false the call rejects with STORE_MISSING. */
  readonly create?: boolean
  readonly onReport?: OnReport
  /** How many appends may be under way at once. */
  readonly lanes?: number
  /** PostgreSQL ends a statement after this. */
  readonly statementMs?: number
  /** How long a call goes on while the database is away. */
  readonly patienceMs?: number
  /** Replaced data stays for this long. Above `patienceMs`. */
  readonly graceMs?: number
  readonly collectEveryMs?: number
}

const defaults = {
  durability: 'sync',
  lanes: 4,
  statementMs: 10_000,
  patienceMs: 30_000,
  graceMs: 10 * 60_000,
  collectEveryMs: 60_000
} as const

/** Connections for reads, checkpoints and the rest. Appends have their own: no crowd of loads keeps them waiting. */
const otherConnections = 4

/**
 * Opens the store at `postgres://user:password@host/database`. Rejects with STORE_ARGUMENT (also when the package `pg` is
 * not there), STORE_MISSING, STORE_FORMAT, STORE_UNWRITABLE or STORE_FAILED.
 */
export async function openPostgresStore(
  location: string,
  options: PostgresStoreOptions = {}
): Promise<Store> {
  const { connectionString, schema: name, isPreparing } = readAddress(location)
  const { create = true, onReport } = options
  const settings = { ...defaults, ...definedOf(options) }
  const driver = await loadDriver()
  const shared = {
    connectionString,
    statementMs: settings.statementMs,
    silenceMs: settings.statementMs + 2_000,
    connectMs: Math.min(5_000, settings.statementMs),
    patienceMs: settings.patienceMs,
    ...(onReport === undefined ? {} : { onReport: toldOnce(onReport) })
  }
  const connections = new Connections(driver, { ...shared, connectionsMax: otherConnections })
  // Names are looked up for an append, and a lane is made for one that was left behind.
  const forAppends = new Connections(driver, { ...shared, connectionsMax: settings.lanes })
  const schema = `"${name}"`
  try {
    await prepareSchema(connections, schema, { mustExist: !create })
    const store = new PostgresStore({ connections, forAppends }, schema, { ...settings, isPreparing })
    await store.open()
    return store
  } catch (error) {
    await Promise.all([connections.close(), forAppends.close()])
    throw error
  }
}

type Settings = Required<Omit<PostgresStoreOptions, 'create' | 'onReport'>> & {
  readonly isPreparing: boolean
}

/** Two pools lose one database: that is told once. */
function toldOnce(onReport: OnReport): OnReport {
  let away = 0
  return report => {
    if (report.kind === 'database-away' && ++away > 1) return
    if (report.kind === 'database-back' && --away > 0) return
    onReport(report)
  }
}

type Pools = { readonly connections: Connections; readonly forAppends: Connections }

class PostgresStore implements Store {
  readonly lanes: number
  readonly node: string
  readonly history: HistoryStore
  readonly marks: MarkStore
  readonly #connections: Connections
  readonly #forAppends: Connections
  readonly #lanes: Lanes
  readonly #appending: Appending
  readonly #reading: Reading
  readonly #checkpoints: Checkpoints
  readonly #deleting: Deleting
  readonly #beside: Beside
  readonly #settingAside: SettingAside
  readonly #collecting: () => Promise<number>
  readonly #collectEveryMs: number
  #timer: NodeJS.Timeout | null = null
  readonly #underWay = new Set<Promise<unknown>>()
  #closed: Promise<void> | null = null

  constructor({ connections, forAppends }: Pools, schema: string, settings: Settings) {
    const names = new Names(forAppends, schema, 50_000)
    const lanes = new Lanes(forAppends, schema, settings.lanes)
    const beside = new Beside(connections, schema)
    this.lanes = settings.lanes
    this.node = lanes.node
    this.#connections = connections
    this.#forAppends = forAppends
    this.#lanes = lanes
    const { durability, isPreparing, graceMs } = settings
    this.#appending = new Appending({
      connections: forAppends,
      lanes,
      names,
      schema,
      durability,
      isPreparing
    })
    this.#reading = new Reading(connections, schema)
    this.#checkpoints = new Checkpoints(connections, names, schema)
    this.#deleting = new Deleting(connections, schema)
    this.#beside = beside
    this.#settingAside = new SettingAside(connections, schema)
    this.history = this.#histories(
      new Histories(connections, schema),
      new HistoryReading(connections, schema)
    )
    this.marks = this.#markStore(new Marks(connections, schema))
    this.#collectEveryMs = settings.collectEveryMs
    const hasTurn = () => beside.lease('chorus:collecting', lanes.node, settings.collectEveryMs)
    const isClosing = () => this.#closed !== null
    this.#collecting = () => collect({ connections, lanes, schema, graceMs, hasTurn, isClosing })
  }

  async open(): Promise<void> {
    await this.#lanes.open()
    this.#collectLater()
  }

  append(entries: readonly AppendEntry[]): Promise<AppendAnswer[]> {
    return this.#call(() => this.#appending.append(entries))
  }

  load(document: string): Promise<LoadedDocument> {
    return this.#call(() => this.#reading.load(document))
  }

  recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): Promise<RecordsAfter> {
    return this.#call(() => this.#reading.recordsAfter(document, incarnation, sequence, limits))
  }

  heads(queries: readonly HeadQuery[]): Promise<DocumentHead[]> {
    return this.#call(() => this.#reading.heads(queries))
  }

  segments(document: string, generation: number): Promise<readonly Uint8Array[] | null> {
    return this.#call(() => this.#reading.segments(document, generation))
  }

  checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    return this.#call(() => this.#checkpoints.write(request))
  }

  list(options?: ListOptions): Promise<readonly string[]> {
    return this.#call(() => this.#reading.list(options))
  }

  delete(document: string, deletion?: Deletion): Promise<boolean> {
    return this.#call(() => this.#deleting.delete(document, deletion))
  }

  tombstones(): ReturnType<Store['tombstones']> {
    return this.#call(() => this.#deleting.tombstones())
  }

  dropTombstones(documents: readonly string[]): Promise<void> {
    return this.#call(() => this.#deleting.dropTombstones(documents))
  }

  setAside(document: string, entry: SetAside): Promise<void> {
    return this.#call(() => this.#settingAside.setAside(document, entry))
  }

  listSetAside(document: string): Promise<readonly StoredSetAside[]> {
    return this.#call(() => this.#settingAside.listSetAside(document))
  }

  setAsideDocuments(): Promise<readonly string[]> {
    return this.#call(() => this.#settingAside.setAsideDocuments())
  }

  dropSetAside(document: string, number: number): Promise<boolean> {
    return this.#call(() => this.#settingAside.dropSetAside(document, number))
  }

  readMetadata(key: string): Promise<Uint8Array | null> {
    return this.#call(() => this.#beside.readMetadata(key))
  }

  writeMetadata(key: string, value: Uint8Array | null): Promise<void> {
    return this.#call(() => this.#beside.writeMetadata(key, value))
  }

  swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean> {
    return this.#call(() => this.#beside.swapMetadata(key, present, value))
  }

  metadataDigest(key: string): Promise<Uint8Array | null> {
    return this.#call(() => this.#beside.metadataDigest(key))
  }

  lease(key: string, holder: string, ms: number): Promise<boolean> {
    return this.#call(() => this.#beside.lease(key, holder, ms))
  }

  probe(): Promise<void> {
    return this.#call(() => this.#beside.probe())
  }

  close(): Promise<void> {
    this.#closed ??= this.#shut()
    return this.#closed
  }

  #histories(writing: Histories, reading: HistoryReading): HistoryStore {
    return {
      read: document => this.#call(() => reading.read(document)),
      write: request => this.#call(() => writing.write(request)),
      blobs: (...which) => this.#call(() => reading.blobs(...which)),
      unreleased: (...which) => this.#call(() => reading.unreleased(...which)),
      drop: (...which) => this.#call(() => writing.drop(...which)),
      list: options => this.#call(() => reading.list(options))
    }
  }

  #markStore(marks: Marks): MarkStore {
    return {
      read: document => this.#call(() => marks.read(document)),
      list: options => this.#call(() => marks.list(options)),
      write: writes => this.#call(() => marks.write(writes))
    }
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw new StoreError('STORE_CLOSED', 'The store was closed')
    const call = work()
    this.#underWay.add(call)
    try {
      return await call
    } finally {
      this.#underWay.delete(call)
    }
  }

  #collectLater(): void {
    this.#timer = setTimeout(() => {
      // What was not collected is noted in the database, for the next time or for another server.
      const collected = this.#call(this.#collecting).catch(() => {})
      void collected.then(() => {
        if (this.#closed === null) this.#collectLater()
      })
    }, this.#collectEveryMs)
    this.#timer.unref()
  }

  async #shut(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
    await Promise.all([this.#connections.close(), this.#forAppends.close()])
  }
}

function definedOf<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
