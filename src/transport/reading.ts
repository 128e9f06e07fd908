/**
 * What is read of a connection: how much of it is kept because it cannot be handled yet, how much before anybody was let in,
 * and how long a message may take to come. It counts what the stream brings; what the bytes say is ws's business.
 */
import type { Duplex } from 'node:stream'
import type { Limits } from '../base/limits.ts'
import { Assembly, wholeFramesIn } from './assembly.ts'
import { listenForBytes, type StreamReader } from './listening.ts'
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

type Parse = (this: Duplex, chunk: Buffer) => void

export class Reading implements Keeper, StreamReader {
  readonly #stream: Duplex
  readonly #reader: Reader
  readonly #shares: Shares
  readonly #parse: Parse
  /** Null between messages. */
  #assembly: Assembly | null = null
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
  constructor({ stream, reader, shares }: Parts) {
    this.#stream = stream
    this.#reader = reader
    this.#shares = shares
    this.#share = shares.admitted
    // Before ws, and in its place: what many sockets bring in one turn is not all taken apart in it.
    const parsers = stream.listeners('data') as Parse[]
    listenForBytes(stream, this)
    for (const parse of parsers) stream.off('data', parse)
    this.#parse = parsers.length === 1 && parsers[0] !== undefined ? parsers[0] : inOrder(parsers)
  }

  get address(): string {
    return this.#reader.address
  }

  get chunks(): number {
    return this.#chunks
  }

  /** Until `admitted` is called, no more than about so many bytes are read: a stranger cannot fill the memory. */
  bound(bytesMax: number): void {
    this.#stranger = { bytes: 0, isHeld: false, bytesMax }
    this.#share = this.#shares.strangers
  }

  /** Somebody was let in. */
  admitted(): void {
    const stranger = this.#stranger
    if (stranger === null) return
    this.#stranger = null
    this.#share.set(this, 0)
    this.#share = this.#shares.admitted
    this.#count()
    if (stranger.isHeld) this.#reader.resume()
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
    if (this.#assembly === null) return false
    const { begun, bytes } = this.#assembly
    if (begun !== this.#begunAtBeat) this.#slowMs = 0
    else this.#slowMs += elapsedMs
    this.#begunAtBeat = begun
    return this.#slowMs > messageStallMs + (bytes / messageBytesPerSecondMin) * 1000
  }

  /** Nothing of it is kept any more. */
  over(): void {
    this.#shares.turns.leave(this.#reader)
    this.#share.set(this, 0)
    this.#isOver = true
  }

  cutOff(): void {
    this.#isOver = true
    this.#reader.cutOff()
  }

  chunkArrived(chunk: Buffer): void {
    if (!this.#isChunkHeld && !this.#mayRead(chunk)) {
      this.#isChunkHeld = true
      // The stream is paused, so it stays there; the end of the stream, or its close, comes after it.
      this.#stream.unshift(chunk)
      return
    }
    this.#isChunkHeld = false
    this.#parse.call(this.#stream, chunk)
    // Whatever is whole has been handled.
    if (this.#stranger !== null) this.#readOf(this.#stranger, chunk)
  }

  #mayRead(chunk: Buffer): boolean {
    this.#chunks++
    const frames = this.#framesOf(chunk)
    if (this.#isOver) return true
    return this.#shares.turns.mayRead(this.#reader, { bytes: chunk.length, frames })
  }

  /** How many frames end in the chunk; what is not whole then is counted. */
  #framesOf(chunk: Buffer): number {
    const whole = this.#assembly === null ? wholeFramesIn(chunk) : null
    if (whole !== null) return whole
    this.#assembly ??= new Assembly()
    const before = this.#assembly.frames
    this.#assembly.read(chunk)
    const frames = this.#assembly.frames - before
    if (!this.#assembly.isUnderWay) {
      this.#assembly = null
      this.#begunAtBeat = -1
    }
    this.#count()
    return frames
  }

  #readOf(stranger: Stranger, chunk: Buffer): void {
    stranger.bytes += chunk.length
    if (stranger.isHeld || stranger.bytes <= stranger.bytesMax) return
    stranger.isHeld = true
    this.#reader.pause()
    this.#reader.full()
  }

  #count(): void {
    if (this.#isOver) return
    const assembled = this.#assembly?.bytes ?? 0
    this.#share.set(this, assembled + this.#waitingBytes + this.#sessionBytes)
  }
}

function inOrder(parsers: readonly Parse[]): Parse {
  return function (chunk) {
    for (const parse of parsers) parse.call(this, chunk)
  }
}
