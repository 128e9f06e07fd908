/** A document that Yjs takes hours to integrate, out of few bytes. */
import { ByteWriter } from '../../src/document/byte-writer.ts'

/**
 * `count` structs, and as many that all have the first of them as their origin and each a right origin of its own: Yjs
 * looks at all before it for each. Some 15 bytes each pair; the time grows with the square.
 */
export function hostileUpdate(count: number): Uint8Array {
  const writer = new ByteWriter(count * 12)
  writer.writeByte(2)
  writer.writeVarUint(count)
  for (const byte of [2, 0, 0x04, 1, 1, 0x74, 1, 0x61]) writer.writeByte(byte)
  for (let clock = 1; clock < count; clock++) {
    for (const byte of [0x84, 2]) writer.writeByte(byte)
    writer.writeVarUint(clock - 1)
    for (const byte of [1, 0x61]) writer.writeByte(byte)
  }
  writer.writeVarUint(count)
  for (const byte of [1, 0]) writer.writeByte(byte)
  for (let clock = 0; clock < count; clock++) {
    for (const byte of [0xc4, 2, 0, 2]) writer.writeByte(byte)
    writer.writeVarUint(count - 1 - clock)
    for (const byte of [1, 0x62]) writer.writeByte(byte)
  }
  writer.writeByte(0)
  return writer.toUint8Array()
}
