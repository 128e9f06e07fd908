/**
 * A growing buffer for the lib0 encoding: what the document layer writes itself. Ranges of bytes are copied natively;
 * it knows numbers, bytes and strings only.
 */
export class ByteWriter {
  #bytes: Uint8Array
  #pos = 0

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(Math.max(16, capacity))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#pos
  }

  writeByte(byte: number): void {
    if (this.#pos === this.#bytes.length) this.#reserve(1)
    this.#bytes[this.#pos++] = byte
  }

  writeVarUint(value: number): void {
    if (this.#pos + 8 > this.#bytes.length) this.#reserve(8)
    const bytes = this.#bytes
    let pos = this.#pos
    let rest = value
    while (rest > 0x7f) {
      bytes[pos++] = 0x80 | (rest % 0x80)
      rest = Math.floor(rest / 0x80)
    }
    bytes[pos++] = rest
    this.#pos = pos
  }

  /** Copies source[start, end). */
  writeRange(source: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (this.#pos + size > this.#bytes.length) this.#reserve(size)
    // A native copy costs more than a short loop.
    if (size <= 24) {
      for (let i = 0; i < size; i++) this.#bytes[this.#pos + i] = source[start + i] ?? 0
    } else {
      this.#bytes.set(source.subarray(start, end), this.#pos)
    }
    this.#pos += size
  }

  /** UTF-8 with its length in bytes (lib0 `writeVarString`). */
  writeString(text: string): void {
    if (this.#writeAscii(text)) return
    const bytes = Buffer.from(text)
    this.writeVarUint(bytes.length)
    this.writeRange(bytes, 0, bytes.length)
  }

  /** Most strings are short names: a Buffer takes longer to be made than one to be written. False: it is none. */
  #writeAscii(text: string): boolean {
    const { length } = text
    if (length > shortLengthMax) return false
    if (this.#pos + length + 1 > this.#bytes.length) this.#reserve(length + 1)
    const bytes = this.#bytes
    const start = this.#pos + 1
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[start + i] = code
    }
    bytes[this.#pos] = length
    this.#pos = start + length
    return true
  }

  /** What was written, as a view that this writer gives up: it must not be used again. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#pos)
  }

  /** A copy of what was written, without the spare capacity behind it. */
  toUint8Array(): Uint8Array {
    return this.#bytes.slice(0, this.#pos)
  }

  #reserve(size: number): void {
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#pos + size))
    grown.set(this.#bytes.subarray(0, this.#pos))
    this.#bytes = grown
  }
}

/** The length of such a name is one byte. */
const shortLengthMax = 64

/** How many bytes a varUint takes. */
export function varUintBytes(value: number): number {
  let size = 1
  let rest = value
  while (rest > 0x7f) {
    rest = Math.floor(rest / 0x80)
    size++
  }
  return size
}
