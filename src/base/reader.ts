/** Reads lib0's primitives from a received frame; whatever does not fit is ERR_BAD_MESSAGE. */
import { Fault } from './errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class Reader {
  readonly #bytes: Uint8Array
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get position(): number {
    return this.#position
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length
  }

  /** 7 bits a byte, least significant first, at most 2^53 − 1 (lib0 `readVarUint`). */
  varUint(): number {
    // Most numbers are small ones.
    const first = this.#bytes[this.#position]
    if (first !== undefined && first < 0x80) {
      this.#position++
      return first
    }
    let value = 0
    let factor = 1
    while (this.#position < this.#bytes.length) {
      const byte = this.#bytes[this.#position++] as number
      value += (byte & 0x7f) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw bad('an integer above 2^53 - 1', this.#position)
      if (byte < 0x80) return value
      factor *= 128
      if (factor > 2 ** 56) throw bad('an integer of too many bytes', this.#position)
    }
    throw bad('an integer cut short', this.#position)
  }

  /** A view, not a copy. */
  byteArray(): Uint8Array {
    return this.bytes(this.varUint())
  }

  /** So many, as a view. */
  bytes(length: number): Uint8Array {
    const start = this.#position
    if (length > this.#bytes.length - start) throw bad('a length beyond the end', start)
    this.#position = start + length
    return this.#bytes.subarray(start, this.#position)
  }

  /** UTF-8 with its length in bytes. */
  string(): string {
    const bytes = this.byteArray()
    const short = shortAscii(bytes)
    if (short !== null) return short
    try {
      return utf8.decode(bytes)
    } catch (cause) {
      throw new Fault('ERR_BAD_MESSAGE', `a string that is not UTF-8 at byte ${this.#position}`, { cause })
    }
  }

  /** The string that comes next if it matches; else null, and nothing is read. */
  stringIf(pattern: RegExp): string | null {
    const start = this.#position
    try {
      const text = this.string()
      if (pattern.test(text)) return text
    } catch {
      // What is there instead is read by whoever comes next.
    }
    this.#position = start
    return null
  }

  /** Throws when bytes are left over. */
  end(): void {
    if (!this.isAtEnd) throw bad('bytes left over', this.#position)
  }
}

/** Most strings are names, one in each frame: a TextDecoder takes longer to be called than to read one. */
const shortBytesMax = 64

function shortAscii(bytes: Uint8Array): string | null {
  if (bytes.length > shortBytesMax) return null
  let text = ''
  for (const byte of bytes) {
    if (byte > 0x7f) return null
    text += String.fromCharCode(byte)
  }
  return text
}

function bad(what: string, position: number): Fault {
  return new Fault('ERR_BAD_MESSAGE', `${what} at byte ${position}`)
}
