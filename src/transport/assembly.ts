/**
 * How much of a WebSocket message has come that is not whole yet, told from the bytes of the stream (RFC 6455, 5.2). It
 * walks over frames beside ws, which keeps to itself what it holds. Whether they are valid is for ws to say.
 */

/** What a fragment costs in memory beside the bytes it lies in. */
const fragmentBytes = 128

/** Opcode, length and mask of a frame whose length is one byte. */
const headerBytes = 6
const shortMax = 125

const isFinal = 0x80
const isControl = 0x08

/**
 * How many frames the bytes are, if they are whole messages from the first to the last; else null. Most of what is read is:
 * so nothing has to be kept of connections between their messages.
 */
export function wholeFramesIn(chunk: Uint8Array): number | null {
  let frames = 0
  for (let at = 0; at < chunk.length; frames++) {
    const opcode = chunk[at] ?? 0
    const length = (chunk[at + 1] ?? 0) & 0x7f
    const isWhole = (opcode & isFinal) !== 0 && length <= shortMax
    if (!isWhole || at + headerBytes + length > chunk.length) return null
    at += headerBytes + length
  }
  return frames
}

export class Assembly {
  /** Which part of a frame comes next, of how many bytes. */
  #part: 'opcode' | 'length' | 'long-length' | 'mask' | 'payload' = 'opcode'
  #left = 1
  #opcode = 0
  #length = 0
  /** A fragment was the last of the message's so far. */
  #isFragmented = false
  #bytes = 0
  #begun = 0
  #frames = 0

  /** A message has begun, or the header of one. */
  get isUnderWay(): boolean {
    return this.#isFragmented || this.#part !== 'opcode'
  }

  /** Bytes that are kept of it: all chunks in which some of it lies, as a view keeps the whole of its chunk. */
  get bytes(): number {
    return this.#bytes
  }

  /** How many messages have begun: tells one from the next. */
  get begun(): number {
    return this.#begun
  }

  /** How many frames have come. */
  get frames(): number {
    return this.#frames
  }

  /** What was read next. Takes a step for each frame, and for each byte of a header. */
  read(chunk: Uint8Array): void {
    let isKept = false
    for (let at = 0; at < chunk.length; ) {
      const isPayload = this.#part === 'payload'
      const taken = isPayload ? Math.min(this.#left, chunk.length - at) : 1
      this.#left -= taken
      if (!isPayload) this.#header(chunk[at] ?? 0)
      at += taken
      // An interleaved ping is handled at once, and keeps nothing.
      if (!this.#isControl) isKept = true
      if (this.#part === 'payload' && this.#left === 0) this.#frameEnded()
      if (!this.isUnderWay) isKept = false
    }
    if (!this.isUnderWay) this.#bytes = 0
    else if (isKept || !this.#isFragmented) this.#bytes += chunk.length
  }

  get #isControl(): boolean {
    return this.#part !== 'opcode' && (this.#opcode & isControl) !== 0
  }

  #header(byte: number): void {
    switch (this.#part) {
      case 'opcode':
        this.#opcode = byte
        return this.#expect('length', 1)
      case 'length':
        this.#length = byte & 0x7f
        if (this.#length < 126) return this.#expect('mask', 4)
        this.#expect('long-length', this.#length === 126 ? 2 : 8)
        this.#length = 0
        return
      case 'long-length':
        this.#length = this.#length * 256 + byte
        if (this.#left === 0) this.#expect('mask', 4)
        return
      case 'mask':
        if (this.#left === 0) this.#expect('payload', this.#length)
        return
      case 'payload':
        return
      default:
        this.#part satisfies never
    }
  }

  #expect(part: 'opcode' | 'length' | 'long-length' | 'mask' | 'payload', bytes: number): void {
    if (part === 'length' && !this.#isFragmented) this.#begun++
    this.#part = part
    this.#left = bytes
  }

  #frameEnded(): void {
    const isControlFrame = this.#isControl
    this.#expect('opcode', 1)
    this.#frames++
    if (isControlFrame) return
    this.#isFragmented = (this.#opcode & isFinal) === 0
    this.#bytes = this.#isFragmented ? this.#bytes + fragmentBytes : 0
  }
}
