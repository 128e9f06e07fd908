/**
 * From an HTTP upgrade to a connection in a session. The only place that imports ws.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { Fault } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Pacer } from '../pacer.ts'
import type { Cancel } from '../time.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { startHeartbeat } from './heartbeat.ts'
import { documentOfPath } from './path.ts'
import { openSession, type SessionParts } from './sessions.ts'

type Parts = SessionParts & {
  readonly pacer: Pacer
  readonly metrics: Metrics
  readonly log: Log
}

type From = { readonly request: IncomingMessage; readonly pathPrefix: string }

type Upgrade = { readonly head: Buffer; readonly pathPrefix: string }

export class Transport {
  readonly #parts: Parts
  readonly #host: ConnectionHost
  readonly #server: WebSocketServer
  readonly #connections = new Set<Connection>()
  readonly #delays = new Set<Cancel>()
  readonly #stopHeartbeat: Cancel
  /** Names of connections differ between runs of the server too: they are stored as authors. */
  readonly #run = randomBytes(6).toString('base64url')
  #accepted = 0
  #isDraining = false
  #onEmpty: (() => void) | null = null

  constructor(parts: Parts) {
    this.#parts = parts
    this.#host = { ...parts, onClosed: connection => this.#closed(connection) }
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // Twice the limit, so that what is merely too large is read, set aside and answered by us.
      maxPayload: 2 * parts.limits.frameBytesMax
    })
    this.#stopHeartbeat = startHeartbeat(this.#connections, parts)
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
    if (this.#isDraining || this.#connections.size >= this.#parts.limits.connectionsMax) {
      this.#parts.metrics.refused(this.#isDraining ? 'ERR_GOING_DOWN' : 'ERR_OVERLOADED')
      stream.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\r\n')
      return
    }
    // What the room says at once, if it is open or quickly opened, leaves in one write with the handshake's answer.
    stream.cork()
    this.#parts.time.soon(() => stream.uncork())
    this.#server.handleUpgrade(request, stream, head, socket => {
      stream.off('error', ignoreError)
      this.#accept(socket, stream, { request, pathPrefix })
    })
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
      this.#after((limits.drainMs * i) / connections.length, end)
    }
    if (connections.length > 0) {
      const cancel = time.after(limits.drainMs + limits.closeTimeoutMs + 1_000, () => this.#terminateAll())
      await gone
      cancel()
    }
    this.#stopHeartbeat()
    for (const cancel of this.#delays) cancel()
  }

  #accept(socket: WebSocket, stream: Duplex, from: From): void {
    const { request, pathPrefix } = from
    const address = request.socket.remoteAddress ?? 'unknown'
    const url = request.url ?? '/'
    const { document } = documentOfPath(url, pathPrefix)
    const id = `${address}/${this.#run}-${++this.#accepted}`
    const peer = `${address} ${document ?? ''}`
    const connection = new Connection({ socket, stream, id, address, peer }, this.#host)
    this.#connections.add(connection)
    this.#parts.metrics.connectionOpened()
    const target = { url, headers: request.headers, pathPrefix, document }
    connection.start(openSession(connection, this.#parts, target))
  }

  #closed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return
    this.#parts.metrics.connectionClosed()
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  #terminateAll(): void {
    for (const connection of this.#connections) connection.terminate()
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#parts.time.after(delayMs, () => {
      this.#delays.delete(cancel)
      run()
    })
    this.#delays.add(cancel)
  }
}

/** Node destroys the socket after an error; the connection that would report it does not exist yet. */
function ignoreError(): void {}
