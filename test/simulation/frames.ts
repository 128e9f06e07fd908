/** The frames of a server's byte stream as a client reads them (RFC 6455, 5.2): whole ones, whatever the pieces. */

export type ServerFrame =
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  | { readonly type: 'ping' }
  | { readonly type: 'close'; readonly code: number }

/** Takes the next bytes and answers the frames that are complete by them. Throws on what a browser would not read. */
export function frameReader(): (bytes: Uint8Array) => ServerFrame[] {
  let rest: Buffer = Buffer.alloc(0)
  return bytes => {
    rest = Buffer.concat([rest, bytes])
    const frames: ServerFrame[] = []
    for (;;) {
      const header = readHeader(rest)
      if (header === null || rest.length < header.bytes + header.length) return frames
      const payload = Uint8Array.from(rest.subarray(header.bytes, header.bytes + header.length))
      rest = rest.subarray(header.bytes + header.length)
      frames.push(frameOf(header.opcode, payload))
    }
  }
}

function readHeader(bytes: Buffer): { opcode: number; bytes: number; length: number } | null {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return null
  if ((first & 0xf0) !== 0x80 || (second & 0x80) !== 0) throw new Error('no unmasked whole frame')
  const opcode = first & 0x0f
  if (second < 126) return { opcode, bytes: 2, length: second }
  if (second === 126) return bytes.length < 4 ? null : { opcode, bytes: 4, length: bytes.readUInt16BE(2) }
  return bytes.length < 10 ? null : { opcode, bytes: 10, length: Number(bytes.readBigUInt64BE(2)) }
}

function frameOf(opcode: number, payload: Uint8Array): ServerFrame {
  switch (opcode) {
    case 2:
      return { type: 'message', bytes: payload }
    case 8:
      return { type: 'close', code: payload.length < 2 ? 1005 : Buffer.from(payload).readUInt16BE(0) }
    case 9:
      return { type: 'ping' }
    default:
      throw new Error(`a frame of opcode ${opcode}`)
  }
}
