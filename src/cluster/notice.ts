/**
 * What nodes tell each other of the log, as bytes. The bus may lose, repeat and reorder notices: each says all that it
 * takes to use it.
 *
 *   notice := 01, varString incarnation, varUint sequence, varString node, varUint batch, [record]
 *           | 02
 *
 * The record is left out where it would be too long for the bus; who hears of it reads it from the store. 02: the document
 * has a new checkpoint, or is gone. Which, and whether it is true, is asked of the store.
 */
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import type { Notice } from '../room/nodes.ts'

const recordAppended = 1
const documentChanged = 2

/** Told of a new checkpoint or a deletion. */
export const changeNotice: Uint8Array = Uint8Array.of(documentChanged)

export function isChangeNotice(bytes: Uint8Array): boolean {
  return bytes[0] === documentChanged
}

/** At most `bytesMax` long: without the record, if need be. */
export function writeNotice(
  { incarnation, sequence, identity, record }: Notice,
  bytesMax: number
): Uint8Array {
  const writer = new ByteWriter(96 + (record?.length ?? 0))
  writer.writeByte(recordAppended)
  writer.writeString(incarnation)
  writer.writeVarUint(sequence)
  writer.writeString(identity.node)
  writer.writeVarUint(identity.batch)
  if (record !== null && writer.length + record.length <= bytesMax)
    writer.writeRange(record, 0, record.length)
  return writer.finish()
}

/** The record is a copy. Null: a notice of a later version. Throws ERR_BAD_MESSAGE when it is none. */
export function readNotice(bytes: Uint8Array): Notice | null {
  const reader = new Reader(bytes)
  if (reader.varUint() !== recordAppended) return null
  const incarnation = reader.string()
  const sequence = reader.varUint()
  const identity = { node: reader.string(), batch: reader.varUint() }
  const record = reader.isAtEnd ? null : bytes.slice(reader.position)
  return { incarnation, sequence, identity, record }
}
