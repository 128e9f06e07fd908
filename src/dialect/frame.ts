/**
 * The bytes of one WebSocket message as a server sends it. A server's frame is not masked (RFC 6455, 5.1), so the
 * same bytes serve every connection: they are built once and written to each socket.
 */

/** Consecutive chunks of exactly one or several whole WebSocket frames. Shared: nobody may write into them. */
export type Frame = readonly Uint8Array[]

/** Up to this size head and payload are copied into one chunk: a second chunk costs more than the copy. */
const copyBytesMax = 16 * 1024

/** A binary message (opcode 2, FIN) whose payload is `head` followed by `payload`. */
export function binaryFrame(head: Uint8Array, payload: Uint8Array): Frame {
  const length = head.length + payload.length
  const prefix = frameHeaderLength(length) + head.length
  const isCopied = payload.length <= copyBytesMax
  const bytes = Buffer.allocUnsafe(isCopied ? prefix + payload.length : prefix)
  writeFrameHeader(bytes, length)
  bytes.set(head, prefix - head.length)
  if (!isCopied) return [bytes, payload]
  bytes.set(payload, prefix)
  return [bytes]
}

/** Several frames as one, small neighbours copied together so that they cost one write. */
export function joinFrames(frames: readonly Frame[]): Frame {
  const only = frames[0]
  if (frames.length === 1 && only !== undefined) return only
  const chunks: Uint8Array[] = []
  const small: Uint8Array[] = []
  const flush = () => {
    if (small.length > 0) chunks.push(Buffer.concat(small))
    small.length = 0
  }
  for (const chunk of frames.flat()) {
    if (chunk.length <= copyBytesMax) {
      small.push(chunk)
    } else {
      flush()
      chunks.push(chunk)
    }
  }
  flush()
  return chunks
}

/** The same small frame so many times over, in one chunk. */
export function repeatFrame(frame: Frame, count: number): Frame {
  if (count === 1) return frame
  const once = Buffer.concat(frame)
  return [Buffer.alloc(once.length * count, once)]
}

export function frameBytes(frame: Frame): number {
  let bytes = 0
  for (const chunk of frame) bytes += chunk.length
  return bytes
}

function frameHeaderLength(payloadLength: number): number {
  if (payloadLength < 126) return 2
  return payloadLength < 65_536 ? 4 : 10
}

function writeFrameHeader(bytes: Buffer, payloadLength: number): void {
  bytes[0] = 0x82
  if (payloadLength < 126) {
    bytes[1] = payloadLength
  } else if (payloadLength < 65_536) {
    bytes[1] = 126
    bytes.writeUInt16BE(payloadLength, 2)
  } else {
    bytes[1] = 127
    bytes.writeUInt32BE(Math.floor(payloadLength / 2 ** 32), 2)
    bytes.writeUInt32BE(payloadLength >>> 0, 6)
  }
}
