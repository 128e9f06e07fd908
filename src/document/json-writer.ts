/**
 * Writes JSON as UTF-8, part by part: a long answer is never a text of its own, nor looked at value by value, and one that is
 * too large ends where it becomes so. Runs in a worker.
 */
import { Fault } from '../base/errors.ts'
import { jsonText } from './contents.ts'

const [quote, backslash, firstShown, lastShown] = [0x22, 0x5c, 0x20, 0x7e]
const [comma, zero, openBrace, openBracket] = [0x2c, 0x30, 0x7b, 0x5b]
/** Node's own way to write costs more than a loop over so many. */
const shortLengthMax = 256
const bytesAtFirst = 64 * 1024

export class JsonWriter {
  readonly #bytesMax: number
  #bytes: Buffer
  #length = 0

  /** More than `bytesMax`: ERR_ANSWER_TOO_LARGE, by every call. `expected`: about so many; what is not used costs nothing. */
  constructor(bytesMax: number, expected = 0) {
    this.#bytesMax = bytesMax
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(bytesAtFirst, Math.min(bytesMax, expected)))
  }

  /** What JSON has already, in ASCII: its marks and names. */
  mark(ascii: string): void {
    const { length } = ascii
    this.#reserve(length)
    const bytes = this.#bytes
    const start = this.#length
    for (let at = 0; at < length; at++) bytes[start + at] = ascii.charCodeAt(at)
    this.#length = start + length
  }

  /** A comma, unless this is the first of a list or an object. */
  next(): void {
    const last = this.#bytes[this.#length - 1]
    if (last === openBrace || last === openBracket) return
    this.#reserve(1)
    this.#bytes[this.#length++] = comma
  }

  /** A string. */
  text(text: string): void {
    this.#reserve(text.length + 2)
    const bytes = this.#bytes
    let end = this.#length
    bytes[end++] = quote
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code < firstShown || code > lastShown || code === quote || code === backslash) {
        return this.raw(JSON.stringify(text))
      }
      bytes[end++] = code
    }
    bytes[end++] = quote
    this.#length = end
  }

  /** A whole number that is not negative. */
  count(value: number): void {
    if (value > 0x7fff_ffff) return this.mark(String(value))
    this.#reserve(10)
    let size = 1
    for (let most = 10; most <= value; most *= 10) size++
    let rest = value
    for (let at = this.#length + size - 1; at >= this.#length; at--) {
      const shorter = (rest / 10) | 0
      this.#bytes[at] = zero + rest - shorter * 10
      rest = shorter
    }
    this.#length += size
  }

  /** Behind others: the name and the value, or nothing where the value has no JSON, as `undefined`. */
  member(name: string, value: unknown): void {
    const json: string | undefined = jsonText(value)
    if (json === undefined) return
    this.mark(`,"${name}":`)
    this.raw(json)
  }

  /** JSON that is there already. */
  raw(json: string): void {
    if (this.#isAscii(json)) return this.mark(json)
    const size = Buffer.byteLength(json)
    this.#reserve(size)
    this.#bytes.write(json, this.#length)
    this.#length += size
  }

  /** Of a long text it is not worth the look. */
  #isAscii(text: string): boolean {
    if (text.length > shortLengthMax) return false
    for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > lastShown) return false
    return true
  }

  /** What was written, in memory that nobody else has; the writer must not be used again. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#length)
  }

  #reserve(size: number): void {
    const needed = this.#length + size
    if (needed > this.#bytesMax) {
      throw new Fault('ERR_ANSWER_TOO_LARGE', `an answer of more than ${this.#bytesMax} bytes`)
    }
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
