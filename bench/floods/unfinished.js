/**
 * Floods of messages that never end: fragments with pings between them, fragments of one byte, and strangers who begin a
 * message before they have said who they are. Frames are written by hand: no library sends these.
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

const MiB = 2 ** 20
const ignore = () => {}
/** Opcodes of RFC 6455, 5.2; 0x80 ends a message. */
const binary = 0x02
const continuation = 0x00
const ping = 0x89

export const floods = {
  fragments: { run: ({ url }) => each(8, i => fragments(url, i, MiB)), memoryMiB: 600 },
  'tiny-fragments': { run: ({ url }) => each(8, i => fragments(url, i, 1)), memoryMiB: 600 },
  'strangers-unfinished': {
    run: ({ url }) => each(200, i => stranger(url, i)),
    signsIn: true,
    memoryMiB: 400
  }
}

function each(count, run) {
  for (let i = 0; i < count; i++) run(i)
}

/** Fragments of so many bytes up to what is taken of a message, and then pings for as long as it is let. */
function fragments(url, i, bytes) {
  const count = bytes === 1 ? 15_000 : 125
  const fragment = frame(continuation, Buffer.alloc(bytes))
  const piece = Buffer.concat(Array.from({ length: bytes === 1 ? 500 : 1 }, () => fragment))
  const pieces = Math.floor(count / (bytes === 1 ? 500 : 1))
  const socket = upgraded(url, `/fragments-${i}`, () => {
    socket.write(frame(binary, Buffer.alloc(bytes)))
    let sent = 0
    const more = () => {
      while (sent < pieces) {
        sent++
        if (!socket.write(piece)) return void socket.once('drain', more)
      }
    }
    more()
    setInterval(() => socket.writable && socket.write(frame(ping, Buffer.alloc(0))), 1_000)
  })
  socket.on('close', () => setTimeout(fragments, 50, url, i, bytes))
}

/** The beginning of a message of 60 MiB, as much of it as is read. */
function stranger(url, i) {
  const socket = upgraded(url, `/stranger-${i}`, () => {
    socket.write(frame(binary, Buffer.alloc(MiB), 60 * MiB))
    for (let n = 0; n < 16; n++) socket.write(Buffer.alloc(MiB))
  })
  socket.on('close', () => setTimeout(stranger, 50, url, i))
}

function upgraded(url, path, then) {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', ignore)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  )
  socket.once('data', then)
  socket.resume()
  return socket
}

/** The head of a frame of `length` bytes, masked with zeros, and the payload as it stands. */
function frame(opcode, payload, length = payload.length) {
  const head = Buffer.alloc(14)
  head[0] = opcode
  head[1] = 0x80 | (length < 126 ? length : 127)
  if (length < 126) return Buffer.concat([head.subarray(0, 6), payload])
  head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, payload])
}
