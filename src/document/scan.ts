/**
 * The structural check every update passes before it is accepted: what it brings, what it deletes and what it hangs
 * on. Nothing is applied and nothing is kept of the bytes. It must not know what a room already has.
 */
import { Fault } from '../base/errors.ts'
import { at, sortRuns } from './runs.ts'
import type { Steps } from './steps.ts'
import { none, structRef, UpdateReader } from './update-reader.ts'

/** `length` clocks of `client`, from `clock` on. */
export type ClockRange = { readonly client: number; readonly clock: number; readonly length: number }

/** One clock of a client. */
export type ClockPoint = { readonly client: number; readonly clock: number }

/**
 * What an update holds. The arrays belong to the caller of the scan, but an empty one may be shared: do not change it.
 */
export type UpdateScan = {
  /** What it brings, in the order of the update; consecutive structs are one range, Skip structs are left out. */
  readonly structs: readonly ClockRange[]
  /** What it deletes, clients in the order of the update; a client's ranges ascend, neither overlapping nor adjacent. */
  readonly deletes: readonly ClockRange[]
  /**
   * Per other client at most one point: the highest clock that an origin, right origin or parent refers to, if it lies
   * beyond this update's own structs of that client. A reference below them, or to the struct's own client, is left
   * out: a range integrates only after all clocks of its client below it, so to ask for those is to ask for more.
   */
  readonly dependencies: readonly ClockPoint[]
}

/**
 * Yjs writes the deletions of a client in order. Others' need not be, but are sorted at one go, so that as many are
 * taken as a few ten milliseconds are enough for.
 */
const unsortedRangesMax = 131_072

const nothing: readonly never[] = Object.freeze([])

/**
 * `rangesMax`: how many ranges and dependencies are taken together; `clientsMax`: of how many clients there may be structs,
 * and of how many deletions. Without them as many as the bytes hold.
 */
export type ScanBounds = { readonly rangesMax?: number; readonly clientsMax?: number }

/** The fewest bytes of a client's block: count, client, clock and a struct of two bytes; and of its deletions. */
const blockBytesMin = 5
const deletesBytesMin = 2

/**
 * Checks a Yjs V1 update to its last byte. About 1 µs for a keystroke, linear in the bytes.
 * Throws ERR_UPDATE_MALFORMED for anything that Yjs could not read, or could not write again once read, and
 * ERR_UPDATE_TOO_LARGE beyond the bounds.
 */
export function scanUpdate(update: Uint8Array, bounds: ScanBounds = {}): UpdateScan {
  const scanner = new UpdateScanner(update, bounds)
  scanner.step(Number.POSITIVE_INFINITY)
  return scanner.result()
}

/** Whether the update is `00 00`: no structs, no deletions. */
export function isEmptyUpdate(update: Uint8Array): boolean {
  return update.length === 2 && update[0] === 0 && update[1] === 0
}

/** Bytes scanned in one step: some ten microseconds. */
const scanStepBytes = 4 * 1024

/** As `scanUpdate`, in steps. The bytes must not change meanwhile. */
export function* scanInSteps(update: Uint8Array, bounds: ScanBounds = {}): Steps<UpdateScan> {
  const scanner = createScanner(update, bounds)
  while (!scanner.step(scanStepBytes)) yield
  return scanner.result()
}

/**
 * The same check in slices. The scanner reads the caller's bytes: they must not change until it is done.
 */
export function createScanner(update: Uint8Array, bounds: ScanBounds = {}): UpdateScanner {
  return new UpdateScanner(update, bounds)
}

/** A scan in progress: first the structs, client by client, then the deletions. */
export class UpdateScanner {
  readonly #reader: UpdateReader
  readonly #rangesMax: number
  readonly #clientsMax: number
  readonly #structs: ClockRange[] = []
  #deletes: ClockRange[] | undefined
  readonly #clients = new ClientsSeen()
  readonly #references = new References()

  #phase: 'structs' | 'deletes' | 'done' = 'structs'
  #clientsLeft: number
  /** Structs, or delete ranges, left of the current client. */
  #itemsLeft = 0
  #deleteClient = none
  /** Where the ranges of the current client begin in `#deletes`, and all of them as runs once one came out of order. */
  #deletesStart = 0
  #unsorted: number[] | undefined
  /** The range being gathered, which the next struct or deletion may extend. */
  #runClient = none
  #runStart = 0
  #runEnd = 0

  constructor(update: Uint8Array, { rangesMax, clientsMax }: ScanBounds) {
    this.#rangesMax = rangesMax ?? Number.POSITIVE_INFINITY
    this.#clientsMax = clientsMax ?? Number.POSITIVE_INFINITY
    this.#reader = new UpdateReader(update, 0)
    this.#clientsLeft = this.#readClientCount(blockBytesMin)
  }

  /** What is announced is judged before anything of it is kept. */
  #readClientCount(bytesMin: number): number {
    const count = this.#reader.readVarUint()
    const { bytes, pos } = this.#reader
    if (count * bytesMin > bytes.length - pos) this.#reader.refuse('more clients than there are bytes for')
    if (count > this.#clientsMax) throw new Fault('ERR_UPDATE_TOO_LARGE', `an update of ${count} clients`)
    return count
  }

  /**
   * Reads on for about `bytesMax` bytes (at least one struct, which is read whole); true when the scan is complete.
   * Throws ERR_UPDATE_MALFORMED, after which the scanner is of no further use.
   */
  step(bytesMax: number): boolean {
    const until = this.#reader.pos + bytesMax
    if (this.#phase === 'structs') this.#readStructs(until)
    if (this.#phase === 'deletes') this.#readDeletes(until)
    return this.#phase === 'done'
  }

  /** What the update holds. Throws if the scan is not complete. */
  result(): UpdateScan {
    if (this.#phase !== 'done') throw new Error('the scan is not complete')
    return {
      structs: this.#structs,
      deletes: this.#deletes ?? nothing,
      dependencies: this.#references.beyond(this.#structs)
    }
  }

  #readStructs(until: number): void {
    while (this.#phase === 'structs' && this.#reader.pos < until) {
      if (this.#itemsLeft > 0) this.#readStruct()
      else if (this.#clientsLeft > 0) this.#beginBlock()
      else this.#beginDeletes()
    }
  }

  #beginBlock(): void {
    this.#clientsLeft--
    this.#itemsLeft = this.#reader.readBlockHeader()
    if (!this.#clients.add(this.#reader.client)) this.#reader.refuse('the same client twice')
  }

  #readStruct(): void {
    const reader = this.#reader
    this.#itemsLeft--
    reader.readStruct()
    if (reader.info === structRef.skip) return
    this.#references.add(reader)
    if (this.#references.size > this.#rangesMax) this.#refuseRanges()
    this.#extendRun(reader.client, reader.clock, reader.length)
  }

  #beginDeletes(): void {
    this.#flushRun(this.#structs)
    this.#phase = 'deletes'
    this.#clientsLeft = this.#readClientCount(deletesBytesMin)
    this.#clients.clear()
    if (this.#clientsLeft === 0) this.#finish()
  }

  #readDeletes(until: number): void {
    this.#deletes ??= []
    while (this.#phase === 'deletes' && this.#reader.pos < until) {
      if (this.#itemsLeft > 0) {
        this.#readDeleteRange(this.#deletes)
      } else if (this.#clientsLeft > 0) {
        this.#flushDeletes(this.#deletes)
        this.#beginDeletesOfClient()
      } else {
        this.#flushDeletes(this.#deletes)
        this.#finish()
      }
    }
  }

  #beginDeletesOfClient(): void {
    this.#clientsLeft--
    this.#deleteClient = this.#reader.readVarUint()
    this.#itemsLeft = this.#reader.readVarUint()
    if (!this.#clients.add(this.#deleteClient)) this.#reader.refuse('the same client twice in the delete set')
  }

  #readDeleteRange(deletes: ClockRange[]): void {
    this.#itemsLeft--
    const clock = this.#reader.readDeleteRange()
    const end = clock + this.#reader.length
    if (this.#runClient !== none && clock < this.#runStart) this.#unsorted ??= this.#takeBack(deletes)
    if (this.#unsorted !== undefined) {
      this.#unsorted.push(clock, end)
      if (this.#unsorted.length > 2 * unsortedRangesMax) this.#reader.refuse('too many deletions in no order')
    } else if (this.#runClient !== none && clock <= this.#runEnd) {
      this.#runEnd = Math.max(this.#runEnd, end)
    } else {
      this.#flushRun(deletes)
      this.#runClient = this.#deleteClient
      this.#runStart = clock
      this.#runEnd = end
    }
  }

  /** Takes the ranges of the current client out again, as runs. */
  #takeBack(deletes: ClockRange[]): number[] {
    this.#flushRun(deletes)
    const taken = deletes.splice(this.#deletesStart)
    return taken.flatMap(({ clock, length }) => [clock, clock + length])
  }

  #flushDeletes(deletes: ClockRange[]): void {
    this.#flushRun(deletes)
    const runs = this.#unsorted === undefined ? nothing : sortRuns(this.#unsorted)
    this.#unsorted = undefined
    const client = this.#deleteClient
    for (let i = 0; i < runs.length; i += 2) {
      deletes.push({ client, clock: at(runs, i), length: at(runs, i + 1) - at(runs, i) })
    }
    this.#checkRanges()
    this.#deletesStart = deletes.length
  }

  #finish(): void {
    if (this.#reader.pos !== this.#reader.bytes.length) this.#reader.refuse('bytes left over')
    this.#phase = 'done'
  }

  #extendRun(client: number, clock: number, length: number): void {
    if (client === this.#runClient && clock === this.#runEnd) {
      this.#runEnd = clock + length
      return
    }
    this.#flushRun(this.#structs)
    this.#runClient = client
    this.#runStart = clock
    this.#runEnd = clock + length
  }

  #flushRun(ranges: ClockRange[]): void {
    if (this.#runClient === none) return
    ranges.push({ client: this.#runClient, clock: this.#runStart, length: this.#runEnd - this.#runStart })
    this.#runClient = none
    this.#checkRanges()
  }

  /** Each range costs memory for as long as the document is open, and many times its bytes. */
  #checkRanges(): void {
    const count = this.#structs.length + (this.#deletes?.length ?? 0) + this.#references.size
    if (count > this.#rangesMax) this.#refuseRanges()
  }

  #refuseRanges(): never {
    throw new Fault('ERR_UPDATE_TOO_LARGE', `an update of more than ${this.#rangesMax} ranges`)
  }
}

/** Finds a client that comes twice. Clients are written in descending order, or ascending: a set is needed where they are not. */
class ClientsSeen {
  #last = none
  #order: 'none' | 'ascending' | 'descending' = 'none'
  #seen: number[] = []
  #unordered: Set<number> | undefined

  /** False if the client was added before. */
  add(client: number): boolean {
    if (this.#unordered === undefined && this.#goesOn(client)) {
      this.#last = client
      this.#seen.push(client)
      return true
    }
    this.#unordered ??= new Set(this.#seen)
    if (this.#unordered.has(client)) return false
    this.#unordered.add(client)
    return true
  }

  clear(): void {
    this.#last = none
    this.#order = 'none'
    this.#seen = []
    this.#unordered = undefined
  }

  #goesOn(client: number): boolean {
    if (this.#last === none) return true
    if (this.#order === 'none' && client !== this.#last)
      this.#order = client > this.#last ? 'ascending' : 'descending'
    return this.#order === 'ascending' ? client > this.#last : client < this.#last
  }
}

/** The highest clock referred to per other client; a map is made only when there is a second one. */
class References {
  #client = none
  #clock = none
  #others: Map<number, number> | undefined

  get size(): number {
    return this.#others?.size ?? 0
  }

  add(reader: UpdateReader): void {
    const client = reader.client
    if (reader.originClient !== none && reader.originClient !== client) {
      this.#note(reader.originClient, reader.originClock)
    }
    if (reader.rightClient !== none && reader.rightClient !== client) {
      this.#note(reader.rightClient, reader.rightClock)
    }
    if (reader.parentClient !== none && reader.parentClient !== client) {
      this.#note(reader.parentClient, reader.parentClock)
    }
  }

  #note(client: number, clock: number): void {
    if (client !== this.#client) this.#select(client)
    if (clock > this.#clock) this.#clock = clock
  }

  /** Puts the current client by and takes up another. */
  #select(client: number): void {
    if (this.#client !== none) {
      this.#others ??= new Map()
      this.#others.set(this.#client, this.#clock)
    }
    this.#client = client
    this.#clock = this.#others?.get(client) ?? none
  }

  /** Those at or beyond the end of the update's own structs of that client. */
  beyond(structs: readonly ClockRange[]): readonly ClockPoint[] {
    if (this.#client === none) return nothing
    if (this.#others === undefined) {
      const point = { client: this.#client, clock: this.#clock }
      return isBelowEnd(structs, point) ? nothing : [point]
    }
    this.#others.set(this.#client, this.#clock)
    const ends = new Map<number, number>()
    for (const range of structs) ends.set(range.client, range.clock + range.length)
    const points: ClockPoint[] = []
    for (const [client, clock] of this.#others) {
      if (clock >= (ends.get(client) ?? 0)) points.push({ client, clock })
    }
    return points
  }
}

function isBelowEnd(structs: readonly ClockRange[], point: ClockPoint): boolean {
  for (const range of structs) {
    if (range.client === point.client && point.clock < range.clock + range.length) return true
  }
  return false
}
