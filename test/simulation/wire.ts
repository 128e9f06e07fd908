/**
 * One TCP connection with a WebSocket on it, without either: bytes take time and come in pieces, a side that does not
 * read fills the other's socket, and either side may learn late or never that the other is gone. The server's end has
 * the members of `ws` and of its stream that Connection uses; the client's end is a browser's WebSocket.
 */
import { EventEmitter } from 'node:events'
import type { Chance } from './chance.ts'
import { frameReader } from './frames.ts'
import type { NetworkPlan } from './plan.ts'
import type { Scope } from './virtual-time.ts'

type Upward =
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  | { readonly type: 'pong' }
  | { readonly type: 'close' }

export type ClientEvents = {
  onopen: () => void
  onmessage: (bytes: Uint8Array) => void
  onclose: (code: number) => void
}

/** What is on its way in one direction, in order, and when the last of it arrives. */
type Way = { dueMs: number; readonly items: (() => void)[] }

/** Who learns that the connection is gone. */
export type CutNews = 'both' | 'client' | 'server' | 'nobody'

const abnormal = 1006
/** A browser gives a handshake up that is not answered. */
const connectMsMax = 20_000

export class Wire {
  readonly server: ServerSocket
  readonly stream: ServerStream
  client: ClientEvents = { onopen: ignore, onmessage: ignore, onclose: ignore }
  /** Set by whoever keeps the list of wires. */
  onGone: () => void = ignore
  /** How what comes reaches the server's process, which may stand still. */
  enterServer: (run: () => void) => void = run => run()
  readonly #time: Scope
  readonly #chance: Chance
  readonly #plan: NetworkPlan
  readonly #parse = frameReader()
  #isUpDead = false
  #isDownDead = false
  readonly #upward: Way = { dueMs: 0, items: [] }
  readonly #downward: Way = { dueMs: 0, items: [] }
  #clientState: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting'
  #isClientReading = true
  #isPumping = false

  constructor(time: Scope, chance: Chance, plan: NetworkPlan) {
    this.#time = time
    this.#chance = chance
    this.#plan = plan
    this.server = new ServerSocket(this)
    this.stream = new ServerStream(this, plan.highWaterMark)
    time.after(connectMsMax, () => {
      if (this.#clientState === 'connecting') this.#clientClosed(abnormal)
    })
  }

  get isOpen(): boolean {
    return this.#clientState === 'open'
  }

  get isOver(): boolean {
    return this.#clientState === 'closed' && this.server.isClosed
  }

  /** The handshake is done. */
  open(): void {
    this.#later('down', () => {
      if (this.#clientState !== 'connecting') return
      this.#clientState = 'open'
      this.client.onopen()
    })
  }

  /** Nobody listens there. */
  refuse(): void {
    this.#later('down', () => this.#clientClosed(abnormal))
  }

  clientSend(bytes: Uint8Array): void {
    if (this.#clientState === 'open') this.#up({ type: 'message', bytes })
  }

  /** The page closes its WebSocket; it hears no more. */
  clientClose(): void {
    if (this.#clientState === 'closed') return
    this.#clientState = 'closed'
    this.#up({ type: 'close' })
    this.onGone()
  }

  /** Whether the client takes what arrives. */
  setReading(isReading: boolean): void {
    this.#isClientReading = isReading
    this.pump()
  }

  /** What is on its way is lost, and some of those concerned are told. */
  cut(news: CutNews): void {
    this.#isUpDead = true
    this.#isDownDead = true
    const toClient = () => this.#clientClosed(abnormal)
    if (news === 'both' || news === 'client') this.#time.after(this.#latency(), toClient)
    if (news === 'both' || news === 'server')
      this.#time.after(this.#latency(), () => this.enterServer(() => this.server.closed()))
  }

  /** The server's process has ended. Its own side hears nothing; the other may. */
  serverDied(news: 'told' | 'silent'): void {
    this.server.mute()
    this.#isUpDead = true
    this.#isDownDead = true
    if (news === 'told') this.#time.after(this.#latency(), () => this.#clientClosed(abnormal))
  }

  /** The server has destroyed its socket: what was not sent is lost, and the client finds out. */
  serverGone(): void {
    const wasDead = this.#isDownDead
    this.#isUpDead = true
    this.#isDownDead = true
    if (!wasDead) this.#time.after(this.#latency(), () => this.#clientClosed(abnormal))
    this.onGone()
  }

  /** Moves bytes out of the server's socket, a piece at a time. */
  pump(): void {
    if (this.#isPumping || this.#isDownDead || !this.#isClientReading || this.stream.writableLength === 0)
      return
    this.#isPumping = true
    this.#time.after(this.#chance.hits(0.7) ? 0 : this.#chance.gapMs(1), () => {
      this.#isPumping = false
      if (this.#isDownDead || !this.#isClientReading) return
      const burst = this.#plan.burstBytes
      const piece = this.stream.take(this.#chance.hits(0.2) ? 1 + this.#chance.below(burst) : burst)
      this.#later('down', () => this.#arrived(piece))
      this.pump()
    })
  }

  #arrived(bytes: Uint8Array): void {
    if (this.#isDownDead) return
    for (const frame of this.#parse(bytes)) {
      if (this.#clientState === 'closed') return
      switch (frame.type) {
        case 'message':
          this.client.onmessage(frame.bytes)
          break
        case 'ping':
          this.#up({ type: 'pong' })
          break
        case 'close':
          this.#up({ type: 'close' })
          this.#clientClosed(frame.code)
          break
        default:
          frame satisfies never
      }
    }
  }

  #clientClosed(code: number): void {
    if (this.#clientState === 'closed') return
    this.#clientState = 'closed'
    this.client.onclose(code)
    this.onGone()
  }

  #up(item: Upward): void {
    if (!this.#isUpDead) this.#later('up', () => this.enterServer(() => this.server.arrived(item)))
  }

  /** After the latency, in order, unless the connection is cut before. */
  #later(direction: 'up' | 'down', run: () => void): void {
    const way = direction === 'up' ? this.#upward : this.#downward
    const nowMs = this.#time.nowMs()
    way.dueMs = Math.max(nowMs + this.#latency(), way.dueMs)
    way.items.push(run)
    // Whichever of two timers of one moment runs first (a sum of delays is not exact): the oldest is what has arrived.
    this.#time.after(way.dueMs - nowMs, () => {
      const item = way.items.shift()
      if (direction === 'up' ? !this.#isUpDead : !this.#isDownDead) item?.()
    })
  }

  #latency(): number {
    return this.#plan.latencyMs * this.#chance.between(0.5, 1.5)
  }

  /** Runs in the next turn. */
  soon(run: () => void): void {
    this.#time.soon(() => this.enterServer(run))
  }
}

/** What Connection uses of a WebSocket of `ws`. */
export class ServerSocket extends EventEmitter {
  readonly #wire: Wire
  #inbox: Upward[] = []
  #isPaused = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #isMuted = false

  constructor(wire: Wire) {
    super()
    this.#wire = wire
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#wire.soon(() => this.#read())
  }

  ping(): void {
    if (this.#state === 'open') this.#wire.stream.write(Uint8Array.of(0x89, 0))
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#wire.stream.write(closeFrame(code, reason))
  }

  terminate(): void {
    if (this.#state === 'closed' || this.#isMuted) return
    this.#wire.serverGone()
    this.#wire.soon(() => this.closed())
  }

  arrived(item: Upward): void {
    if (this.#state === 'closed' || this.#isMuted) return
    this.#inbox.push(item)
    this.#read()
  }

  closed(): void {
    if (this.#state === 'closed' || this.#isMuted) return
    this.#state = 'closed'
    this.#inbox = []
    this.emit('close')
    this.#wire.onGone()
  }

  /** The process that holds it has ended. */
  mute(): void {
    this.#isMuted = true
    this.#state = 'closed'
    this.removeAllListeners()
    this.#wire.onGone()
  }

  #read(): void {
    while (!this.#isPaused && !this.isClosed) {
      const item = this.#inbox.shift()
      if (item === undefined) return
      switch (item.type) {
        case 'message':
          this.emit('message', Buffer.from(item.bytes), true)
          break
        case 'pong':
          this.emit('pong')
          break
        case 'close':
          if (this.#state === 'open') this.#wire.stream.write(closeFrame(1000, ''))
          this.#state = 'closing'
          this.#wire.soon(() => this.closed())
          break
        default:
          item satisfies never
      }
    }
  }
}

/** What Connection uses of the stream below. */
export class ServerStream extends EventEmitter {
  readonly #wire: Wire
  readonly #highWaterMark: number
  #chunks: Uint8Array[] = []
  writableLength = 0
  writableNeedDrain = false

  constructor(wire: Wire, highWaterMark: number) {
    super()
    this.#wire = wire
    this.#highWaterMark = highWaterMark
  }

  write(chunk: Uint8Array): boolean {
    if (this.#wire.server.isClosed) return true
    this.#chunks.push(chunk)
    this.writableLength += chunk.length
    if (this.writableLength >= this.#highWaterMark) this.writableNeedDrain = true
    this.#wire.pump()
    return this.writableLength < this.#highWaterMark
  }

  cork(): void {}
  uncork(): void {}

  /** The next bytes, copied: what was given to `write` may be shared by many sockets. */
  take(bytesMax: number): Uint8Array {
    const all = Buffer.concat(this.#chunks)
    const piece = all.subarray(0, bytesMax)
    const rest = all.subarray(bytesMax)
    this.#chunks = rest.length > 0 ? [rest] : []
    this.writableLength = rest.length
    if (rest.length === 0 && this.writableNeedDrain) {
      this.writableNeedDrain = false
      this.#wire.soon(() => this.emit('drain'))
    }
    return piece
  }
}

function closeFrame(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason)
  const bytes = Buffer.alloc(4 + text.length)
  bytes.writeUInt16BE(0x8800 + 2 + text.length, 0)
  bytes.writeUInt16BE(code, 2)
  text.copy(bytes, 4)
  return bytes
}

function ignore(): void {}
