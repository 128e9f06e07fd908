/**
 * Where the updates of a record lie, without an object for each: rooms with long logs are opened while the code is cold.
 */
import { authorMarksMax, connectionMark, userMark } from '../../persistence/author.ts'
import { decodeRecord, recordVersion } from './record.ts'

/** An author's first byte in a record of version 3, before the marks. */
const isNew = 0

export class RecordSpans {
  /** Start and end of each update in turn. Valid up to `length`. */
  readonly spans: number[] = []
  length = 0
  #record: Uint8Array = new Uint8Array(0)
  #pos = 0

  /** Finds those of another record. Throws ERR_BAD_MESSAGE where `decodeRecord` does. */
  find(record: Uint8Array): void {
    this.#record = record
    this.#pos = 1
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
    const timeMs = this.#number()
    const count = this.#number()
    if (timeMs < 0 || count < 0) return false
    let authors = 0
    for (let left = count; left > 0; left--) {
      const laterMs = this.#number()
      const author = this.#number()
      if (laterMs < 0 || author < 0) return false
      if (author === isNew) {
        if (!this.#passAuthor()) return false
        authors++
      } else if (author > authors) return false
      const length = this.#number()
      const start = this.#pos
      this.#pos = start + length
      if (length < 0 || this.#pos > this.#record.length) return false
      this.#add(start, this.#pos)
    }
    return this.#pos === this.#record.length
  }

  #add(start: number, end: number): void {
    this.spans[this.length++] = start
    this.spans[this.length++] = end
  }

  #passAuthor(): boolean {
    const marks = this.#record[this.#pos++] ?? 0x80
    if (marks > authorMarksMax) return false
    if ((marks & userMark) !== 0 && !this.#passName()) return false
    return (marks & connectionMark) === 0 || this.#passName()
  }

  #passName(): boolean {
    const record = this.#record
    const length = this.#number()
    const end = this.#pos + length
    if (length < 0) return false
    for (let pos = this.#pos; pos < end; pos++) if ((record[pos] ?? 0x80) > 0x7f) return false
    this.#pos = end
    return true
  }

  /** A varUint of up to seven bytes. −1 if it is longer or cut short, which is no length and no count. */
  #number(): number {
    const record = this.#record
    let pos = this.#pos
    let byte = record[pos++] ?? 0x80
    let value = byte & 0x7f
    for (let scale = 0x80; byte > 0x7f; scale *= 0x80) {
      if (scale > 2 ** 42) return -1
      byte = record[pos++] ?? 0x80
      value += (byte & 0x7f) * scale
    }
    this.#pos = pos
    return value
  }
}
