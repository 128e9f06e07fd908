/**
 * JSON in steps: what would hold the event loop as a whole is parsed some kilobytes at a time. Lists and objects that are
 * longer are taken apart, down to parts that are not.
 */
import type { Work } from './slices.ts'

/** So many bytes are parsed in one step. A text that is longer is parsed at once. */
const bytesPerStep = 16 * 1024

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openList = 0x5b
const closeList = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/** The value of JSON in UTF-8 without white space, as `JSON.stringify` writes it. Throws a SyntaxError for what is none. */
export function* parseInSteps(bytes: Uint8Array): Work<unknown> {
  const parser = new Parser(bytes)
  const value = yield* parser.value()
  parser.end()
  return value
}

class Parser {
  readonly #bytes: Buffer
  #pos = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  end(): void {
    if (this.#pos !== this.#bytes.length) throw new SyntaxError('JSON has something behind it')
  }

  *value(): Work<unknown> {
    const first = this.#bytes[this.#pos]
    if (first === openList) return yield* this.#list()
    if (first === openObject) return yield* this.#object()
    const start = this.#pos
    this.#pos = first === quote ? this.#endOfText(start) : this.#endOfWord(start)
    return this.#parse(start, this.#pos)
  }

  *#list(): Work<unknown[]> {
    const list: unknown[] = []
    this.#pos++
    for (;;) {
      const end = this.#someUntil(closeList)
      if (end === null) list.push(yield* this.value())
      else for (const value of this.#parsed('[', end, ']') as unknown[]) list.push(value)
      yield
      if (this.#isOver(closeList)) return list
    }
  }

  *#object(): Work<object> {
    const object = {}
    this.#pos++
    for (;;) {
      const end = this.#someUntil(closeObject)
      if (end === null) {
        const start = this.#pos
        const endOfName = this.#endOfText(start)
        if (this.#bytes[endOfName] !== colon) throw new SyntaxError('JSON has a name without a value')
        this.#pos = endOfName + 1
        define(object, String(this.#parse(start, endOfName)), yield* this.value())
      } else {
        const some = this.#parsed('{', end, '}') as Record<string, unknown>
        for (const key of Object.keys(some)) define(object, key, some[key])
      }
      yield
      if (this.#isOver(closeObject)) return object
    }
  }

  /** The end of as many whole members as a step takes; null: the next one alone is longer. */
  #someUntil(close: number): number | null {
    const bytes = this.#bytes
    const most = Math.min(bytes.length, this.#pos + bytesPerStep)
    let [depth, whole] = [0, -1]
    for (let at = this.#pos; at < most; at++) {
      const byte = bytes[at]
      if (byte === quote) at = this.#endOfText(at) - 1
      else if (byte === comma && depth === 0) whole = at
      else if (byte === openList || byte === openObject) depth++
      else if (byte === closeList || byte === closeObject) {
        if (depth === 0 && byte === close) return at
        depth--
      }
    }
    return whole < 0 ? null : whole
  }

  /** Passes what stands behind a part or a value: a comma, or the end. */
  #isOver(close: number): boolean {
    const byte = this.#bytes[this.#pos++]
    if (byte !== close && byte !== comma) throw new SyntaxError(`JSON is broken at byte ${this.#pos}`)
    return byte === close
  }

  /** Behind the text that begins here. */
  #endOfText(start: number): number {
    const bytes = this.#bytes
    for (let at = start + 1; at < bytes.length; at++) {
      if (bytes[at] === quote) return at + 1
      if (bytes[at] === backslash) at++
    }
    throw new SyntaxError('JSON is cut short')
  }

  /** Behind a number, `true`, `false` or `null`. */
  #endOfWord(start: number): number {
    let at = start
    while (at < this.#bytes.length && !isEnd(this.#bytes[at])) at++
    return at
  }

  #parse(start: number, end: number): unknown {
    return JSON.parse(this.#bytes.toString('utf8', start, end))
  }

  #parsed(open: string, end: number, close: string): unknown {
    const start = this.#pos
    this.#pos = end
    return JSON.parse(open + this.#bytes.toString('utf8', start, end) + close)
  }
}

function isEnd(byte: number | undefined): boolean {
  return byte === comma || byte === closeList || byte === closeObject
}

/** Also a member of the name `__proto__`, as `JSON.parse` has it. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
}
