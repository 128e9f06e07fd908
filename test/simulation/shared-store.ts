/**
 * The store of one node on the database that it shares with others: the contract of a store, over statements that may go
 * astray. As `persistence/postgres` it sends a batch again after a lost answer and finds out what became of it.
 */
import {
  checkAppend,
  checkCheckpoint,
  checkDeletion,
  checkHeads,
  checkList,
  checkRecordsAfter
} from '../../persistence/arguments.ts'
import { encodeName } from '../../persistence/format.ts'
import {
  type AppendAnswer,
  type AppendEntry,
  type CheckpointRequest,
  type CheckpointResult,
  type Deletion,
  type HeadQuery,
  type ListOptions,
  type RecordLimits,
  type SetAside,
  type Store,
  StoreError
} from '../../persistence/store.ts'
import type { DatabaseLink } from './database-link.ts'
import type { SharedDatabase } from './shared-database.ts'
import { SharedHistoryStore } from './shared-history-store.ts'

type Lane = {
  /** Null: the next batch opens another one. */
  number: number | null
  /** Its last batch. */
  batch: number
}

type Turn = { readonly documents: ReadonlySet<string>; readonly run: (lane: Lane) => void }

type Options = {
  readonly database: SharedDatabase
  readonly link: DatabaseLink
  /** Names this store from its opening to its end. */
  readonly node: string
  readonly lanes: number
}

export class SharedStore implements Store {
  readonly lanes: number
  readonly node: string
  readonly history: SharedHistoryStore
  readonly #database: SharedDatabase
  readonly #link: DatabaseLink
  readonly #free: Lane[]
  readonly #busy = new Set<string>()
  #turns: Turn[] = []
  #batches = 0
  readonly #underWay = new Set<Promise<unknown>>()
  #isClosed = false

  constructor({ database, link, node, lanes }: Options) {
    this.#database = database
    this.#link = link
    this.node = node
    this.lanes = lanes
    this.history = new SharedHistoryStore({
      histories: database.histories,
      link,
      nextAttempt: () => database.nextAttempt(),
      call: work => this.#call(work)
    })
    this.#free = Array.from({ length: lanes }, () => ({ number: null, batch: 0 }))
  }

  append(entries: readonly AppendEntry[]): Promise<AppendAnswer[]> {
    return this.#call(async () => {
      checkAppend(entries)
      if (entries.length === 0) return []
      return this.#inTurn(new Set(entries.map(each => each.document)), lane => this.#write(lane, entries))
    })
  }

  /** In a free lane, behind what was to be written to the same documents before. */
  async #inTurn<T>(documents: ReadonlySet<string>, work: (lane: Lane) => Promise<T>): Promise<T> {
    const lane = await new Promise<Lane>(run => {
      this.#turns.push({ documents, run })
      this.#nextTurns()
    })
    try {
      return await work(lane)
    } finally {
      this.#free.push(lane)
      for (const document of documents) this.#busy.delete(document)
      this.#nextTurns()
    }
  }

  #nextTurns(): void {
    const turns = this.#turns
    this.#turns = []
    const awaited = new Set<string>()
    for (const turn of turns) {
      const isFree = [...turn.documents].every(each => !this.#busy.has(each) && !awaited.has(each))
      const lane = isFree ? this.#free.pop() : undefined
      for (const document of turn.documents) (lane === undefined ? awaited : this.#busy).add(document)
      if (lane === undefined) this.#turns.push(turn)
      else turn.run(lane)
    }
  }

  async #write(lane: Lane, entries: readonly AppendEntry[]): Promise<AppendAnswer[]> {
    const { node } = this
    const number = ++this.#batches
    try {
      if (lane.number === null) {
        lane.number = await this.#link.ask(() => this.#database.openLane(node))
        lane.batch = 0
      }
      const batch = { node, lane: lane.number, before: lane.batch, number, entries }
      const answers = await this.#link.patiently(async tries => {
        const written = await this.#link.once(() => this.#database.append(batch))
        if (written !== null) return written
        const resolved = await this.#link.once(() => this.#database.resolve(batch))
        if (resolved !== null && tries > 0) return resolved
        throw new StoreError('STORE_FAILED', 'the database was put back to an earlier state')
      })
      lane.batch = number
      return answers
    } catch (error) {
      lane.number = null
      throw error
    }
  }

  load(document: string): ReturnType<Store['load']> {
    return this.#call(() => this.#link.ask(() => this.#database.load(document)), document)
  }

  recordsAfter(
    document: string,
    incarnation: string,
    sequence: number,
    limits: RecordLimits
  ): ReturnType<Store['recordsAfter']> {
    return this.#call(async () => {
      checkRecordsAfter(document, sequence, limits)
      return this.#link.ask(() => this.#database.recordsAfter(document, incarnation, { sequence, limits }))
    })
  }

  heads(queries: readonly HeadQuery[]): ReturnType<Store['heads']> {
    return this.#call(async () => {
      checkHeads(queries)
      return this.#link.ask(() => this.#database.heads(queries))
    })
  }

  segments(document: string, generation: number): ReturnType<Store['segments']> {
    return this.#call(() => this.#link.ask(() => this.#database.segments(document, generation)), document)
  }

  checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    return this.#call(() => this.#checkpoint(request), request.document)
  }

  async #checkpoint(request: CheckpointRequest): Promise<CheckpointResult> {
    const { document, meta, segments } = request
    checkCheckpoint(request, Number.POSITIVE_INFINITY)
    const generation = await this.#link.ask(() => this.#database.beginCheckpoint(request))
    if (generation === null) return { outcome: 'superseded' }
    const chunks = [meta, ...segments]
    for (const [at, bytes] of chunks.entries())
      await this.#link.ask(() => this.#database.putPart(document, generation, { at, bytes }))
    const attempt = { generation, parts: chunks.length }
    const isSwitched = await this.#link.patiently(async tries => {
      if (await this.#link.once(() => this.#database.switchCheckpoint(request, attempt))) return true
      // The answer to an earlier try was lost: a generation is of one attempt, so it tells.
      return tries > 0 && this.#link.once(() => this.#database.isCurrent(document, generation))
    })
    return isSwitched ? { outcome: 'written', generation } : { outcome: 'superseded' }
  }

  delete(document: string, deletion: Deletion = {}): Promise<boolean> {
    return this.#call(async () => {
      checkDeletion(deletion)
      const { incarnation: meant, tombstone } = deletion
      const end = (incarnation: string | null) =>
        this.#link.patiently(async tries => {
          const ended = await this.#link.once(() => this.#database.end(document, incarnation, tombstone))
          return ended || (tries > 0 && incarnation !== null)
        })
      if (meant !== undefined) return (await end(meant)) && meant !== null
      for (;;) {
        const incarnation = await this.#link.ask(() => this.#database.incarnationOf(document))
        const life = incarnation === null ? null : String(incarnation)
        if (await end(life)) return life !== null
      }
    }, document)
  }

  tombstones(): ReturnType<Store['tombstones']> {
    return this.#call(() => this.#link.ask(() => this.#database.tombstones()))
  }

  dropTombstones(documents: readonly string[]): Promise<void> {
    return this.#call(() => this.#link.ask(() => this.#database.dropTombstones(documents)), ...documents)
  }

  list(options?: ListOptions): ReturnType<Store['list']> {
    return this.#call(async () => {
      const { prefix, after, limit } = checkList(options)
      const names = await this.#link.ask(() => this.#database.names())
      const inOrder = names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const isLater = (name: string) =>
        after === '' || Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0
      return inOrder.filter(name => name.startsWith(prefix) && isLater(name)).slice(0, limit)
    })
  }

  setAside(document: string, entry: SetAside): Promise<void> {
    return this.#beside(store => store.setAside(document, entry))
  }

  listSetAside(document: string): ReturnType<Store['listSetAside']> {
    return this.#beside(store => store.listSetAside(document))
  }

  setAsideDocuments(): ReturnType<Store['setAsideDocuments']> {
    return this.#beside(store => store.setAsideDocuments())
  }

  dropSetAside(document: string, number: number): Promise<boolean> {
    return this.#beside(store => store.dropSetAside(document, number))
  }

  readMetadata(key: string): ReturnType<Store['readMetadata']> {
    return this.#beside(store => store.readMetadata(key))
  }

  writeMetadata(key: string, value: Uint8Array | null): Promise<void> {
    return this.#beside(store => store.writeMetadata(key, value))
  }

  swapMetadata(key: string, present: Uint8Array | null, value: Uint8Array | null): Promise<boolean> {
    return this.#beside(store => store.swapMetadata(key, present, value))
  }

  metadataDigest(key: string): Promise<Uint8Array | null> {
    return this.#beside(store => store.metadataDigest(key))
  }

  lease(key: string, holder: string, ms: number): Promise<boolean> {
    return this.#call(() => this.#link.ask(() => this.#database.lease(key, holder, ms)))
  }

  probe(): Promise<void> {
    return this.#beside(store => store.probe())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }

  /** However often it is sent, it is carried out once. */
  #beside<T>(work: (store: Store) => Promise<T>): Promise<T> {
    let done: Promise<T> | null = null
    const statement = () => {
      done ??= work(this.#database.beside)
      return done
    }
    return this.#call(() => this.#link.ask(statement))
  }

  async #call<T>(work: () => Promise<T>, ...names: readonly string[]): Promise<T> {
    if (this.#isClosed) throw new StoreError('STORE_CLOSED', 'The store was closed')
    for (const name of names) encodeName(name)
    const call = work()
    this.#underWay.add(call)
    try {
      return await call
    } finally {
      this.#underWay.delete(call)
    }
  }
}
