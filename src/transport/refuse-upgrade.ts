/** Answers an upgrade request without a WebSocket, and tells whether anybody else would. */
import type { Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { isUnder } from './path.ts'

type Status = '403 Forbidden' | '404 Not Found' | '503 Service Unavailable'

/** Whoever is told 503 may try again in a second. */
export function refuseUpgrade(stream: Duplex, status: Status): void {
  // Node listens no more for what a reset would throw.
  stream.on('error', () => stream.destroy())
  const again = status.startsWith('503') ? 'Retry-After: 1\r\n' : ''
  const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${again}\r\n`
  // The other side need not end its own half.
  stream.end(head, () => stream.destroy())
}

/** On a listener for upgrades: it is a Chorus server's, and serves what is below this path. */
export const servedPath = Symbol.for('y-chorus served path')

type Listener = { readonly [servedPath]?: string }

/** Whether only Chorus servers listen, none of them serves the path, and `own` is the first, who answers for all. */
export function isForNobody(path: string, httpServer: HttpServer, own: Listener): boolean {
  const listeners = httpServer.listeners('upgrade') as readonly Listener[]
  if (listeners[0] !== own) return false
  return listeners.every(({ [servedPath]: prefix }) => prefix !== undefined && !isUnder(path, prefix))
}
