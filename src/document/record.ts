/**
 * A record of the log: what one room committed at once, each update with its author and time.
 * `record := 03, varUint timeMs, varUint n, n × (varUint later, author, varUint8Array update)`: `later` is in
 * milliseconds after `timeMs`; `author := 00, marks, [varString user], [varString connection]` the first time, else
 * `varUint k` for the k-th one of this record, so that someone who types fast is named once. The marks are those of
 * persistence/author.ts. Versions 1 (a time and a name with each update) and 2 (a name as author) are read.
 */
import {
  type Author,
  authorMarks,
  authorMarksMax,
  authorOfName,
  readAuthor
} from '../../persistence/author.ts'
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from './byte-writer.ts'

export const recordVersion = 3

/** `author`: null when it is not known; `timeMs` is milliseconds since the epoch. */
export type LoggedUpdate = {
  readonly update: Uint8Array
  readonly author: Author | null
  readonly timeMs: number
}

/**
 * Copies the updates into one new array. Times within a record never go back: one that did is the one before. An author
 * is named once for each object, so whoever commits often does so with the same one.
 */
export function encodeRecord(updates: readonly LoggedUpdate[]): Uint8Array {
  let bytes = 64
  for (const { update } of updates) bytes += update.length + 12
  const writer = new ByteWriter(bytes)
  const authors = new Map<Author | null, number>()
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
  return writer.finish()
}

/** The updates are views of the record. Throws ERR_BAD_MESSAGE when it is none. */
export function decodeRecord(record: Uint8Array): LoggedUpdate[] {
  const reader = new Reader(record)
  const version = reader.varUint()
  if (version < 1 || version > recordVersion) {
    throw new Fault('ERR_BAD_MESSAGE', `a record of version ${version}`)
  }
  const startMs = version === 1 ? 0 : reader.varUint()
  const count = reader.varUint()
  const authors: (Author | null)[] = []
  const updates: LoggedUpdate[] = []
  for (let i = 0; i < count; i++) {
    const timeMs = startMs + reader.varUint()
    const author = version === 1 ? authorOfName(reader.string()) : authorNext(reader, version, authors)
    updates.push({ timeMs, author, update: reader.byteArray() })
  }
  reader.end()
  return updates
}

/** When its first update was committed, and how many it has, without reading them. Throws ERR_BAD_MESSAGE when it is none. */
export function recordHead(record: Uint8Array): { readonly timeMs: number; readonly updates: number } {
  const reader = new Reader(record)
  if (reader.varUint() > 1) {
    const timeMs = reader.varUint()
    return { timeMs, updates: reader.varUint() }
  }
  const updates = reader.varUint()
  return { timeMs: updates === 0 ? 0 : reader.varUint(), updates }
}

function writeAuthor(writer: ByteWriter, author: Author | null, authors: Map<Author | null, number>): void {
  const index = authors.get(author)
  writer.writeVarUint(index ?? 0)
  if (index !== undefined) return
  authors.set(author, authors.size + 1)
  writeMarkedAuthor(writer, author)
}

/** `author := marks, [varString user], [varString connection]`, with the marks of persistence/author.ts. */
export function writeMarkedAuthor(writer: ByteWriter, author: Author | null): void {
  writer.writeByte(authorMarks(author))
  if (author === null) return
  if (author.user !== null) writer.writeString(author.user)
  if (author.connection !== null) writer.writeString(author.connection)
}

function authorNext(reader: Reader, version: number, authors: (Author | null)[]): Author | null {
  const index = reader.varUint()
  if (index === 0) {
    const author = version === 2 ? authorOfName(reader.string()) : readMarkedAuthor(reader)
    authors.push(author)
    return author
  }
  const author = authors[index - 1]
  if (author === undefined) throw new Fault('ERR_BAD_MESSAGE', `author ${index} of a record that names fewer`)
  return author
}

/** Throws ERR_BAD_MESSAGE for marks of a later version. */
export function readMarkedAuthor(reader: Reader): Author | null {
  const marks = reader.varUint()
  if (marks > authorMarksMax) throw new Fault('ERR_BAD_MESSAGE', `an author of the marks ${marks}`)
  return readAuthor(marks, () => reader.string())
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.writeVarUint(bytes.length)
  writer.writeRange(bytes, 0, bytes.length)
}
