/**
 * All rooms of this node: one per document (I4), opened on demand, compacted when their logs grow, closed when idle.
 */
import { StoreError } from '../../persistence/store.ts'
import { openDocument, type Unreadable } from '../document/document.ts'
import { Fault } from '../errors.ts'
import type { Cancel } from '../time.ts'
import type { Compactions } from './compactions.ts'
import { Room, type RoomParts } from './room.ts'

export type RoomsParts = RoomParts & { readonly compactions: Compactions }

type Slot = {
  readonly opening: Promise<Room>
  room: Room | null
  cancelIdle: Cancel | null
}

export class Rooms {
  readonly #parts: RoomsParts
  readonly #slots = new Map<string, Slot>()
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
   * ERR_DOCUMENT_DAMAGED, ERR_GOING_DOWN.
   */
  async open(name: string): Promise<Room> {
    for (;;) {
      const slot = this.#slots.get(name) ?? this.#open(name)
      const room = await slot.opening
      if (!room.isEnded) return room
      // It ended between its load and our turn: the next round opens a new one.
      if (this.#slots.get(name) === slot) this.#slots.delete(name)
    }
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
    if (name.length === 0 || name.length > limits.roomNameLengthMax || !name.isWellFormed()) {
      throw new Fault('ERR_ROOM_NAME', `a document name of ${name.length} characters`)
    }
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
    this.#parts.metrics.roomOpened()
    this.#parts.cache.used(room.document)
    this.#armIdle(slot)
    this.#parts.compactions.consider(room)
  }

  async #load(name: string): Promise<Room> {
    const { store, log } = this.#parts
    try {
      const loaded = await store.load(name)
      for (const { sequence, reason } of loaded.damaged) {
        log.error({ document: name, sequence, reason }, 'a record of the log was damaged and set aside')
      }
      const { document, unreadable } = await openDocument(name, loaded, () => this.#breathe())
      await this.#setAside(name, unreadable)
      return new Room(document, this.#parts, {
        onIdle: room => this.#idle(room),
        onCommitted: room => this.#parts.compactions.consider(room),
        compactionOver: room => this.#parts.compactions.over(room),
        onEnded: room => this.#ended(room)
      })
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

  /** A room is compacted before it closes, if that is worth it: the next start reads a checkpoint, not a log. */
  #closeIfIdle(slot: Slot): void {
    const { room } = slot
    if (room === null || !room.isIdle) return
    const compacting = this.#parts.compactions.beforeClose(room)
    const close = () => {
      if (room.isIdle) room.dispose(new Fault('ERR_ROOM_RESTARTS'))
    }
    if (compacting === null) close()
    else void compacting.then(close)
  }
}

function openingFault(error: unknown): Fault {
  if (error instanceof StoreError) {
    return new Fault(error.code === 'STORE_DAMAGED' ? 'ERR_DOCUMENT_DAMAGED' : 'ERR_STORE', error.message, {
      cause: error
    })
  }
  return new Fault('ERR_DOCUMENT_DAMAGED', 'the stored document could not be read', { cause: error })
}
