/**
 * The server's own port: an HTTP server in which nobody can hold a place by saying nothing, or by saying it slowly.
 * Where the application has an HTTP server of its own, this is the application's affair.
 */
import { createServer, type Server as HttpServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Limits } from '../base/limits.ts'

export function createListener(limits: Limits, handle: RequestListener): HttpServer {
  const { requestTimeoutMs, handshakesMax } = limits
  const times = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs / 2,
    // Node looks at all connections this often: a request may take so much longer.
    connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 4)
  }
  const httpServer = createServer(times, handle)
  boundHandshakes(httpServer, handshakesMax)
  return httpServer
}

/** Whoever has not finished a request for the longest time makes room: an honest one takes a moment only. */
function boundHandshakes(httpServer: HttpServer, max: number): void {
  const waiting = new Set<Socket>()
  const begins = (socket: Socket) => {
    if (socket.destroyed) return
    waiting.add(socket)
    if (waiting.size <= max) return
    const [oldest] = waiting
    oldest?.destroy()
  }
  // One for all, and off a socket that was upgraded: there may be many of those, for long.
  function gone(this: Socket): void {
    waiting.delete(this)
  }
  httpServer.on('connection', (socket: Socket) => {
    socket.once('close', gone)
    begins(socket)
  })
  httpServer.on('upgrade', ({ socket }) => {
    waiting.delete(socket)
    socket.off('close', gone)
  })
  httpServer.on('request', ({ socket }, response) => {
    if (socket.destroyed) return
    waiting.delete(socket)
    // The connection may bring another request.
    response.once('close', () => begins(socket))
  })
}

/** Resolves when the port is open. Rejects with the system's error. */
export function listening(httpServer: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    httpServer.once('error', reject)
    httpServer.listen({ host, port }, () => {
      httpServer.off('error', reject)
      resolve()
    })
  })
}

/** Resolves when all its connections are gone, at once. */
export function closed(httpServer: HttpServer): Promise<void> {
  return new Promise(resolve => {
    httpServer.close(() => resolve())
    httpServer.closeAllConnections()
  })
}

/** `http://127.0.0.1:1234/prefix`. */
export function urlOf(httpServer: HttpServer, path: string): string {
  // `listen` was given a host and a port, so the address is none of the other kinds (a pipe, or null).
  const { address, family, port } = httpServer.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  return `http://${host}:${port}${path === '/' ? '' : path}`
}
