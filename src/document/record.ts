/**
 * A record of the log: what one room committed at once, each update with its author and time.
 * `record := 02, varUint timeMs, varUint n, n × (varUint later, author, varUint8Array update)`: `later` is in
 * milliseconds after `timeMs`; `author := 00, varString` the first time, else `varUint k` for the k-th one of this
 * record, so that someone who types fast is named once. Version 1 had a time and a name with each update and is read.
 */
import { Fault } from '../errors.ts'
import { Reader } from '../reader.ts'
import { ByteWriter } from './byte-writer.ts'

const recordVersion = 2

/** `author` names the connection or the caller; `timeMs` is milliseconds since the epoch. */
export type LoggedUpdate = { readonly update: Uint8Array; readonly author: string; readonly timeMs: number }

/** Copies the updates into one new array. Times within a record never go back: one that did is the one before. */
export function encodeRecord(updates: readonly LoggedUpdate[]): Uint8Array {
  let bytes = 64
  for (const { update } of updates) bytes += update.length + 12
  const writer = new ByteWriter(bytes)
  const authors = new Map<string, number>()
  const startMs = updates[0]?.timeMs ?? 0
  let timeMs = startMs
  writer.writeByte(recordVersion)
  writer.writeVarUint(startMs)
  writer.writeVarUint(updates.length)
  for (const logged of updates) {
    timeMs = Math.max(timeMs, logged.timeMs)
    writer.writeVarUint(timeMs - startMs)
    writeAuthor(writer, logged.author, authors)
    writeBytes(writer, logged.update)
  }
  return writer.toUint8Array()
}

/** The updates are views of the record. Throws ERR_BAD_MESSAGE when it is none. */
export function decodeRecord(record: Uint8Array): LoggedUpdate[] {
  const reader = new Reader(record)
  const version = reader.varUint()
  if (version !== 1 && version !== recordVersion) {
    throw new Fault('ERR_BAD_MESSAGE', `a record of version ${version}`)
  }
  const startMs = version === 1 ? 0 : reader.varUint()
  const count = reader.varUint()
  const authors: string[] = []
  const updates: LoggedUpdate[] = []
  for (let i = 0; i < count; i++) {
    const timeMs = startMs + reader.varUint()
    const author = version === 1 ? reader.string() : readAuthor(reader, authors)
    updates.push({ timeMs, author, update: reader.byteArray() })
  }
  reader.end()
  return updates
}

function writeAuthor(writer: ByteWriter, author: string, authors: Map<string, number>): void {
  const index = authors.get(author)
  writer.writeVarUint(index ?? 0)
  if (index !== undefined) return
  authors.set(author, authors.size + 1)
  writeBytes(writer, Buffer.from(author))
}

function readAuthor(reader: Reader, authors: string[]): string {
  const index = reader.varUint()
  if (index === 0) authors.push(reader.string())
  const author = authors[index === 0 ? authors.length - 1 : index - 1]
  if (author === undefined) throw new Fault('ERR_BAD_MESSAGE', `author ${index} of a record that names fewer`)
  return author
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.writeVarUint(bytes.length)
  writer.writeRange(bytes, 0, bytes.length)
}
