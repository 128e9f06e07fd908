/** From an HTTP upgrade to a connection in a session. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { chosenProtocol } from '../access/carriers.ts'
import type { Gate } from '../access/gate.ts'
import type { Visitor } from '../access/grant.ts'
import { Fault, toFault } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import type { Pacer } from '../base/pacer.ts'
import type { Cancel } from '../base/time.ts'
import { Timers } from '../base/timers.ts'
import { Accounts } from './accounts.ts'
import { clientAddress } from './addresses.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost } from './connection-parts.ts'
import { connectionRates } from './debt.ts'
import { startHeartbeat } from './heartbeat.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'
import { openSession, type SessionParts } from './sessions.ts'
import { Turns, turnRates } from './turns.ts'
import { sharesOf } from './unfinished.ts'
import { isOfPackage, WebSocketServer } from './web-sockets.ts'

type Parts = SessionParts & {
  readonly gate: Gate
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: BlockList
  readonly pacer: Pacer
  readonly metrics: Metrics
  readonly log: Log
}

type From = { readonly visitor: Visitor; readonly pathPrefix: string }

type Upgrade = { readonly head: Buffer; readonly pathPrefix: string }

export class Transport {
  readonly #parts: Parts
  readonly #host: ConnectionHost<Connection>
  readonly #server: InstanceType<typeof WebSocketServer>
  readonly #connections = new Set<Connection>()
  readonly #timers: Timers
  readonly #stopHeartbeat: Cancel
  /** Names of connections differ between runs of the server too: they are stored with authors, and hold no address. */
  readonly #run = randomBytes(6).toString('base64url')
  #accepted = 0
  #isDraining = false
  #onEmpty: (() => void) | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    this.#timers = new Timers(parts.time)
    this.#host = {
      ...parts,
      accounts: new Accounts(parts.time, parts.limits, connectionRates(parts.limits)),
      turns: new Turns(parts.time, turnRates(parts.limits)),
      shares: sharesOf(parts.time, parts.limits),
      refused: address => parts.addresses.refused(address),
      disconnected: address => parts.addresses.disconnected(address),
      onClosed: connection => this.#closed(connection)
    }
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      handleProtocols: chosenProtocol,
      // Twice the limit, so that what is merely too large is read, set aside and answered by us.
      maxPayload: 2 * parts.limits.frameBytesMax
    })
    this.#stopHeartbeat = startHeartbeat(this.#connections, parts)
  }

  /** What connections keep of messages that nobody can handle yet; requests with bodies have a part of it. */
  get shares(): ConnectionHost<Connection>['shares'] {
    return this.#host.shares
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Takes the socket of an upgrade request over. `pathPrefix` is not part of the document's name. */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, pathPrefix: string): void {
    stream.on('error', ignoreError)
    this.#parts.pacer.run(() => this.#upgrade(request, stream, { head, pathPrefix }))
  }

  #upgrade(request: IncomingMessage, stream: Duplex, { head, pathPrefix }: Upgrade): void {
    // It may have gone while it waited: nothing would tell that it is gone again.
    if (stream.destroyed) return
    const visitor = this.visitorOf(request)
    const fault = this.#full(visitor.address)
    if (fault !== null) {
      this.#parts.metrics.refused(fault.code)
      return refuseUpgrade(stream, '503 Service Unavailable')
    }
    // Counted until the stream is gone, whatever becomes of the handshake; a connection sees to it itself.
    const gone = () => this.#parts.addresses.disconnected(visitor.address)
    stream.once('close', gone)
    // What the room says at once, if it is open or quickly opened, leaves in one write with the handshake's answer.
    stream.cork()
    this.#parts.time.soon(() => stream.uncork())
    this.#server.handleUpgrade(request, stream, head, socket => {
      stream.off('error', ignoreError)
      this.#accept(socket, stream, { visitor, pathPrefix })
      stream.off('close', gone)
    })
  }

  /** The same for a WebSocket that somebody else has accepted. Throws TypeError when it is no open one of ws. */
  connect(accepted: object, request: IncomingMessage, pathPrefix: string): void {
    const { socket, stream } = partsOf(accepted)
    const visitor = this.visitorOf(request)
    const fault = this.#full(visitor.address)
    if (fault !== null) {
      this.#parts.metrics.refused(fault.code)
      return socket.close(fault.closeCode, fault.publicReason)
    }
    this.#accept(socket, stream, { visitor, pathPrefix })
  }

  /** Why no connection can be had now, or null: then one of the address is counted. */
  #full(address: string): Fault | null {
    const { limits, addresses } = this.#parts
    if (this.#isDraining) return new Fault('ERR_GOING_DOWN')
    if (this.#connections.size >= limits.connectionsMax) return new Fault('ERR_OVERLOADED')
    try {
      addresses.connected(address)
      return null
    } catch (error) {
      return toFault(error)
    }
  }

  /** Who asks, as far as the request says it. */
  visitorOf({ socket, headers, url = '/' }: IncomingMessage): Visitor {
    const { gate, trustedProxies: trusted } = this.#parts
    const remote = socket.remoteAddress ?? 'unknown'
    const address = clientAddress({ remote, header: headers['x-forwarded-for'], trusted })
    // A Unix socket has no address, and is on this machine.
    const barred = gate.bars({ headers, localAddress: () => socket.localAddress ?? '::1' })
    return { address, headers, url, barred }
  }

  /** Closes all connections, spread over `drainMs`: clients come back without jitter. Resolves when all are gone. */
  async drain(): Promise<void> {
    this.#isDraining = true
    const gone = new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    const connections = [...this.#connections]
    const { time, limits } = this.#parts
    for (const [i, connection] of connections.entries()) {
      const end = () => connection.end(new Fault('ERR_GOING_DOWN'))
      this.#timers.after((limits.drainMs * i) / connections.length, end)
    }
    if (connections.length > 0) {
      const cancel = time.after(limits.drainMs + limits.closeTimeoutMs + 1_000, () => this.#terminateAll())
      await gone
      cancel()
    }
    this.#stopHeartbeat()
    this.#parts.addresses.close()
    this.#timers.clear()
  }

  #accept(socket: WebSocket, stream: Duplex, from: From): void {
    const { address } = from.visitor
    const id = `${this.#run}-${++this.#accepted}`
    const connection = new Connection({ socket, stream, id, address }, this.#host)
    this.#connections.add(connection)
    this.#parts.metrics.connectionOpened()
    this.#parts.log.debug({ connection: id, address }, 'connection opened')
    connection.start(openSession(connection, this.#parts, from))
    // After ws, which listens for what was read since the handshake.
    if (!this.#parts.passes.admission.isOpenTo(from.visitor))
      connection.boundReading(this.#parts.limits.pendingBytesMax)
  }

  #closed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    this.#parts.metrics.connectionClosed()
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  #terminateAll(): void {
    for (const connection of this.#connections) connection.terminate()
  }
}

/** Frames are written to the stream under the WebSocket, which ws has in a member of its own. */
function partsOf(accepted: object): { socket: WebSocket; stream: Duplex } {
  const stream = '_socket' in accepted ? accepted._socket : null
  if (!(stream instanceof Duplex) || !('readyState' in accepted) || accepted.readyState !== 1) {
    throw new TypeError('server.connect takes an open WebSocket of the package ws')
  }
  if (!isOfPackage(accepted)) {
    throw new TypeError('a WebSocket of Bun cannot be taken over by server.connect; use server.attach')
  }
  // Whatever has such a stream and is open was made by ws, perhaps by another copy of it.
  return { socket: accepted as WebSocket, stream }
}

/** Node destroys the socket after an error; the connection that would report it does not exist yet. */
function ignoreError(): void {}
