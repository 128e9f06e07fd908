/**
 * One WebSocket: frames in, frames out, its end. It knows no document; what a frame means is its session's business.
 * Any error that a frame causes ends this connection with a typed close code and touches nobody else (I5, I7).
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { freeMs } from '../base/budget.ts'
import { Fault, toFault } from '../base/errors.ts'
import { Timers } from '../base/timers.ts'
import { type Frame, frameBytes } from '../dialect/frame.ts'
import type { Port } from '../room/member.ts'
import type { ConnectionHost, ConnectionParts } from './connection-parts.ts'
import { Debt } from './debt.ts'
import { Inbox, type InboxOwner } from './inbox.ts'
import { listen, type SocketOwner } from './listening.ts'
import { Liveness } from './liveness.ts'
import { type Reader, Reading } from './reading.ts'
import type { Session } from './session.ts'
import { writeFrame } from './write-frame.ts'

export class Connection implements Port, Reader, InboxOwner, SocketOwner {
  readonly id: string
  readonly address: string
  readonly #host: ConnectionHost<Connection>
  readonly #socket: WebSocket
  readonly #stream: Duplex
  #session: Session | null = null
  /**
   * `gone`: its socket is closed, and what it sent before has yet to be handled. `leaving`: it was told that the server
   * stops, and what it sent before it read that is still taken. `left`: both.
   */
  #state: 'open' | 'gone' | 'leaving' | 'left' | 'closing' | 'closed' = 'open'
  readonly #inbox: Inbox
  readonly #debt: Debt
  /** Bytes of joins that were queued since the socket last drained: they do not count against the bound. */
  #fedBytes = 0
  readonly #reading: Reading
  readonly #liveness: Liveness
  /** Made when it is needed: most connections never wait for anything. */
  #timers: Timers | null = null

  constructor({ id, address, socket, stream }: ConnectionParts, host: ConnectionHost<Connection>) {
    this.id = id
    this.address = address
    this.#host = host
    this.#socket = socket
    this.#stream = stream
    this.#debt = new Debt(host, this)
    this.#liveness = new Liveness(host.limits)
    this.#reading = new Reading({ stream, reader: this, shares: host.shares })
    this.#inbox = new Inbox(this, host.turns)
  }

  /** Begins to read. Frames that came in the same packet as the handshake are not lost. */
  start(session: Session): void {
    this.#session = session
    listen(this.#socket, this.#stream, this)
  }

  /** Runs after the delay, unless the connection is over by then. */
  after(delayMs: number, run: () => void): void {
    this.#timers ??= new Timers(this.#host.time)
    this.#timers.after(delayMs, run)
  }

  /** From now on another session takes what comes. Whoever calls has closed the one before. */
  handOver(session: Session): void {
    if (this.#session !== null) this.#session = session
  }

  /** Until `admitted` is called, no more than about so many bytes are read: a stranger cannot fill the memory. */
  boundReading(bytesMax: number): void {
    this.#reading.bound(bytesMax)
  }

  /** Somebody was let in. */
  admitted(): void {
    this.#reading.admitted()
  }

  full(): void {
    this.#session?.full()
  }

  /** So many bytes of whole messages wait for their turn. */
  waits(bytes: number): void {
    this.#reading.waits(bytes)
  }

  stopReading(): void {
    this.#socket.pause()
  }

  /** Its session keeps so many bytes more of messages that cannot be handled yet, or less. */
  keeps(bytes: number): void {
    this.#reading.waitsInSession(bytes)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get #isGone(): boolean {
    return this.#state === 'gone' || this.#state === 'left'
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
    this.#inbox.pause()
  }

  resume(): void {
    this.#inbox.resume()
  }

  hold(): void {
    this.#inbox.hold()
  }

  release(): void {
    this.#inbox.release()
    this.served()
  }

  end(fault: Fault): void {
    const isStop = fault.code === 'ERR_GOING_DOWN'
    // Nobody is there to be told; but what they sent before they left counts, also when the server stops.
    if (this.#isGone) return isStop ? this.#goDown(fault) : this.#close()
    // It has its close frame; what comes after a message that made no sense, or without rights, does not count.
    const isTold = this.#state === 'leaving'
    if (isTold ? isStop : !this.isOpen) return
    if (isStop) return this.#goDown(fault)
    this.#state = 'closing'
    this.#logEnd(fault)
    this.#leave()
    if (isTold) return
    const delayMs = fault.code === 'ERR_BAD_MESSAGE' ? this.#host.refused(this.address) : 0
    if (delayMs === 0) return this.#sayWhy(fault)
    this.#socket.pause()
    this.after(delayMs, () => this.#sayWhy(fault))
  }

  /** A stop is nobody's fault: what waits for its turn counts, and so does what comes before the client has closed. */
  #goDown(fault: Fault): void {
    if (this.#isGone) this.#state = 'left'
    this.#takeAll()
    if (!this.isOpen) return
    this.#state = 'leaving'
    this.#logEnd(fault)
    this.#sayWhy(fault)
  }

  #sayWhy(fault: Fault): void {
    this.#socket.resume()
    this.#socket.close(fault.closeCode, fault.publicReason)
    this.after(this.#host.limits.closeTimeoutMs, () => this.#socket.terminate())
  }

  cutOff(): void {
    this.#cutOff(new Fault('ERR_OVERLOADED', 'too much is kept of messages that cannot be handled yet'))
  }

  /** What ws keeps of a message is free only when the socket is gone: nobody waits for an answer to the close frame. */
  #cutOff(fault: Fault): void {
    this.end(fault)
    if (this.#state !== 'closed') this.after(0, () => this.#socket.terminate())
  }

  terminate(): void {
    if (!this.#isGone) return this.#socket.terminate()
    // There are no more turns.
    this.#inbox.takeRest()
    if (this.#isGone) this.#close()
  }

  ping(): () => boolean {
    const before = this.#liveness.heard
    if (this.#state === 'open') this.#socket.ping()
    // While it is paused, its pong is not read.
    return () => this.#state === 'open' && (this.#liveness.heard > before || this.#inbox.isPaused)
  }

  probe(timeoutMs: number): Promise<boolean> {
    // Of a paused one, its pong would not be read.
    if (this.#state !== 'open' || this.#inbox.isPaused) return Promise.resolve(this.#state === 'open')
    const pong = this.#liveness.probe(late => this.after(timeoutMs, late))
    this.#socket.ping()
    return pong
  }

  /** Called by the one heartbeat timer: keeps the client's watchdog quiet, and finds dead sockets. */
  beat(elapsedMs: number): void {
    if (this.#state !== 'open' || this.#session === null) return
    const { limits } = this.#host
    this.#debt.rest()
    if (!this.#inbox.isPaused && this.#reading.isLate(elapsedMs, limits)) {
      return this.#cutOff(new Fault('ERR_MESSAGE_TIMEOUT'))
    }
    const { isSilent, next } = this.#liveness.beat(elapsedMs, this.#reading.chunks)
    // Bytes still queued will reach the client as messages: no need to add to them.
    if (isSilent && this.queuedBytes === 0) this.send(this.#session.keepAlive())
    if (next === 'end') this.#socket.terminate()
    else if (next === 'ping') this.#socket.ping()
  }

  messageArrived(data: Buffer, isBinary: boolean): void {
    this.#liveness.hears()
    this.#host.metrics.received(data.length)
    if (this.#state !== 'open' && this.#state !== 'leaving') return
    if (!isBinary) this.#ignoreText(data)
    else if (this.#state === 'open') this.#inbox.arrived(data)
    else {
      this.#inbox.keep(data)
      this.#takeAll()
    }
  }

  /** Wrappers of WebSockets keep them alive with texts of their own: no dialect has any, so nothing is amiss. */
  #ignoreText(data: Buffer): void {
    this.#host.metrics.ignored('text')
    this.#charge(data.length)
  }

  /** A message of a type that nobody here knows. */
  ignored(): void {
    this.#host.metrics.ignored('unknown-type')
  }

  emptied(): void {
    if (this.#isGone) this.#close()
    else this.#socket.resume()
  }

  served(): void {
    if (this.#state === 'leaving' || this.#state === 'left') this.#takeAll()
  }

  /** Of a stopped one: whatever can be taken of what it sent, in its turn. */
  #takeAll(): void {
    this.#inbox.takeAll()
    if (this.#state === 'left' && !this.#inbox.isAtWork) this.#close()
  }

  /** The first message of the bytes. Each is handled as if it had come alone: charged, in turn, held back. */
  take(bytes: Uint8Array): number {
    if (this.#session === null) return bytes.length
    const startMs = this.#host.time.nowMs()
    let taken = bytes.length
    try {
      taken = this.#session.receive(bytes)
    } catch (error) {
      if (this.#isGone) this.#close()
      else this.end(toFault(error))
    }
    if (taken > 0) this.#charge(taken)
    const spentMs = this.#host.time.nowMs() - startMs
    if (spentMs > freeMs) this.charge(spentMs)
    return this.#session === null ? bytes.length : taken
  }

  /** Time that its messages took, here or elsewhere. */
  charge(spentMs: number): void {
    if (this.#state === 'open') this.#debt.spend(spentMs)
  }

  #charge(bytes: number): void {
    if (this.#state === 'open') this.#debt.take(bytes)
  }

  /** Answered by ws, which bounds how many answers may wait. */
  pingArrived(data: Buffer): void {
    this.#liveness.hears()
    this.#charge(data.length)
  }

  pongArrived(): void {
    this.#liveness.answered()
    this.#charge(0)
  }

  drained(): void {
    this.#fedBytes = 0
    this.#session?.drained()
  }

  #write(frame: Frame): boolean {
    this.#liveness.sends()
    return writeFrame(this.#stream, frame)
  }

  socketFailed(error: Error & { code?: string }): void {
    // ws has answered invalid frames with their close code (RFC 6455, 7.4.1) before it reports them here.
    this.#host.log.debug({ error, connection: this.id, address: this.address }, 'socket error')
    if (error.code?.startsWith('WS_ERR') !== true) return
    this.#host.metrics.refused('ERR_BAD_MESSAGE')
    // It would wait ten times as long for an answer, and keep what had come of the message.
    this.after(this.#host.limits.closeTimeoutMs, () => this.#socket.terminate())
  }

  socketClosed(): void {
    this.#host.disconnected(this.address)
    // Whoever sends and leaves is not to lose it because others came first, or because its room is not open yet.
    this.#session?.linger()
    if (this.#state === 'open' && this.#inbox.isPaused) this.#state = 'gone'
    else if (this.#state === 'leaving' && this.#inbox.isAtWork) this.#state = 'left'
    else this.#close()
  }

  #close(): void {
    this.#state = 'closed'
    this.#debt.close()
    this.#leave()
    this.#reading.over()
    this.#liveness.over()
    this.#timers?.clear()
    this.#host.onClosed(this)
  }

  #leave(): void {
    const session = this.#session
    this.#session = null
    this.#inbox.clear()
    session?.closed()
  }

  #logEnd(fault: Fault): void {
    const { log, metrics } = this.#host
    metrics.refused(fault.code)
    const fields = { connection: this.id, code: fault.code, reason: fault.message }
    if (fault.code === 'ERR_INTERNAL')
      log.error({ ...fields, error: fault.cause }, 'connection ended by a bug')
    else log.debug({ ...fields, address: this.address }, 'connection ended')
  }
}
