/** Numbers out of bytes that are no update: state vectors, runs of clocks. */
import { Fault } from '../base/errors.ts'

/** Reads varUints, and faults with the code for messages: these bytes are no update. */
export class NumberInput {
  readonly #bytes: Uint8Array
  #pos = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  next(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.#pos++]
      if (byte === undefined) throw new Fault('ERR_BAD_MESSAGE', 'the bytes end too early')
      value += (byte & 0x7f) * scale
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value
      scale *= 0x80
    }
    throw new Fault('ERR_BAD_MESSAGE', 'number beyond 2^53 - 1')
  }

  expectEnd(): void {
    if (this.#pos !== this.#bytes.length) throw new Fault('ERR_BAD_MESSAGE', 'bytes left over')
  }
}
