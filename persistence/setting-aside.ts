/**
 * Adds entries to the set-aside area and takes them away. A large entry is written in parts, one large entry at a time, so
 * that no append waits for more than one part. README.md says what a crash leaves after each step.
 */
import { checkValue } from './arguments.ts'
import { bounds } from './bounds.ts'
import { noteOf, putNote } from './checkpoints.ts'
import { kinds, seal, segmentKey, setAsideKey } from './format.ts'
import { type GarbageNote, sweep } from './garbage.ts'
import type { Operation } from './ordered.ts'
import { asStoreError, type Writer } from './session.ts'
import {
  dropSetAsideOperations,
  partsGarbage,
  roomForSetAside,
  type SetAsideBounds,
  setAsideOperations
} from './set-aside.ts'
import { encodeSetAsideParts } from './set-aside-body.ts'
import { type SetAside, StoreError } from './store.ts'
import { birth, putCounters, type StoreParts } from './writing.ts'

/** The parts of one entry under way, and the opening of the database they belong to. */
type Attempt = { readonly incarnation: number; readonly epoch: number; readonly note: GarbageNote }

export class SettingAside {
  readonly #parts: StoreParts
  readonly #limits: SetAsideBounds
  /** The end of the queue of large entries. */
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(parts: StoreParts, limits: SetAsideBounds) {
    this.#parts = parts
    this.#limits = limits
  }

  /** As `Store.setAside`. */
  async add(document: string, entry: SetAside): Promise<void> {
    checkValue(entry.bytes)
    if (entry.bytes.length <= bounds.setAsidePartBytes) {
      const add = (writer: Writer) => this.addBeside(writer, { document, entry, beside: [] })
      return this.removeLater(document, await this.#parts.session.write(add))
    }
    if (this.#waiting >= bounds.waitingOthersMax) {
      throw new StoreError('STORE_FAILED', 'Too many large entries wait to be set aside; nothing was written')
    }
    this.#waiting++
    const added = this.#last.then(() => this.#addInParts(document, entry))
    // The caller has the rejection; the next in the queue must run either way.
    this.#last = added.then(ignore, ignore)
    await added.finally(() => this.#waiting--)
  }

  /** In a turn of the write queue: the entry and what goes with it in one batch. Returns what is to be removed then. */
  async addBeside(
    writer: Writer,
    { document, entry, beside }: { document: string; entry: SetAside; beside: readonly Operation[] }
  ): Promise<readonly GarbageNote[]> {
    const { operations, notes } = await setAsideOperations(writer, document, entry, this.#limits)
    await writer.batch([...operations, ...beside], 'synced')
    return notes
  }

  /** As `Store.dropSetAside`. */
  async drop(document: string, number: number): Promise<boolean> {
    const dropped = await this.#parts.session.write(async writer => {
      const found = await dropSetAsideOperations(writer, document, number)
      if (found !== null) await writer.batch(found.operations, 'synced')
      return found
    })
    if (dropped === null) return false
    await this.removeLater(document, dropped.notes)
    return true
  }

  /** Never rejects: no entry refers to what could not be removed, and the next opening removes it. */
  async removeLater(document: string, notes: readonly GarbageNote[]): Promise<void> {
    const { epoch } = this.#parts.session
    for (const note of notes) await this.#remove(document, note, epoch)
  }

  async #addInParts(document: string, entry: SetAside): Promise<void> {
    const { session } = this.#parts
    const attempt = await session.write(writer => this.#begin(writer))
    try {
      const { bytes } = entry
      const size = bounds.setAsidePartBytes
      const count = Math.ceil(bytes.length / size)
      for (let i = 0; i < count; i++) {
        await this.#writePart(attempt, i, bytes.subarray(i * size, (i + 1) * size))
      }
      const notes = await session.write(writer => this.#finish(writer, { document, entry, attempt, count }))
      await this.removeLater(document, notes)
    } catch (error) {
      // After a failed write the reopening removes the parts, and this does nothing.
      await this.#remove(document, attempt.note, attempt.epoch)
      throw error
    }
  }

  /** A number that no document has, so that the parts are nobody else's. */
  async #begin(writer: Writer): Promise<Attempt> {
    const { state, session } = this.#parts
    const { head, counters } = birth(state.counters)
    const { incarnation } = head
    const note = noteOf(partsGarbage(incarnation), 1, 'unfinished')
    await writer.batch([putNote(note), putCounters(counters)], 'synced')
    state.counters = counters
    return { incarnation, epoch: session.epoch, note }
  }

  #writePart(attempt: Attempt, index: number, bytes: Uint8Array): Promise<void> {
    return this.#parts.session.write(writer => {
      this.#checkEpoch(attempt.epoch)
      const key = segmentKey(attempt.incarnation, 1, index)
      return writer.batch([{ type: 'put', key, value: seal(key, kinds.segment, bytes) }], 'synced')
    })
  }

  /** From here on the entry is there, whole. */
  async #finish(
    writer: Writer,
    added: { document: string; entry: SetAside; attempt: Attempt; count: number }
  ): Promise<readonly GarbageNote[]> {
    const { document, entry, attempt, count } = added
    this.#checkEpoch(attempt.epoch)
    const size = entry.bytes.length
    const { name, number, operations, notes } = await roomForSetAside(writer, document, size, this.#limits)
    const key = setAsideKey(name, number, size)
    const body = encodeSetAsideParts(entry, { incarnation: attempt.incarnation, count })
    const put: Operation = { type: 'put', key, value: seal(key, kinds.setAsideInParts, body) }
    await writer.batch([put, { type: 'del', key: attempt.note.key }, ...operations], 'synced')
    return notes
  }

  async #remove(document: string, note: GarbageNote, epoch: number): Promise<void> {
    const { session, tidy, onReport } = this.#parts
    if (session.epoch !== epoch) return
    try {
      const commit = (operations: readonly Operation[]) =>
        session.write(writer => {
          this.#checkEpoch(epoch)
          return writer.batch(operations, 'synced')
        })
      const removed = await sweep({ read: work => session.read(work), commit }, note)
      tidy.freed(session, note.garbage.incarnation, removed * bounds.setAsidePartBytes)
    } catch (error) {
      // A reopening has removed it.
      if (session.epoch === epoch) onReport({ kind: 'removal-failed', document, cause: asStoreError(error) })
    }
  }

  #checkEpoch(epoch: number): void {
    if (this.#parts.session.epoch === epoch) return
    const text =
      'The store was reopened after a failed write while an entry was being set aside; it was undone'
    throw new StoreError('STORE_FAILED', text)
  }
}

function ignore(): void {}
