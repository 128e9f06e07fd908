/** Answers an upgrade request without a WebSocket. */
import type { Duplex } from 'node:stream'

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
