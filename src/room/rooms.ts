/**
 * All rooms of this node: one per document (I4), opened on demand, compacted when their logs grow, closed when idle.
 */
import type { Author } from '../../persistence/author.ts'
import type { Deletion, Incarnation, LoadedDocument } from '../../persistence/store.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Cancel } from '../base/time.ts'
import { WorkQueue } from '../base/work-queue.ts'
import { quarantineOf } from '../document/checkpoint.ts'
import { openDocument, type Unreadable } from '../document/stored-document.ts'
import type { ScannedUpdate } from '../document/tail.ts'
import type { CompactionSchedule } from './compaction-schedule.ts'
import { checkDocumentName } from './document-name.ts'
import type { Start } from './log-order.ts'
import type { Member } from './member.ts'
import { Room, type RoomEvents } from './room.ts'
import type { RoomParts } from './room-parts.ts'
import type { Source } from './source.ts'
import { openingFault, storeFault } from './store-fault.ts'
import { Tombstones } from './tombstones.ts'

/** What is told of every change; see `Feed`. */
export type ChangeWatch = {
  /** These updates are durable, or may be. */
  written(document: string, updates: readonly Source[]): void
  /** Whether changes of the document have not been told of, or are being told of. */
  isPending(document: string): boolean
  /** Tells of them now. Never rejects. */
  settle(document: string): Promise<void>
  /** The document is gone. */
  deleted(document: string): void
  /** Somebody has come or gone here. */
  member(document: string, type: 'member.joined' | 'member.left', member: Pick<Member, 'author'>): void
}

export type RoomsParts = RoomParts & {
  readonly compactions: CompactionSchedule
  /** What a document begins with of which the store holds nothing. Rejects with a Fault. */
  readonly seed: ((document: string) => Promise<ScannedUpdate | null>) | null
  readonly changes: ChangeWatch | null
  /** Whether documents may have this name, beside what is asked of every name. */
  readonly isAllowed: (document: string) => boolean
}

/** What becomes of copies that clients have of a deleted document: see `DocumentCalls.delete`. */
export type OldCopiesAre = 'refused' | 'welcome'

/** The author of what a document begins with. */
const seedAuthor: Author = { user: null, connection: null, origin: 'load' }

type Slot = {
  readonly opening: Promise<Room>
  room: Room | null
  cancelIdle: Cancel | null
}

export class Rooms {
  readonly #parts: RoomsParts
  readonly #tombstones: Tombstones
  readonly #slots = new Map<string, Slot>()
  /** Documents that are being deleted: nobody opens them meanwhile. Callers bound how many. */
  readonly #deleting = new Map<string, Promise<boolean>>()
  /**
   * Reads of a crowd of rooms would stand in the store's way before the appends of those who type; and where they are
   * answered at once, as a new document is, so many at most are opened in one turn of the event loop.
   */
  readonly #loads: WorkQueue
  /** The same for all rooms. */
  readonly #events: RoomEvents
  #isClosed = false

  constructor(parts: RoomsParts) {
    this.#parts = parts
    this.#loads = new WorkQueue({
      atOnceMax: parts.limits.roomLoadsMax,
      waitingMax: parts.limits.roomsMax,
      whenFree: free => void parts.time.soon(free)
    })
    this.#tombstones = new Tombstones(parts)
    const { changes, compactions } = parts
    this.#events = {
      onIdle: room => this.#idle(room),
      onWritten: (room, updates) => changes?.written(room.name, updates),
      onMember: (room, type, member) => changes?.member(room.name, type, member),
      onCommitted: room => compactions.consider(room),
      compactionOver: room => compactions.over(room),
      onCheckpoint: room => compactions.checkpointReplaced(room),
      onEnded: room => this.#ended(room)
    }
  }

  get count(): number {
    return this.#slots.size
  }

  /** The room of the document if it is open, and goes on. */
  find(name: string): Room | null {
    const room = this.#slots.get(name)?.room ?? null
    return room?.isEnded === true ? null : room
  }

  /** Whether a document that is not there was deleted, and old copies of it are refused. */
  isBuried(loaded: LoadedDocument): boolean {
    return loaded.incarnation === null && this.#tombstones.of(loaded) !== null
  }

  /** Those that are open; a new array. */
  opened(): Room[] {
    return [...this.#slots.values()].flatMap(({ room }) => room ?? [])
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
  delete(name: string, copies: OldCopiesAre = 'refused'): Promise<boolean> {
    const underWay = this.#deleting.get(name)
    if (underWay !== undefined) return underWay
    const deleting = this.#delete(name, copies).finally(() => this.#deleting.delete(name))
    this.#deleting.set(name, deleting)
    return deleting
  }

  /** Ends the members that are meant, of one document or (null) of all. Returns how many. */
  disconnect(document: string | null, isMeant: (member: Member) => boolean, fault: Fault): number {
    let ended = 0
    for (const [name, { room }] of this.#slots) {
      if (room !== null && (document === null || document === name)) ended += room.disconnect(isMeant, fault)
    }
    return ended
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
    await this.#parts.setAsides.settled()
  }

  /** Throws ERR_ROOM_NAME when no document may have the name. */
  checkName(name: string): void {
    checkDocumentName(name, this.#parts.limits)
    if (!this.#parts.isAllowed(name)) throw new Fault('ERR_ROOM_NAME', 'the pattern of names excludes it')
  }

  #open(name: string): Slot {
    const { limits } = this.#parts
    if (this.#isClosed) throw new Fault('ERR_GOING_DOWN')
    this.checkName(name)
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
    for (;;) {
      const room = await this.#restore(name)
      this.#parts.metrics.roomOpened()
      if (room.life.incarnation !== null || (await this.#plant(room))) return room
    }
  }

  /**
   * What a new document begins with goes the way of every update, and is durable before anyone enters. False: the
   * document has begun elsewhere meanwhile, and is to be loaded.
   */
  async #plant(room: Room): Promise<boolean> {
    if (this.#parts.seed === null) return true
    try {
      const seed = await this.#parts.seed(room.name)
      room.life.isPlanting = true
      if (seed !== null) await room.writing.apply(seed, seedAuthor)
      room.life.isPlanting = false
      return true
    } catch (error) {
      const fault = toFault(error)
      if (fault.code === 'ERR_ROOM_RESTARTS') return false
      room.dispose(fault)
      throw fault
    }
  }

  async #restore(name: string): Promise<Room> {
    const { store, log, journal } = this.#parts
    // A room of it that ended may still be writing.
    await journal.written(name)
    try {
      const loaded = await this.#loads.run(() => store.load(name))
      for (const { sequence, reason } of loaded.damaged) {
        log.error({ document: name, sequence, reason }, 'a record of the log was damaged and set aside')
      }
      const { document, unreadable } = await openDocument(
        name,
        { ...loaded, deadLives: this.#tombstones.of(loaded) },
        () => this.#breathe()
      )
      await this.#setAside(name, unreadable)
      const life = { incarnation: loaded.incarnation, isPlanting: false, floor: loaded.floor }
      const quarantines = loaded.checkpoint === null ? 0 : quarantineOf(loaded.checkpoint.meta).count
      return new Room(document, { life, start: startOf(loaded), quarantines }, this.#parts, this.#events)
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
      await store.setAside(name, { author: null, timeMs: time.wallMs(), reason, bytes })
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

  async #delete(name: string, copies: OldCopiesAre): Promise<boolean> {
    const { journal, store, nodes, changes, compactions } = this.#parts
    const room = await this.#slots.get(name)?.opening.catch(() => null)
    room?.end(new Fault('ERR_DELETED'))
    // What the journal is writing of it must not be there after the deletion.
    await journal.written(name)
    try {
      const deletion = await this.#deletionOf(name, room ?? null, copies)
      const { incarnation, tombstone } = deletion
      const isDeleted = await store.delete(
        name,
        changes === null ? deletion : { ...deletion, leavesMark: true }
      )
      if (isDeleted) changes?.deleted(name)
      compactions.forget(name)
      nodes?.announceChange(name)
      // Else the life was deleted elsewhere meanwhile, and left a tombstone there.
      const isBuried = isDeleted || incarnation === null
      if (isBuried && tombstone !== undefined) await this.#tombstones.left(name, tombstone)
      return isDeleted
    } catch (error) {
      throw storeFault(error)
    }
  }

  /**
   * Of the life that is there now: one that others begin while this one is deleted is not meant. Without a tombstone:
   * nothing is known of the document, and what it may have left before stays.
   */
  async #deletionOf(
    name: string,
    room: Room | null,
    copies: OldCopiesAre
  ): Promise<Deletion & { readonly incarnation: Incarnation }> {
    const { store, nodes, log } = this.#parts
    const [head] = await store.heads([{ document: name }])
    const incarnation = head?.incarnation ?? null
    if (copies === 'welcome') return { incarnation, tombstone: null }
    if (room !== null && nodes === null) {
      return { incarnation, tombstone: this.#tombstones.after([room.document]) }
    }
    try {
      const loaded = await store.load(name)
      if (loaded.incarnation === null) return { incarnation: null }
      const deadLives = this.#tombstones.of(loaded)
      const { document } = await openDocument(name, { ...loaded, deadLives }, () => this.#breathe())
      // Other nodes may have written more than the room has seen; and it may have seen what was not written yet.
      const isSame = room !== null && room.life.incarnation === loaded.incarnation
      const tombstone = this.#tombstones.after(isSame ? [document, room.document] : [document])
      return { incarnation: loaded.incarnation, tombstone }
    } catch (error) {
      const fault = openingFault(error)
      if (fault.code !== 'ERR_DOCUMENT_DAMAGED') throw error
      log.warn(
        { document: name, error },
        'a damaged document leaves no tombstone: old copies are taken again'
      )
      return { incarnation }
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

function startOf({ incarnation, head, records }: LoadedDocument): Start | null {
  if (incarnation === null) return null
  const last = records.at(-1)
  return { sequence: head, identity: last?.sequence === head ? last.identity : null }
}
