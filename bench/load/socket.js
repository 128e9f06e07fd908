/**
 * A WebSocket client as cheap as it can be: no events, no copies of what it receives, frames to send prepared
 * beforehand. It reads into one buffer that all sockets share, as a message is handled before the next read.
 */
import { connect } from 'node:net'

const shared = Buffer.allocUnsafe(256 * 1024)
// Not zero: ws leaves out the unmasking for an all-zero key, which real clients do not send.
const maskKey = [0x37, 0xfa, 0x21, 0x3d]
const opcodes = { binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa }

/** A masked frame ready to be sent any number of times. */
export function maskedFrame(payload, opcode = opcodes.binary) {
  const length = payload.length
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headLength + 4 + length)
  frame[0] = 0x80 | opcode
  if (headLength === 2) frame[1] = 0x80 | length
  else if (headLength === 4) {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 0x80 | 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.set(maskKey, headLength)
  const start = headLength + 4
  for (let i = 0; i < length; i++) frame[start + i] = payload[i] ^ maskKey[i & 3]
  return frame
}

/**
 * One connection. `onMessage(bytes, start, end)` gets each binary message; the bytes are its only until it returns.
 */
export class RawSocket {
  isOpen = false
  closeCode = null
  receivedBytes = 0
  receivedFrames = 0
  #socket
  #onMessage
  #onClose
  #carry = null
  #large = null
  #filled = 0

  constructor({ port, path, onOpen, onMessage, onClose }) {
    this.#onMessage = onMessage
    this.#onClose = onClose
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: shared, callback: length => this.#read(length, onOpen) }
    })
    this.#socket.on('connect', () => this.#socket.write(upgradeRequest(port, path)))
    this.#socket.on('error', error => this.#ended(error))
    this.#socket.on('close', () => this.#ended(null))
  }

  send(frame) {
    this.#socket.write(frame)
  }

  cork() {
    this.#socket.cork()
  }

  uncork() {
    this.#socket.uncork()
  }

  get queuedBytes() {
    return this.#socket.writableLength
  }

  close() {
    this.#onClose = null
    this.#socket.destroy()
  }

  #ended(error) {
    this.isOpen = false
    const onClose = this.#onClose
    this.#onClose = null
    onClose?.(this.closeCode, error)
  }

  #read(length, onOpen) {
    this.receivedBytes += length
    if (this.#large !== null) return this.#fill(length)
    let bytes = shared
    let end = length
    if (this.#carry !== null) {
      bytes = Buffer.concat([this.#carry, shared.subarray(0, length)])
      end = bytes.length
      this.#carry = null
    }
    let at = 0
    if (!this.isOpen) {
      at = this.#readUpgrade(bytes, end)
      if (at < 0) return true
      this.isOpen = true
      onOpen()
    }
    this.#readFrames(bytes, at, end)
    return true
  }

  #readUpgrade(bytes, end) {
    const text = bytes.latin1Slice(0, Math.min(end, 4096))
    const at = text.indexOf('\r\n\r\n')
    if (at < 0) {
      this.#carry = Buffer.from(bytes.subarray(0, end))
      return -1
    }
    if (!text.startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${text.slice(0, 80)}`)
    return at + 4
  }

  #readFrames(bytes, from, end) {
    let at = from
    while (end - at >= 2) {
      let length = bytes[at + 1]
      let head = 2
      if (length === 126) {
        if (end - at < 4) break
        length = bytes.readUInt16BE(at + 2)
        head = 4
      } else if (length === 127) {
        if (end - at < 10) break
        length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6)
        head = 10
      }
      if (end - at < head + length) {
        if (length > 65_536) return this.#startLarge(bytes, at, end, head + length)
        break
      }
      this.#frame(bytes, bytes[at], at + head, at + head + length)
      at += head + length
    }
    if (at < end) this.#carry = Buffer.from(bytes.subarray(at, end))
  }

  #startLarge(bytes, at, end, size) {
    this.#large = Buffer.allocUnsafe(size)
    bytes.copy(this.#large, 0, at, end)
    this.#filled = end - at
  }

  #fill(length) {
    const missing = this.#large.length - this.#filled
    shared.copy(this.#large, this.#filled, 0, Math.min(length, missing))
    this.#filled += Math.min(length, missing)
    if (length < missing) return true
    const frame = this.#large
    this.#large = null
    this.#readFrames(frame, 0, frame.length)
    if (length > missing) this.#readFrames(shared, missing, length)
    return true
  }

  #frame(bytes, first, start, end) {
    const opcode = first & 0x0f
    if (opcode === opcodes.binary) {
      if (first !== 0x82) throw new Error('a fragmented message')
      this.receivedFrames++
      this.#onMessage(bytes, start, end)
    } else if (opcode === opcodes.ping) {
      this.send(maskedFrame(bytes.subarray(start, end), opcodes.pong))
    } else if (opcode === opcodes.close) {
      this.closeCode = end - start >= 2 ? bytes.readUInt16BE(start) : 1005
      this.#socket.end()
    }
  }
}

function upgradeRequest(port, path) {
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  )
}
