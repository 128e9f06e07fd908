/**
 * A record of the log: what one room committed at once, each update with its author and time.
 * `record := 01, varUint n, n × (varUint timeMs, varString author, varUint8Array update)`.
 */
import { Fault } from '../errors.ts'
import { Reader } from '../reader.ts'
import { ByteWriter } from './byte-writer.ts'

const recordVersion = 1

/** `author` names the connection or the caller; `timeMs` is milliseconds since the epoch. */
export type LoggedUpdate = { readonly update: Uint8Array; readonly author: string; readonly timeMs: number }

/** Copies the updates into one new array. */
export function encodeRecord(updates: readonly LoggedUpdate[]): Uint8Array {
  let bytes = 16
  const authors = updates.map(({ author }) => Buffer.from(author))
  for (const [i, { update }] of updates.entries()) bytes += update.length + (authors[i]?.length ?? 0) + 24
  const writer = new ByteWriter(bytes)
  writer.writeByte(recordVersion)
  writer.writeVarUint(updates.length)
  for (const [i, { update, timeMs }] of updates.entries()) {
    writer.writeVarUint(timeMs)
    writeBytes(writer, authors[i] ?? new Uint8Array(0))
    writeBytes(writer, update)
  }
  return writer.toUint8Array()
}

/** The updates are views of the record. Throws ERR_BAD_MESSAGE when it is none. */
export function decodeRecord(record: Uint8Array): LoggedUpdate[] {
  const reader = new Reader(record)
  const version = reader.varUint()
  if (version !== recordVersion) throw new Fault('ERR_BAD_MESSAGE', `a record of version ${version}`)
  const count = reader.varUint()
  const updates: LoggedUpdate[] = []
  for (let i = 0; i < count; i++) {
    const timeMs = reader.varUint()
    const author = reader.string()
    updates.push({ timeMs, author, update: reader.byteArray() })
  }
  reader.end()
  return updates
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.writeVarUint(bytes.length)
  writer.writeRange(bytes, 0, bytes.length)
}
