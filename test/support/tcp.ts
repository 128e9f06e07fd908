/** A WebSocket opened by hand over TCP, to send what no WebSocket library sends. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { until } from './clients.ts'

export type Tcp = {
  readonly socket: Socket
  /** Everything received, the answer to the handshake included. */
  readonly received: () => Buffer
  /** Waits for a close frame and resolves to its code; 1006 when the socket ends without one. */
  closed(): Promise<number>
}

export async function openTcp(url: string, path: string): Promise<Tcp> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  let received = Buffer.alloc(0)
  let hasEnded = false
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    hasEnded = true
  })
  socket.write(
    `GET /${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  )
  await until(() => received.includes('\r\n\r\n') || hasEnded, 'the handshake')
  return {
    socket,
    received: () => received,
    closed: async () => {
      const code = () => closeCodeIn(received.subarray(received.indexOf('\r\n\r\n') + 4))
      await until(() => code() !== null || hasEnded, 'the close frame')
      return code() ?? 1006
    }
  }
}

/** Walks over the frames of a server, which are not masked. */
function closeCodeIn(bytes: Buffer): number | null {
  let position = 0
  while (position + 2 <= bytes.length) {
    const opcode = (bytes[position] as number) & 0x0f
    let length = (bytes[position + 1] as number) & 0x7f
    let header = 2
    if (length === 126) {
      length = bytes.readUInt16BE(position + 2)
      header = 4
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(position + 2))
      header = 10
    }
    if (opcode === 8) return length < 2 ? 1005 : bytes.readUInt16BE(position + header)
    position += header + length
  }
  return null
}

/** A masked frame as a client sends it; the mask is zero, so the payload stands as it is. */
export function maskedFrame(firstByte: number, payload: Uint8Array): Buffer {
  if (payload.length > 0xffff) throw new Error('payloads of 16 bits only')
  const { length } = payload
  const lengths = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff]
  return Buffer.from([firstByte, ...lengths, 0, 0, 0, 0, ...payload])
}
