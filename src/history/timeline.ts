/**
 * Who changed what when, of one segment of a document's history: how much each client inserted and which ranges were
 * deleted, never a content. What is asked about authors and times is answered from it alone.
 *
 *   timeline := 01, varUint sequence, varUint timeMs, clients, authors, varUint n, n × change
 *   clients  := varUint n, n × (varUint client, varUint clock): the end of its clocks before the first change
 *   authors  := varUint n, n × (marks, [varString user], [varString connection])
 *   change   := varUint later, varUint laterMs, varUint author,
 *               varUint n, n × (varUint client, varUint length),
 *               varUint n, n × (varUint client, varUint clock, varUint length)
 *
 * `later` and `laterMs` are after the change before, and the first after the head; clients and authors of changes are
 * places in the lists, authors from 1, and 0 is one who is not known. Marks are those of persistence/author.ts.
 */
import { brotliDecompressSync } from 'node:zlib'
import type { Author } from '../../persistence/author.ts'
import { Fault } from '../base/errors.ts'
import { Reader } from '../base/reader.ts'
import { ByteWriter } from '../document/byte-writer.ts'
import { readMarkedAuthor, writeMarkedAuthor } from '../document/record.ts'
import type { ClockRange } from '../document/scan.ts'

const version = 1

/**
 * What one author did up to a record of the log. `sequence`: of the last record that it is of. `timeMs`: since the epoch;
 * it never goes back from one change to the next.
 */
export type Change = {
  readonly sequence: number
  readonly timeMs: number
  readonly author: Author | null
  readonly inserted: readonly ClockRange[]
  readonly deleted: readonly ClockRange[]
}

/** The vector is of before the first change; clients that nothing was inserted of may be missing. */
export type Timeline = { readonly before: ReadonlyMap<number, number>; readonly changes: readonly Change[] }

/** Each client's insertions begin where the ones before ended, as they do in a document. A new array. */
export function encodeTimeline({ before, changes }: Timeline): Uint8Array {
  const clients = new Places<number>()
  const authors = new Places<string>()
  const named: (Author | null)[] = []
  const body = new ByteWriter(64 + changes.length * 12)
  const [first] = changes
  let [sequence, timeMs] = [first?.sequence ?? 0, first?.timeMs ?? 0]
  body.writeVarUint(changes.length)
  for (const change of changes) {
    body.writeVarUint(change.sequence - sequence)
    body.writeVarUint(change.timeMs - timeMs)
    ;[sequence, timeMs] = [change.sequence, change.timeMs]
    body.writeVarUint(change.author === null ? 0 : 1 + placeOf(authors, named, change.author))
    writeRanges(body, change, clients)
  }
  const head = new ByteWriter(64 + clients.all.length * 10)
  head.writeByte(version)
  head.writeVarUint(first?.sequence ?? 0)
  head.writeVarUint(first?.timeMs ?? 0)
  head.writeVarUint(clients.all.length)
  for (const client of clients.all) {
    head.writeVarUint(client)
    head.writeVarUint(before.get(client) ?? 0)
  }
  head.writeVarUint(named.length)
  for (const author of named) writeMarkedAuthor(head, author)
  const bytes = body.finish()
  head.writeRange(bytes, 0, bytes.length)
  return head.toUint8Array()
}

/** Throws ERR_BAD_MESSAGE when it is none. */
export function decodeTimeline(bytes: Uint8Array): Timeline {
  const reader = new Reader(bytes)
  if (reader.varUint() !== version) throw new Fault('ERR_BAD_MESSAGE', 'a timeline of an unknown version')
  let [sequence, timeMs] = [reader.varUint(), reader.varUint()]
  const before = new Map<number, number>()
  for (let left = reader.varUint(); left > 0; left--) before.set(reader.varUint(), reader.varUint())
  const authors: (Author | null)[] = [null]
  for (let left = reader.varUint(); left > 0; left--) authors.push(readMarkedAuthor(reader))
  const places = { clients: [...before.keys()], ends: new Map(before) }
  const changes: Change[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    sequence += reader.varUint()
    timeMs += reader.varUint()
    const author = known(authors[reader.varUint()])
    changes.push({
      sequence,
      timeMs,
      author,
      inserted: readInserted(reader, places),
      deleted: readDeleted(reader, places)
    })
  }
  reader.end()
  return { before, changes }
}

/** Of a segment, as it is stored. Without a Y.Doc, so that the main thread may. Throws as `decodeTimeline`. */
export function unpackTimeline(packed: Uint8Array): Timeline {
  return decodeTimeline(brotliDecompressSync(packed))
}

/** Each value once, by the place where it came first. */
class Places<T> {
  readonly all: T[] = []
  readonly #places = new Map<T, number>()

  of(value: T): number {
    const known = this.#places.get(value)
    if (known !== undefined) return known
    this.#places.set(value, this.all.length)
    this.all.push(value)
    return this.all.length - 1
  }
}

function placeOf(authors: Places<string>, named: (Author | null)[], author: Author): number {
  const place = authors.of(JSON.stringify([author.origin, author.user, author.connection]))
  named[place] = author
  return place
}

function writeRanges(writer: ByteWriter, { inserted, deleted }: Change, clients: Places<number>): void {
  writer.writeVarUint(inserted.length)
  for (const { client, length } of inserted) {
    writer.writeVarUint(clients.of(client))
    writer.writeVarUint(length)
  }
  writer.writeVarUint(deleted.length)
  for (const { client, clock, length } of deleted) {
    writer.writeVarUint(clients.of(client))
    writer.writeVarUint(clock)
    writer.writeVarUint(length)
  }
}

type ReadPlaces = { readonly clients: readonly number[]; readonly ends: Map<number, number> }

function readInserted(reader: Reader, { clients, ends }: ReadPlaces): ClockRange[] {
  const ranges: ClockRange[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    const client = known(clients[reader.varUint()])
    const length = reader.varUint()
    const clock = ends.get(client) ?? 0
    ends.set(client, clock + length)
    ranges.push({ client, clock, length })
  }
  return ranges
}

function readDeleted(reader: Reader, { clients }: ReadPlaces): ClockRange[] {
  const ranges: ClockRange[] = []
  for (let left = reader.varUint(); left > 0; left--) {
    const client = known(clients[reader.varUint()])
    ranges.push({ client, clock: reader.varUint(), length: reader.varUint() })
  }
  return ranges
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Fault('ERR_BAD_MESSAGE', 'a timeline names what it does not list')
  return value
}
