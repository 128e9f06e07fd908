/**
 * Messages that came out of a WebSocket's buffer after its socket was paused, in order. They are packed: a packet can
 * hold ten thousand messages of a byte, and an object for each would cost a hundred times the packet.
 */

const headerBytes = 4
const blockBytes = 4096

type Block = { readonly bytes: Buffer; start: number; end: number }

export class WaitingFrames {
  #blocks: Block[] = []
  #bytes = 0
  /** What is left of the oldest, of which some was taken. */
  #rest: Uint8Array | null = null

  /** What is kept, room for more included. */
  get bytes(): number {
    return this.#bytes + (this.#rest?.length ?? 0)
  }

  get isEmpty(): boolean {
    return this.#rest === null && this.#blocks.length === 0
  }

  /** Keeps a copy. */
  push(frame: Uint8Array): void {
    const needed = headerBytes + frame.length
    let block = this.#blocks.at(-1)
    if (block === undefined || block.bytes.length - block.end < needed) {
      block = { bytes: Buffer.allocUnsafe(Math.max(blockBytes, needed)), start: 0, end: 0 }
      this.#blocks.push(block)
      this.#bytes += block.bytes.length
    }
    block.bytes.writeUInt32LE(frame.length, block.end)
    block.bytes.set(frame, block.end + headerBytes)
    block.end += needed
  }

  /** The end of what `shift` gave, or of a frame that was never here, before all others. Not copied before `own`. */
  putBack(rest: Uint8Array): void {
    this.#rest = rest
  }

  /** I9: a frame is a view into what the socket read, and what waits of it outlives that. */
  own(): void {
    if (this.#rest !== null) this.#rest = Uint8Array.from(this.#rest)
  }

  /** The oldest; its bytes are nobody else's. Undefined when there is none. */
  shift(): Uint8Array | undefined {
    const rest = this.#rest
    this.#rest = null
    if (rest !== null) return rest
    const block = this.#blocks[0]
    if (block === undefined) return undefined
    const start = block.start + headerBytes
    const end = start + block.bytes.readUInt32LE(block.start)
    block.start = end
    if (end === block.end) {
      this.#blocks.shift()
      this.#bytes -= block.bytes.length
    }
    return block.bytes.subarray(start, end)
  }

  clear(): void {
    this.#blocks = []
    this.#bytes = 0
    this.#rest = null
  }
}
