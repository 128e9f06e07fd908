/**
 * The document as this device keeps it, in IndexedDB: a log of updates that becomes one now and then. Each tab appends what it
 * has; a transaction is whole or not there, so tabs need no lock, and one that is frozen holds nobody up. Loaded only by a
 * provider with `offline`.
 */
import { deleteDB, type IDBPDatabase, openDB } from 'idb'
import { applyUpdate, type Doc, encodeStateAsUpdate, mergeUpdates } from 'yjs'

/** `denied`: there is no place to keep anything. `full`: no more of it. `damaged`: what was kept could not be read, and is gone. */
export type KeepingProblem = 'denied' | 'full' | 'damaged'

export type LocalCopyParts = {
  readonly name: string
  readonly doc: Doc
  /** The origin of what comes from the server: the provider. */
  readonly serverOrigin: object
  /** How many changes have been made here. */
  readonly made: () => number
  /** What is typed now is not for anybody, this device included: the server refuses it. */
  readonly isRefused: () => boolean
  /** Whether the server gets this tab's changes at the moment, so that other tabs hear of them from there. */
  readonly isConnected: () => boolean
  /** Whether other tabs are told of changes, and heard. */
  readonly sharesWithTabs: boolean
  readonly changed: () => void
  readonly failed: (problem: KeepingProblem, cause: unknown) => void
}

const prefix = 'y-chorus '
const updates = 'updates'
/** So many updates, or bytes, become one. */
const updatesMax = 256
const bytesMax = 2 ** 20

export class LocalCopy {
  readonly #parts: LocalCopyParts
  #db: IDBPDatabase | null = null
  #channel: BroadcastChannel | null = null
  #gathered: Uint8Array[] = []
  #writing: Promise<void> = Promise.resolve()
  #isWriteDue = false
  #count = 0
  #bytes = 0
  /** Changes up to this number are kept. */
  #kept = 0
  #isClosed = false

  /** Nothing is kept, and nothing heard, before `open`. */
  constructor(parts: LocalCopyParts) {
    this.#parts = parts
  }

  /** Whether all changes up to this number are on this device, and survive its browser. */
  isKept(made: number): boolean {
    return this.#kept >= made
  }

  /** Applies what is kept. Never rejects: without it the document works as it would without a copy. */
  async open(): Promise<void> {
    const { doc, sharesWithTabs, name } = this.#parts
    if (doc.store.clients.size > 0) this.#gathered.push(encodeStateAsUpdate(doc))
    // What changes while the copy is being read is written after it.
    doc.on('update', this.#changed)
    if (sharesWithTabs && typeof BroadcastChannel !== 'undefined') {
      this.#channel = new BroadcastChannel(prefix + name)
      this.#channel.onmessage = ({ data }: MessageEvent<Uint8Array>) => {
        applyUpdate(doc, data, this.#channel)
      }
    }
    try {
      this.#db = await this.#openDatabase()
      await this.#load(this.#db)
      this.#write()
    } catch (error) {
      this.#parts.failed('denied', error)
    }
  }

  /** Removes what is kept, for all tabs. Nothing is kept from now on. */
  async forget(): Promise<void> {
    await this.close()
    await deleteDB(prefix + this.#parts.name)
  }

  /** Resolves when what was gathered is written. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#parts.doc.off('update', this.#changed)
    this.#channel?.close()
    this.#write()
    this.#isClosed = true
    await this.#writing
    this.#db?.close()
    this.#db = null
  }

  async #openDatabase(): Promise<IDBPDatabase> {
    if (typeof indexedDB === 'undefined') throw new Error('there is no IndexedDB here')
    const db = await openDB(prefix + this.#parts.name, 1, {
      upgrade: database => void database.createObjectStore(updates, { autoIncrement: true }),
      // Another tab wants it gone: it is signed out.
      blocking: () => void this.close(),
      terminated: () => {
        this.#db = null
        this.#kept = 0
        this.#parts.failed('denied', new Error('the browser has closed the database'))
      }
    })
    return db
  }

  async #load(db: IDBPDatabase): Promise<void> {
    const all = (await db.getAll(updates)) as unknown[]
    if (all.length === 0) return
    try {
      const merged = mergeUpdates(all.map(bytesOf))
      applyUpdate(this.#parts.doc, merged, this)
      this.#count = all.length
      this.#bytes = merged.length
    } catch (error) {
      // The server has the document, and this device would never get past it.
      await db.clear(updates)
      return this.#parts.failed('damaged', error)
    }
    this.#kept = Math.max(this.#kept, this.#gathered.length === 0 ? this.#parts.made() : 0)
    this.#parts.changed()
  }

  readonly #changed = (update: Uint8Array, origin: unknown) => {
    const { serverOrigin, isRefused, isConnected } = this.#parts
    if (origin === this) return
    const isOwn = origin !== serverOrigin
    // A reader's changes must not get to the server through another tab, or the next page.
    if (isOwn && isRefused()) return
    if (isOwn && origin !== this.#channel && !isConnected()) this.#channel?.postMessage(update)
    this.#gathered.push(update)
    if (this.#isWriteDue) return
    this.#isWriteDue = true
    queueMicrotask(() => this.#write())
  }

  #write(): void {
    this.#isWriteDue = false
    this.#writing = this.#writing.then(() => this.#writeGathered())
  }

  /** Never rejects. What could not be written stays, and is tried again with the next change. */
  async #writeGathered(): Promise<void> {
    const gathered = this.#gathered
    const db = this.#db
    if (gathered.length === 0 || db === null) return
    const made = this.#parts.made()
    this.#gathered = []
    try {
      const update = mergeUpdates(gathered)
      await append(db, update)
      this.#count++
      this.#bytes += update.length
      this.#kept = made
      this.#parts.changed()
      if (this.#count > updatesMax || this.#bytes > bytesMax) await this.#compact(db)
    } catch (error) {
      // Bounded by the document itself: as one update.
      this.#gathered = [mergeUpdates([...gathered, ...this.#gathered])]
      this.#parts.failed(isAboutRoom(error) ? 'full' : 'denied', error)
    }
  }

  /** In one transaction: what another tab has appended meanwhile is in it, or comes after it. */
  async #compact(db: IDBPDatabase): Promise<void> {
    const transaction = db.transaction(updates, 'readwrite')
    const all = (await transaction.store.getAll()) as unknown[]
    const merged = mergeUpdates(all.map(bytesOf))
    await transaction.store.clear()
    await transaction.store.add(merged)
    await transaction.done
    this.#count = 1
    // A document may be larger than the bound: it is merged again when as much has been added.
    this.#bytes = 0
  }
}

/** Removes what every document of this origin has kept on this device, as when somebody signs out. */
export async function forgetAll(): Promise<void> {
  const all = await indexedDB.databases()
  const names = all.flatMap(({ name }) => (name?.startsWith(prefix) === true ? [name] : []))
  await Promise.all(names.map(name => deleteDB(name)))
}

/** `strict`: what is said to be kept survives the browser and the machine, and not the tab alone. */
async function append(db: IDBPDatabase, update: Uint8Array): Promise<void> {
  const transaction = db.transaction(updates, 'readwrite', { durability: 'strict' })
  await transaction.store.add(update)
  await transaction.done
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new Error('what is kept is no update')
}

function isAboutRoom(error: unknown): boolean {
  return error instanceof Error && error.name === 'QuotaExceededError'
}
