/** An upgraded connection handed on to the child, byte by byte: nothing here reads or changes a WebSocket frame. */
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'

export type Arrival = {
  readonly request: IncomingMessage
  readonly stream: Duplex
  /** What came right behind the request. */
  readonly head: Buffer
}

/** The handshake's own headers. No cookie and no token of this server is the child's business. */
const passedHeaders = [
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol'
]

/**
 * Connects the socket of an upgrade request to the child's port, under `path`. When one side ends, so does the other;
 * the browser's ends without a reset, so that it is a lost connection to the page and no error on its console.
 * Resolves to false when the child ended before it said anything: then nothing was passed on, and another may be asked.
 */
export function pipeToChild(
  { request, stream, head }: Arrival,
  port: number,
  path: string
): Promise<boolean> {
  const child = connect({ host: '127.0.0.1', port, noDelay: true })
  child.write(handshake(request, port, path))
  // Errors are ends here: what there is to be said about them is said by `close`.
  child.on('error', ignore)
  const left = () => void child.destroy()
  stream.once('close', left)
  return new Promise(resolve => {
    child.once('close', () => {
      stream.off('close', left)
      resolve(false)
    })
    child.once('readable', () => {
      // The end is readable, too.
      const first: Buffer | null = child.read()
      if (first === null) return
      resolve(true)
      stream.write(first)
      child.write(head)
      child.pipe(stream)
      stream.pipe(child)
      child.once('close', () => stream.end(() => stream.destroy()))
    })
  })
}

function handshake(request: IncomingMessage, port: number, path: string): string {
  const passed = passedHeaders.flatMap(name => {
    const value = request.headers[name]
    return typeof value === 'string' ? [`${name}: ${value}`] : []
  })
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    ...passed
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

function ignore(): void {}
