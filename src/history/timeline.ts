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
  const cursor = new ChangeCursor(bytes)
  const before = new Map(cursor.before)
  const changes: Change[] = []
  while (cursor.next()) {
    changes.push({
      sequence: cursor.sequence,
      timeMs: cursor.timeMs,
      author: cursor.author,
      inserted: rangesOf(cursor.inserted),
      deleted: rangesOf(cursor.deleted)
    })
  }
  return { before, changes }
}

/** Ranges as numbers: client, clock, length, client, clock, length, … */
export type FlatRanges = readonly number[]

function rangesOf(flat: FlatRanges): ClockRange[] {
  const ranges: ClockRange[] = []
  for (let at = 0; at < flat.length; at += 3) {
    ranges.push({ client: known(flat[at]), clock: known(flat[at + 1]), length: known(flat[at + 2]) })
  }
  return ranges
}

/**
 * The changes of a timeline one after the other, in fields that the next one overwrites: a document that was typed has ten
 * thousands of changes, of which a question wants a few numbers. The constructor and `next` throw ERR_BAD_MESSAGE.
 */
export class ChangeCursor {
  readonly before: ReadonlyMap<number, number>
  /** Of which `authorPlace` is a place; the first is one who is not known. */
  readonly authors: readonly (Author | null)[]
  sequence: number
  timeMs: number
  authorPlace = 0
  readonly inserted: number[] = []
  readonly deleted: number[] = []

  readonly #reader: Reader
  readonly #clients: readonly number[]
  /** By the places of the clients: the end of what was inserted so far. */
  readonly #ends: number[]
  #left: number

  constructor(bytes: Uint8Array) {
    const reader = new Reader(bytes)
    if (reader.varUint() !== version) throw new Fault('ERR_BAD_MESSAGE', 'a timeline of an unknown version')
    this.#reader = reader
    this.sequence = reader.varUint()
    this.timeMs = reader.varUint()
    const before = new Map<number, number>()
    for (let left = reader.varUint(); left > 0; left--) before.set(reader.varUint(), reader.varUint())
    const authors: (Author | null)[] = [null]
    for (let left = reader.varUint(); left > 0; left--) authors.push(readMarkedAuthor(reader))
    this.before = before
    this.authors = authors
    this.#clients = [...before.keys()]
    this.#ends = [...before.values()]
    this.#left = reader.varUint()
  }

  /** How many changes are left to be read. */
  get left(): number {
    return this.#left
  }

  get author(): Author | null {
    return known(this.authors[this.authorPlace])
  }

  /** Reads the next change into the fields. False: there is none. */
  next(): boolean {
    const reader = this.#reader
    if (this.#left === 0) {
      reader.end()
      return false
    }
    this.#left--
    this.sequence += reader.varUint()
    this.timeMs += reader.varUint()
    this.authorPlace = reader.varUint()
    if (this.authorPlace >= this.authors.length) throw unlisted()
    this.#readInserted()
    this.#readDeleted()
    return true
  }

  #readInserted(): void {
    const { inserted } = this
    const reader = this.#reader
    inserted.length = 0
    for (let left = reader.varUint(); left > 0; left--) {
      const place = reader.varUint()
      const clock = known(this.#ends[place])
      const length = reader.varUint()
      this.#ends[place] = clock + length
      inserted.push(known(this.#clients[place]), clock, length)
    }
  }

  #readDeleted(): void {
    const { deleted } = this
    const reader = this.#reader
    deleted.length = 0
    for (let left = reader.varUint(); left > 0; left--) {
      deleted.push(known(this.#clients[reader.varUint()]), reader.varUint(), reader.varUint())
    }
  }
}

/** Of a segment, as it is stored, to be read change by change. */
export function packedChanges(packed: Uint8Array): ChangeCursor {
  return new ChangeCursor(brotliDecompressSync(packed))
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

function known<T>(value: T | undefined): T {
  if (value === undefined) throw unlisted()
  return value
}

function unlisted(): Fault {
  return new Fault('ERR_BAD_MESSAGE', 'a timeline names what it does not list')
}
