/**
 * One WebSocket: frames in, frames out, its end. It knows no document; what a frame means is its session's business.
 * Any error that a frame causes ends this connection with a typed close code and touches nobody else (I5, I7).
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { Budget, type Rates } from '../budget.ts'
import { type Frame, frameBytes } from '../dialect/frame.ts'
import { Fault, toFault } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Port } from '../room/member.ts'
import type { Cancel, Time } from '../time.ts'
import type { Guest, Turns } from './turns.ts'
import { WaitingFrames } from './waiting-frames.ts'

/** What a dialect makes of a connection. */
export type Session = {
  /** One binary message; the bytes are the session's only until it returns. May throw. */
  receive(message: Uint8Array): void
  /** The socket takes more after `feed` returned `full`. */
  drained(): void
  /** A message that changes nothing, sent when nothing else was for a while. */
  keepAlive(): Frame
  /** The connection is over or about to be. Called once. */
  closed(): void
}

/** What is this connection's own. */
export type ConnectionParts = {
  readonly socket: WebSocket
  /** The stream under the WebSocket: frames are written to it whole, so that one encoding serves all sockets. */
  readonly stream: Duplex
  readonly id: string
  /** Who is at the other end: of the socket, or of the proxies that are trusted to say so. */
  readonly address: string
}

/** What all connections of a server have in common. */
export type ConnectionHost = {
  readonly time: Time
  readonly limits: Limits
  readonly metrics: Metrics
  readonly log: Log
  /** What each of them may send. */
  readonly rates: Rates
  readonly turns: Turns
  /** Somebody at this address made no sense. Returns how long they wait for the answer. */
  readonly refused: (address: string) => number
  readonly onClosed: (connection: Connection) => void
}

export class Connection implements Port, Guest {
  readonly id: string
  readonly address: string
  readonly #host: ConnectionHost
  readonly #socket: WebSocket
  readonly #stream: Duplex
  #session: Session | null = null
  /** `gone`: its socket is closed, and what it sent before has yet to be handled. */
  #state: 'open' | 'gone' | 'closing' | 'closed' = 'open'
  #pauses = 0
  /** What came out of the WebSocket's buffer after its socket was paused; bounded by that buffer. */
  #waiting: WaitingFrames | null = null
  /** Made with the first message. */
  #budget: Budget | null = null
  #isInDebt = false
  /** Bytes of joins that were queued since the socket last drained: they do not count against the bound. */
  #fedBytes = 0
  #hasSent = false
  #hasHeard = true
  #silentMs = 0
  #unheardMs = 0
  /** Ends the bound on what is read before anybody was let in. */
  #unbound: (() => void) | null = null
  // Made when they are needed: most connections never are probed nor wait for anything.
  #probes: Set<(isAlive: boolean) => void> | null = null
  #timers: Set<Cancel> | null = null

  constructor({ id, address, socket, stream }: ConnectionParts, host: ConnectionHost) {
    this.id = id
    this.address = address
    this.#host = host
    this.#socket = socket
    this.#stream = stream
  }

  /** Begins to read. Frames that came in the same packet as the handshake are not lost. */
  start(session: Session): void {
    this.#session = session
    this.#socket.on('message', (data: Buffer, isBinary: boolean) => this.#messageArrived(data, isBinary))
    this.#socket.on('ping', data => this.#pingArrived(data))
    this.#socket.on('pong', () => this.#pongArrived())
    this.#socket.on('close', () => this.#socketClosed())
    this.#socket.on('error', error => this.#socketFailed(error))
    this.#stream.on('drain', () => this.#drained())
  }

  /** From now on another session takes what comes. The one before has been closed by whoever calls. */
  handOver(session: Session): void {
    if (this.#session !== null) this.#session = session
  }

  /** Until `admitted` is called, no more than about so many bytes are read: a stranger cannot fill the memory. */
  boundReading(bytesMax: number): void {
    let bytes = 0
    let isHeld = false
    const count = (chunk: Buffer) => {
      bytes += chunk.length
      if (isHeld || bytes <= bytesMax) return
      isHeld = true
      this.pause()
    }
    this.#stream.on('data', count)
    this.#unbound = () => {
      this.#stream.off('data', count)
      if (isHeld) this.resume()
    }
  }

  /** Somebody was let in. */
  admitted(): void {
    const unbound = this.#unbound
    this.#unbound = null
    unbound?.()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get queuedBytes(): number {
    return this.#stream.writableLength
  }

  send(frame: Frame): void {
    if (this.#state !== 'open') return
    if (this.queuedBytes - this.#fedBytes > this.#host.limits.outboxBytesMax) {
      this.end(new Fault('ERR_SLOW_CONSUMER', `${this.queuedBytes} bytes queued`))
    } else {
      this.#write(frame)
    }
  }

  feed(frame: Frame): 'flowing' | 'full' {
    if (this.#state !== 'open') return 'flowing'
    if (this.#write(frame)) return 'flowing'
    this.#fedBytes += frameBytes(frame)
    return 'full'
  }

  pause(): void {
    this.#pauses++
    if (this.#pauses === 1) this.#socket.pause()
  }

  resume(): void {
    this.#pauses--
    while (this.#pauses === 0) {
      if (this.#waiting?.isEmpty !== false) return this.#readOn()
      if (!this.#host.turns.mayHandle(this)) return this.#standInLine()
      this.#deliverNext()
    }
  }

  /** Its turn has come. */
  serve(): void {
    this.resume()
  }

  end(fault: Fault): void {
    // Nobody is there to be told, and nothing more of it is to be handled.
    if (this.#state === 'gone') return this.#close()
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#logEnd(fault)
    this.#leave()
    const delayMs = fault.code === 'ERR_BAD_MESSAGE' ? this.#host.refused(this.address) : 0
    if (delayMs === 0) return this.#sayWhy(fault)
    this.#socket.pause()
    this.#after(delayMs, () => this.#sayWhy(fault))
  }

  #sayWhy(fault: Fault): void {
    this.#socket.resume()
    this.#socket.close(fault.closeCode, reasonOf(fault))
    this.#after(this.#host.limits.closeTimeoutMs, () => this.#socket.terminate())
  }

  /** Ends it without a word. */
  terminate(): void {
    this.#socket.terminate()
  }

  probe(timeoutMs: number): Promise<boolean> {
    return new Promise(resolve => {
      if (this.#state !== 'open') return resolve(false)
      // Its pong would not be read.
      if (this.#pauses > 0) return resolve(true)
      const settle = (isAlive: boolean) => {
        if (this.#probes?.delete(settle) === true) resolve(isAlive)
      }
      this.#probes ??= new Set()
      this.#probes.add(settle)
      this.#after(timeoutMs, () => settle(false))
      this.#socket.ping()
    })
  }

  /** Called by the one heartbeat timer: keeps the client's watchdog quiet, and finds dead sockets. */
  beat(elapsedMs: number): void {
    if (this.#state !== 'open' || this.#session === null) return
    const { limits } = this.#host
    this.#silentMs = this.#hasSent ? 0 : this.#silentMs + elapsedMs
    this.#unheardMs = this.#hasHeard ? 0 : this.#unheardMs + elapsedMs
    this.#hasSent = false
    this.#hasHeard = false
    // Bytes still queued will reach the client as messages: no need to add to them.
    if (this.#silentMs >= limits.keepAliveMs && this.queuedBytes === 0) this.send(this.#session.keepAlive())
    if (this.#unheardMs >= 2 * limits.pingMs) this.#socket.terminate()
    else if (this.#unheardMs >= limits.pingMs) this.#socket.ping()
  }

  #messageArrived(data: Buffer, isBinary: boolean): void {
    this.#hasHeard = true
    this.#host.metrics.received(data.length)
    if (this.#state !== 'open') return
    if (!isBinary) this.end(new Fault('ERR_BAD_MESSAGE', 'a text message'))
    else if (this.#pauses > 0) this.#keep(data)
    else if (this.#host.turns.mayHandle(this)) this.#deliver(data)
    else {
      this.#keep(data)
      this.#standInLine()
    }
  }

  #standInLine(): void {
    this.pause()
    this.#host.turns.wait(this)
  }

  #readOn(): void {
    if (this.#state === 'gone') this.#close()
    else this.#socket.resume()
  }

  #deliverNext(): void {
    const message = this.#waiting?.shift()
    if (message !== undefined) this.#deliver(message)
  }

  #keep(message: Uint8Array): void {
    this.#waiting ??= new WaitingFrames()
    this.#waiting.push(message)
  }

  #deliver(message: Uint8Array): void {
    if (this.#state !== 'open' && this.#state !== 'gone') return
    try {
      this.#session?.receive(message)
    } catch (error) {
      if (this.#state === 'gone') this.#close()
      else this.end(toFault(error))
    }
    this.#charge(message.length)
  }

  /** Whoever sends more than it may is not read for a moment. What it has sent is not lost, nor out of order. */
  #charge(bytes: number): void {
    if (this.#state !== 'open') return
    const { time, rates } = this.#host
    const nowMs = time.nowMs()
    this.#budget ??= new Budget(rates, nowMs)
    const owedMs = this.#budget.take(bytes, nowMs)
    if (owedMs === 0 || this.#isInDebt) return
    this.#isInDebt = true
    this.pause()
    this.#after(owedMs, () => this.#settle())
  }

  #settle(): void {
    const owedMs = this.#budget?.owedMs(this.#host.time.nowMs()) ?? 0
    if (owedMs > 0) return this.#after(owedMs, () => this.#settle())
    this.#isInDebt = false
    this.resume()
  }

  /** Answered by ws, which bounds how many answers may wait. */
  #pingArrived(data: Buffer): void {
    this.#hasHeard = true
    this.#charge(data.length)
  }

  #pongArrived(): void {
    this.#hasHeard = true
    this.#charge(0)
    for (const settle of [...(this.#probes ?? [])]) settle(true)
  }

  #drained(): void {
    this.#fedBytes = 0
    this.#session?.drained()
  }

  #write(frame: Frame): boolean {
    this.#hasSent = true
    const first = frame[0]
    if (frame.length === 1 && first !== undefined) return this.#stream.write(first)
    this.#stream.cork()
    for (const chunk of frame) this.#stream.write(chunk)
    this.#stream.uncork()
    return !this.#stream.writableNeedDrain
  }

  #socketFailed(error: Error & { code?: string }): void {
    // ws has answered invalid frames with their close code (RFC 6455, 7.4.1) before it reports them here.
    this.#host.log.debug({ error, connection: this.id }, 'socket error')
    if (error.code?.startsWith('WS_ERR') === true) this.#host.metrics.refused('ERR_BAD_MESSAGE')
  }

  #socketClosed(): void {
    // Whoever sends and leaves is not to lose it because others came first, or because its room is not open yet.
    if (this.#pauses > 0 && this.#state === 'open') this.#state = 'gone'
    else this.#close()
  }

  #close(): void {
    this.#state = 'closed'
    this.#leave()
    for (const settle of [...(this.#probes ?? [])]) settle(false)
    for (const cancel of this.#timers ?? []) cancel()
    this.#timers = null
    this.#host.onClosed(this)
  }

  #leave(): void {
    const session = this.#session
    this.#session = null
    this.#waiting = null
    session?.closed()
  }

  #logEnd(fault: Fault): void {
    const { log, metrics } = this.#host
    metrics.refused(fault.code)
    const fields = { connection: this.id, code: fault.code, reason: fault.message }
    if (fault.code === 'ERR_INTERNAL')
      log.error({ ...fields, error: fault.cause }, 'connection ended by a bug')
    else log.debug(fields, 'connection ended')
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#host.time.after(delayMs, () => {
      this.#timers?.delete(cancel)
      run()
    })
    this.#timers ??= new Set()
    this.#timers.add(cancel)
  }
}

/** A close frame holds at most 123 bytes of reason (RFC 6455, 5.5). */
function reasonOf({ publicReason }: Fault): string {
  return Buffer.from(publicReason).subarray(0, 123).toString()
}

/** What one connection may send. */
export function connectionRates(limits: Limits): Rates {
  return {
    messagesPerSecond: limits.messagesPerSecondMax,
    messagesMax: limits.messagesBurstMax,
    bytesPerSecond: limits.receivedBytesPerSecondMax,
    bytesMax: limits.receivedBytesBurstMax
  }
}
