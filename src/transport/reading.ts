/**
 * What is read of a connection: how much of it is kept because it cannot be handled yet, how much before anybody was let in,
 * and how long a message may take to come. It counts what the stream brings; what the bytes say is ws's business.
 */
import type { Duplex } from 'node:stream'
import type { Limits } from '../base/limits.ts'
import { Assembly } from './assembly.ts'
import type { Keeper, Shares, Unfinished } from './unfinished.ts'

/** The connection, as seen by what reads it. */
export type Reader = {
  readonly address: string
  pause(): void
  resume(): void
  /** As much was read as may be before somebody was let in. */
  full(): void
  /** It keeps too much. */
  cutOff(): void
}

type Stranger = { bytes: number; isHeld: boolean; readonly bytesMax: number }

type Parts = { readonly stream: Duplex; readonly reader: Reader; readonly shares: Shares }

export class Reading implements Keeper {
  readonly #parts: Parts
  readonly #assembly = new Assembly()
  #share: Unfinished
  /** Of whole messages that wait, in the connection and in its session. */
  #waitingBytes = 0
  #sessionBytes = 0
  /** Before somebody is let in; null from then on. */
  #stranger: Stranger | null = null
  #isOver = false
  /** A chunk was put back into the stream, until there is time for it; the stream brings it again. */
  #isChunkHeld = false
  /** Grows with whatever is read. */
  #chunks = 0
  #begunAtBeat = -1
  #slowMs = 0

  /** Begins to count. What ws has read of the stream before is not counted: there must be nothing. */
  constructor(parts: Parts) {
    this.#parts = parts
    this.#share = parts.shares.admitted
    // Before ws, and in its place: what many sockets bring in one turn is not all taken apart in it.
    const { stream } = parts
    const parsers = stream.listeners('data')
    stream.on('data', (chunk: Buffer) => this.#arrived(chunk, parsers))
    for (const parser of parsers) stream.off('data', parser as (chunk: Buffer) => void)
  }

  get address(): string {
    return this.#parts.reader.address
  }

  get chunks(): number {
    return this.#chunks
  }

  /** Until `admitted` is called, no more than about so many bytes are read: a stranger cannot fill the memory. */
  bound(bytesMax: number): void {
    this.#stranger = { bytes: 0, isHeld: false, bytesMax }
    this.#share = this.#parts.shares.strangers
  }

  /** Somebody was let in. */
  admitted(): void {
    const stranger = this.#stranger
    if (stranger === null) return
    this.#stranger = null
    this.#share.set(this, 0)
    this.#share = this.#parts.shares.admitted
    this.#count()
    if (stranger.isHeld) this.#parts.reader.resume()
  }

  /** So much waits in the connection that is whole. */
  waits(bytes: number): void {
    if (bytes === this.#waitingBytes) return
    this.#waitingBytes = bytes
    this.#count()
  }

  /** So much more waits in its session, or less. */
  waitsInSession(bytes: number): void {
    this.#sessionBytes += bytes
    this.#count()
  }

  /** Whether the message that is coming has taken longer than it may. `elapsedMs` were since the last call, for reading. */
  isLate(elapsedMs: number, { messageStallMs, messageBytesPerSecondMin }: Limits): boolean {
    const { isUnderWay, begun, bytes } = this.#assembly
    if (!isUnderWay || begun !== this.#begunAtBeat) this.#slowMs = 0
    else this.#slowMs += elapsedMs
    this.#begunAtBeat = begun
    return this.#slowMs > messageStallMs + (bytes / messageBytesPerSecondMin) * 1000
  }

  /** Nothing of it is kept any more. */
  over(): void {
    this.#parts.shares.turns.leave(this.#parts.reader)
    this.#share.set(this, 0)
    this.#isOver = true
  }

  cutOff(): void {
    this.#isOver = true
    this.#parts.reader.cutOff()
  }

  #arrived(chunk: Buffer, parsers: readonly unknown[]): void {
    const { stream } = this.#parts
    if (!this.#isChunkHeld && !this.#mayRead(chunk)) {
      this.#isChunkHeld = true
      // The stream is paused, so it stays there; the end of the stream, or its close, comes after it.
      stream.unshift(chunk)
      return
    }
    this.#isChunkHeld = false
    for (const parse of parsers) (parse as (this: Duplex, chunk: Buffer) => void).call(stream, chunk)
    // Whatever is whole has been handled.
    if (this.#stranger !== null) this.#readOf(this.#stranger, chunk)
  }

  #mayRead(chunk: Buffer): boolean {
    this.#chunks++
    const before = this.#assembly.frames
    this.#assembly.read(chunk)
    this.#count()
    if (this.#isOver) return true
    const { reader, shares } = this.#parts
    return shares.turns.mayRead(reader, { bytes: chunk.length, frames: this.#assembly.frames - before })
  }

  #readOf(stranger: Stranger, chunk: Buffer): void {
    stranger.bytes += chunk.length
    if (stranger.isHeld || stranger.bytes <= stranger.bytesMax) return
    stranger.isHeld = true
    this.#parts.reader.pause()
    this.#parts.reader.full()
  }

  #count(): void {
    if (!this.#isOver) this.#share.set(this, this.#assembly.bytes + this.#waitingBytes + this.#sessionBytes)
  }
}
