/**
 * Messages longer than the bus takes go in parts, and are put together where they are heard. The bus may lose, repeat and
 * reorder parts: a message of which one is missing is given up when newer ones need its place. Pure.
 */

/** `number`: of the message, at its sender. `bytes`: may belong to somebody else. */
export type MessagePart = {
  readonly number: number
  readonly index: number
  readonly count: number
  readonly bytes: Uint8Array
}

type Incomplete = { readonly parts: Map<number, Uint8Array>; readonly count: number; bytes: number }

/** Of messages that are not whole yet, from all senders. Above: the one that began first is given up. */
const bytesMax = 16 * 2 ** 20
const messagesMax = 256
const partsMax = 1_024

export function partsOf(number: number, bytes: Uint8Array, partBytesMax: number): MessagePart[] {
  const count = Math.ceil(bytes.length / partBytesMax)
  return Array.from({ length: count }, (_, index) => ({
    number,
    index,
    count,
    bytes: bytes.subarray(index * partBytesMax, (index + 1) * partBytesMax)
  }))
}

export class MessageParts {
  /** By sender and number, in the order in which they began. */
  readonly #messages = new Map<string, Incomplete>()
  #bytes = 0

  /** What is kept of messages that are not whole yet. */
  get bytes(): number {
    return this.#bytes
  }

  /** The message, when this is the last of its parts to come; else null. */
  take(from: string, { number, index, count, bytes }: MessagePart): Uint8Array | null {
    if (count > partsMax || index >= count) return null
    const key = `${number} ${from}`
    const message = this.#messages.get(key) ?? { parts: new Map<number, Uint8Array>(), count, bytes: 0 }
    if (message.count !== count || message.parts.has(index)) return null
    message.parts.set(index, bytes.slice())
    message.bytes += bytes.length
    this.#bytes += bytes.length
    this.#messages.set(key, message)
    if (message.parts.size === count) {
      this.#drop(key, message)
      return joined(message)
    }
    for (const [oldest, each] of this.#messages) {
      if (this.#bytes <= bytesMax && this.#messages.size <= messagesMax) break
      this.#drop(oldest, each)
    }
    return null
  }

  #drop(key: string, { bytes }: Incomplete): void {
    this.#messages.delete(key)
    this.#bytes -= bytes
  }
}

function joined({ parts, count, bytes }: Incomplete): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (let index = 0; index < count; index++) {
    const part = parts.get(index) ?? new Uint8Array(0)
    whole.set(part, at)
    at += part.length
  }
  return whole
}
