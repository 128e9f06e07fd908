/** Floods of plain HTTP requests, pipelined: each connection sends thousands at once, and comes back when it was closed. */
import { connect } from 'node:net'

const connections = 10
const requests = 3_000
const ignore = () => {}

export const floods = {
  'readyz-pipelined': { run: ({ url }) => pipelined(url, '/readyz'), memoryMiB: 400 },
  'healthz-pipelined': { run: ({ url }) => pipelined(url, '/healthz'), memoryMiB: 400 },
  'readyz-attached': { run: ({ url }) => pipelined(url, '/readyz'), isAttached: true, memoryMiB: 400 },
  // What a connection may send without being closed, as often as it can.
  'healthz-in-turn': { run: ({ url }) => inTurn(url, '/healthz'), memoryMiB: 400 }
}

function pipelined(url, path) {
  const bytes = Buffer.from(request(url, path).repeat(requests))
  for (let i = 0; i < connections; i++) again(url, socket => socket.write(bytes))
}

function inTurn(url, path) {
  const bytes = Buffer.from(request(url, path))
  const begin = socket => {
    socket.write(bytes)
    socket.on('data', () => socket.write(bytes))
  }
  for (let i = 0; i < connections; i++) again(url, begin)
}

function request(url, path) {
  return `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`
}

function again(url, begin) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname, () => begin(socket))
  socket.on('error', ignore)
  socket.resume()
  socket.on('close', () => setImmediate(() => again(url, begin)))
}
