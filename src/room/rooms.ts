/**
 * All rooms of this node: one per document (I4), opened on demand, compacted when their logs grow, closed when idle.
 */
import { openDocument, type Unreadable } from '../document/document.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import { Fault, toFault } from '../errors.ts'
import type { Cancel } from '../time.ts'
import type { Compactions } from './compactions.ts'
import { checkDocumentName } from './document-name.ts'
import { type Origin, Room, type RoomParts } from './room.ts'
import { openingFault, storeFault } from './store-fault.ts'

/** What is told of every change; see `Changes`. */
export type ChangeWatch = {
  /** These updates are durable, or may be. */
  written(document: string, updates: readonly Origin[]): void
  /** Whether changes of the document have not been told of, or are being told of. */
  isPending(document: string): boolean
  /** Tells of them now. Never rejects. */
  settle(document: string): Promise<void>
  /** The document is gone, and what is not told of it is not to be told. */
  forget(document: string): void
}

export type RoomsParts = RoomParts & {
  readonly compactions: Compactions
  /** What a document begins with of which the store holds nothing. Rejects with a Fault. */
  readonly seed: ((document: string) => Promise<ScannedUpdate | null>) | null
  readonly changes: ChangeWatch | null
  /** Whether documents may have this name, beside what is asked of every name. */
  readonly isAllowed: (document: string) => boolean
}

/** The author of what a document begins with. */
export const seedAuthor = 'load'

type Slot = {
  readonly opening: Promise<Room>
  room: Room | null
  cancelIdle: Cancel | null
}

export class Rooms {
  readonly #parts: RoomsParts
  readonly #slots = new Map<string, Slot>()
  /** Documents that are being deleted: nobody opens them meanwhile. Callers bound how many. */
  readonly #deleting = new Map<string, Promise<boolean>>()
  #isClosed = false

  constructor(parts: RoomsParts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#slots.size
  }

  /**
   * The room of a document, loaded; concurrent calls share one load. Whoever enters it must do so in the same turn
   * in which the promise resolves. Rejects with a Fault: ERR_ROOM_NAME, ERR_OVERLOADED, ERR_STORE,
   * ERR_DOCUMENT_DAMAGED, ERR_LOAD, ERR_GOING_DOWN.
   */
  async open(name: string): Promise<Room> {
    for (;;) {
      if (this.#deleting.has(name)) await this.#deleting.get(name)?.catch(() => {})
      const slot = this.#slots.get(name) ?? this.#open(name)
      const room = await slot.opening
      if (!room.isEnded) return room
      // It ended between its load and our turn: the next round opens a new one.
      if (this.#slots.get(name) === slot) this.#slots.delete(name)
    }
  }

  /**
   * Ends the document's room (ERR_DELETED) and removes the document from the store; false when it was not there.
   * Who opens it meanwhile waits, and finds nothing of it. Rejects with a Fault.
   */
  delete(name: string): Promise<boolean> {
    const underWay = this.#deleting.get(name)
    if (underWay !== undefined) return underWay
    const deleting = this.#delete(name).finally(() => this.#deleting.delete(name))
    this.#deleting.set(name, deleting)
    return deleting
  }

  /** Hands what is accepted to the journal without waiting for more. */
  flush(): void {
    for (const { room } of this.#slots.values()) room?.flush()
  }

  /** Ends every room and waits for what is on its way. Nothing can be opened afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true
    const slots = [...this.#slots.values()]
    for (const { room } of slots) room?.dispose(new Fault('ERR_GOING_DOWN'))
    await Promise.allSettled(slots.map(({ opening }) => opening))
    for (const slot of slots) {
      slot.cancelIdle?.()
      slot.room?.dispose(new Fault('ERR_GOING_DOWN'))
    }
    this.#slots.clear()
  }

  #open(name: string): Slot {
    const { limits } = this.#parts
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    checkDocumentName(name, limits)
    if (!this.#parts.isAllowed(name)) throw new Fault('ERR_ROOM_NAME', 'no document may have this name')
    if (this.#slots.size >= limits.roomsMax) this.#makeRoom()
    if (this.#slots.size >= limits.roomsMax)
      throw new Fault('ERR_OVERLOADED', `${limits.roomsMax} rooms are open`)
    const slot: Slot = { opening: this.#load(name), room: null, cancelIdle: null }
    this.#slots.set(name, slot)
    slot.opening.then(
      room => this.#opened(slot, room),
      () => this.#slots.delete(name)
    )
    return slot
  }

  #opened(slot: Slot, room: Room): void {
    slot.room = room
    this.#parts.cache.used(room.document)
    this.#armIdle(slot)
    this.#parts.compactions.consider(room)
  }

  async #load(name: string): Promise<Room> {
    const { room, isNew } = await this.#restore(name)
    this.#parts.metrics.roomOpened()
    if (isNew) await this.#plant(room)
    return room
  }

  /** What a new document begins with goes the way of every update, and is durable before anyone enters. */
  async #plant(room: Room): Promise<void> {
    if (this.#parts.seed === null) return
    try {
      const seed = await this.#parts.seed(room.name)
      if (seed !== null) await room.apply(seed, seedAuthor)
    } catch (error) {
      const fault = toFault(error)
      room.dispose(fault)
      throw fault
    }
  }

  async #restore(name: string): Promise<{ room: Room; isNew: boolean }> {
    const { store, log, changes } = this.#parts
    try {
      const loaded = await store.load(name)
      for (const { sequence, reason } of loaded.damaged) {
        log.error({ document: name, sequence, reason }, 'a record of the log was damaged and set aside')
      }
      const { document, unreadable } = await openDocument(name, loaded, () => this.#breathe())
      await this.#setAside(name, unreadable)
      const room = new Room(document, this.#parts, {
        onIdle: room => this.#idle(room),
        onWritten: (_, updates) => changes?.written(name, updates),
        onCommitted: room => this.#parts.compactions.consider(room),
        compactionOver: room => this.#parts.compactions.over(room),
        onEnded: room => this.#ended(room)
      })
      return { room, isNew: loaded.incarnation === null }
    } catch (error) {
      log.error({ error, document: name }, 'the document could not be opened')
      throw openingFault(error)
    }
  }

  async #setAside(name: string, unreadable: readonly Unreadable[]): Promise<void> {
    const { store, log, time } = this.#parts
    for (const { sequence, bytes, cause } of unreadable) {
      log.error(
        { document: name, sequence, error: cause },
        'an update of the log could not be read; set aside'
      )
      const reason = `unreadable in record ${sequence}`
      await store.setAside(name, { author: '', timeMs: time.wallMs(), reason, bytes })
    }
  }

  #breathe(): Promise<void> {
    return new Promise(resolve => void this.#parts.time.soon(resolve))
  }

  #ended(room: Room): void {
    this.#parts.metrics.roomClosed()
    const slot = this.#slotOf(room)
    slot?.cancelIdle?.()
    if (slot !== null) this.#slots.delete(room.name)
  }

  #slotOf(room: Room): Slot | null {
    const slot = this.#slots.get(room.name)
    return slot?.room === room ? slot : null
  }

  #idle(room: Room): void {
    const slot = this.#slotOf(room)
    if (slot !== null) this.#armIdle(slot)
  }

  #armIdle(slot: Slot): void {
    slot.cancelIdle?.()
    slot.cancelIdle = this.#parts.time.after(this.#parts.limits.roomIdleMs, () => this.#closeIfIdle(slot))
  }

  /** The room that was opened first of those nobody is in closes before its time: who opens many keeps nobody out. */
  #makeRoom(): void {
    for (const { room } of this.#slots.values()) {
      if (room === null || !room.isIdle || this.#parts.changes?.isPending(room.name) === true) continue
      return room.dispose(new Fault('ERR_ROOM_RESTARTS'))
    }
  }

  async #delete(name: string): Promise<boolean> {
    const { journal, store, changes } = this.#parts
    const room = await this.#slots.get(name)?.opening.catch(() => null)
    room?.end(new Fault('ERR_DELETED'))
    // What the journal is writing of it must not be there after the deletion.
    await journal.written()
    try {
      const isDeleted = await store.delete(name)
      changes?.forget(name)
      return isDeleted
    } catch (error) {
      throw storeFault(error)
    }
  }

  /**
   * A room is compacted before it closes, if that is worth it: the next start reads a checkpoint, not a log. And its
   * changes are told of.
   */
  #closeIfIdle(slot: Slot): void {
    const { room } = slot
    if (room === null || !room.isIdle) return
    const { compactions, changes } = this.#parts
    const isPending = () => changes?.isPending(room.name) === true
    const compacting = compactions.beforeClose(room)
    const settling = isPending() ? changes?.settle(room.name) : null
    // Whoever has changed it meanwhile has been here, and when they left the idle time began anew.
    const close = () => {
      if (room.isIdle && !isPending()) room.dispose(new Fault('ERR_ROOM_RESTARTS'))
    }
    if (compacting === null && settling === null) close()
    else void Promise.all([compacting, settling]).then(close)
  }
}
