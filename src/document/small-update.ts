/**
 * What a small update of a log brings, read without an object or an array for it: rooms with long logs are opened while
 * the code is cold, so that each call counts. It knows nothing of other updates.
 */
import { NumberCursor } from './number-cursor.ts'
import { structRef, UpdateReader } from './update-reader.ts'

/** An update of more bytes, or more clients, is not what somebody types. */
const updateBytesMax = 4 * 1024
const clientsMax = 4

/** Numbers of an entry of `blocks`, and of `deletes`. */
export const blockNumbers = 6
export const deleteNumbers = 3

/** A string that says where it belongs by its origins, and that is no entry of a map. */
const infoMask = 0x3f

export class SmallUpdate {
  /** Per client: client, clock, end, structs, and where their bytes begin and end. Valid up to `blocksEnd`. */
  readonly blocks = new Float64Array(clientsMax * blockNumbers)
  blocksEnd = 0
  /** Client, clock, end. Valid up to `deletesEnd`. */
  readonly deletes = new Float64Array((updateBytesMax / 2) * deleteNumbers)
  deletesEnd = 0
  readonly #reader = new UpdateReader(new Uint8Array(0), 0)
  readonly #cursor = new NumberCursor()

  /**
   * Reads the update bytes[start, end) to its last byte. False: it has gaps, or a client twice, or is large; or it
   * cannot be read. What it says true to, `scanUpdate` takes.
   */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > updateBytesMax) return false
    return this.#readTyped(bytes, start, end) || this.#readAny(bytes, start, end)
  }

  /** Most updates of most logs: a few letters by one person, or deletions, or both. */
  #readTyped(bytes: Uint8Array, start: number, end: number): boolean {
    this.blocksEnd = 0
    this.deletesEnd = 0
    this.#cursor.bytes = bytes
    this.#cursor.pos = start + 1
    const clients = bytes[start]
    if (clients === 1) {
      if (!this.#readBlock()) return false
    } else if (clients !== 0) return false
    // Where it was read beyond its end, nothing leads back.
    return this.#readDeletes() && this.#cursor.pos === end
  }

  #readBlock(): boolean {
    const count = this.#cursor.number()
    const client = this.#cursor.number()
    const clock = this.#cursor.number()
    if (count < 1 || client < 0 || clock < 0) return false
    const start = this.#cursor.pos
    let next = clock
    for (let left = count; left > 0; left--) {
      const length = this.#readText(client, next)
      if (length === 0) return false
      next += length
    }
    this.#addBlock(client, clock, next, count)
    this.blocks[4] = start
    this.blocks[5] = this.#cursor.pos
    return true
  }

  #addBlock(client: number, clock: number, clockEnd: number, count: number): void {
    const { blocks, blocksEnd } = this
    blocks[blocksEnd] = client
    blocks[blocksEnd + 1] = clock
    blocks[blocksEnd + 2] = clockEnd
    blocks[blocksEnd + 3] = count
    this.blocksEnd = blocksEnd + blockNumbers
  }

  /** A struct with a short text of one byte a letter; answers its length, 0 if it is another one. */
  #readText(client: number, clock: number): number {
    const bytes = this.#cursor.bytes
    const info = bytes[this.#cursor.pos++] ?? 0
    if ((info & infoMask) !== structRef.string || info === structRef.string) return 0
    if ((info & 0x80) !== 0 && !this.#readId(client, clock)) return 0
    if ((info & 0x40) !== 0 && !this.#readId(client, clock)) return 0
    let pos = this.#cursor.pos
    const length = bytes[pos++] ?? 0
    if (length > 0x7f) return 0
    const end = pos + length
    for (; pos < end; pos++) if ((bytes[pos] ?? 0x80) > 0x7f) return 0
    this.#cursor.pos = end
    return length
  }

  /** Yjs overruns where a struct refers to itself, or to what follows. */
  #readId(ownClient: number, ownClock: number): boolean {
    const client = this.#cursor.number()
    const clock = this.#cursor.number()
    return client >= 0 && clock >= 0 && (client !== ownClient || clock < ownClock)
  }

  #readDeletes(): boolean {
    const clients = this.#cursor.number()
    if (clients !== 1) return clients === 0
    const client = this.#cursor.number()
    const ranges = this.#cursor.number()
    if (client < 0 || ranges * deleteNumbers > this.deletes.length) return false
    for (let left = ranges; left > 0; left--) {
      const clock = this.#cursor.number()
      const length = this.#cursor.number()
      if (clock < 0 || length < 1) return false
      this.#addDelete(client, clock, clock + length)
    }
    return true
  }

  #addDelete(client: number, clock: number, end: number): void {
    const { deletes, deletesEnd } = this
    deletes[deletesEnd] = client
    deletes[deletesEnd + 1] = clock
    deletes[deletesEnd + 2] = end
    this.deletesEnd = deletesEnd + deleteNumbers
  }

  /** What a scan takes, of few clients and without gaps. What cannot be read is told by who reads it again. */
  #readAny(bytes: Uint8Array, start: number, end: number): boolean {
    this.blocksEnd = 0
    this.deletesEnd = 0
    this.#reader.begin(bytes.subarray(start, end))
    try {
      return this.#readAnyBlocks(start) && this.#readAnyDeletes() && this.#reader.pos === end - start
    } catch {
      return false
    }
  }

  #readAnyBlocks(offset: number): boolean {
    const reader = this.#reader
    const clients = reader.readVarUint()
    if (clients > clientsMax) return false
    for (let i = 0; i < clients; i++) {
      const count = reader.readBlockHeader()
      const { client, nextClock, pos } = reader
      for (let before = 0; before < this.blocksEnd; before += blockNumbers) {
        if (this.blocks[before] === client) return false
      }
      for (let left = count; left > 0; left--) {
        reader.readStruct()
        if (reader.info === structRef.skip) return false
      }
      this.#addBlock(client, nextClock, reader.nextClock, count)
      this.blocks[this.blocksEnd - 2] = offset + pos
      this.blocks[this.blocksEnd - 1] = offset + reader.pos
    }
    return true
  }

  #readAnyDeletes(): boolean {
    const reader = this.#reader
    const clients = reader.readVarUint()
    if (clients > clientsMax) return false
    for (let i = 0; i < clients; i++) {
      const client = reader.readVarUint()
      for (let before = 0; before < this.deletesEnd; before += deleteNumbers) {
        if (this.deletes[before] === client) return false
      }
      for (let left = reader.readVarUint(); left > 0; left--) {
        const clock = reader.readDeleteRange()
        this.#addDelete(client, clock, clock + reader.length)
      }
    }
    return true
  }
}
