/**
 * Where the updates of a record lie, without an object for each: rooms with long logs are opened while the code is cold.
 */
import { authorMarksMax, connectionMark, userMark } from '../../persistence/author.ts'
import { NumberCursor } from './number-cursor.ts'
import { decodeRecord, recordVersion } from './record.ts'

/** An author's first byte in a record of version 3, before the marks. */
const isNew = 0

export class RecordSpans {
  /** Start and end of each update in turn. Valid up to `length`. */
  readonly spans: number[] = []
  length = 0
  readonly #cursor = new NumberCursor()

  /** Finds those of another record. Throws ERR_BAD_MESSAGE where `decodeRecord` does. */
  find(record: Uint8Array): void {
    this.#cursor.bytes = record
    this.#cursor.pos = 1
    this.length = 0
    if (record[0] === recordVersion && this.#findQuickly()) return
    this.length = 0
    for (const { update } of decodeRecord(record)) {
      const start = update.byteOffset - record.byteOffset
      this.#add(start, start + update.length)
    }
  }

  /** False: there is something else in it than names of one byte a letter and what is known. */
  #findQuickly(): boolean {
    const timeMs = this.#cursor.number()
    const count = this.#cursor.number()
    if (timeMs < 0 || count < 0) return false
    let authors = 0
    for (let left = count; left > 0; left--) {
      const laterMs = this.#cursor.number()
      const author = this.#cursor.number()
      if (laterMs < 0 || author < 0) return false
      if (author === isNew) {
        if (!this.#passAuthor()) return false
        authors++
      } else if (author > authors) return false
      const length = this.#cursor.number()
      const start = this.#cursor.pos
      this.#cursor.pos = start + length
      if (length < 0 || this.#cursor.pos > this.#cursor.bytes.length) return false
      this.#add(start, this.#cursor.pos)
    }
    return this.#cursor.pos === this.#cursor.bytes.length
  }

  #add(start: number, end: number): void {
    this.spans[this.length++] = start
    this.spans[this.length++] = end
  }

  #passAuthor(): boolean {
    const marks = this.#cursor.bytes[this.#cursor.pos++] ?? 0x80
    if (marks > authorMarksMax) return false
    if ((marks & userMark) !== 0 && !this.#passName()) return false
    return (marks & connectionMark) === 0 || this.#passName()
  }

  #passName(): boolean {
    const record = this.#cursor.bytes
    const length = this.#cursor.number()
    const end = this.#cursor.pos + length
    if (length < 0) return false
    for (let pos = this.#cursor.pos; pos < end; pos++) if ((record[pos] ?? 0x80) > 0x7f) return false
    this.#cursor.pos = end
    return true
  }
}
