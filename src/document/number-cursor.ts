/** A place in bytes from which numbers are read without throwing: for logs, which are opened while the code is cold. */
export class NumberCursor {
  bytes: Uint8Array = new Uint8Array(0)
  /** The next byte to read. */
  pos = 0

  /** A varUint of up to seven bytes. −1 if it is longer or cut short, which is no length, no count and no clock. */
  number(): number {
    const { bytes } = this
    let { pos } = this
    let byte = bytes[pos++] ?? 0x80
    let value = byte & 0x7f
    for (let scale = 0x80; byte > 0x7f; scale *= 0x80) {
      if (scale > 2 ** 42) return -1
      byte = bytes[pos++] ?? 0x80
      value += (byte & 0x7f) * scale
    }
    this.pos = pos
    return value
  }
}
