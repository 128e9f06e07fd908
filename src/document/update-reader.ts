/**
 * A cursor over the bytes of one Yjs V1 update that checks every struct as it reads it: what it passes, Yjs can read
 * and write again. One struct at a time lies open in its fields, so that a pass over a document allocates nothing.
 * Layout: utils/encoding.js, structs/*.js of Yjs 13.6; it knows nothing about what is done with a struct.
 */
import { Fault } from '../base/errors.ts'
import { readAny, readSubdocument } from './any-value.ts'
import { equalsAscii, invalid, isJson, utf16Units } from './content-check.ts'

/** The low five bits of a struct's info byte (the content refs of structs/Item.js, with GC and Skip). */
export const structRef = {
  gc: 0,
  deleted: 1,
  json: 2,
  binary: 3,
  string: 4,
  embed: 5,
  format: 6,
  type: 7,
  any: 8,
  doc: 9,
  skip: 10
} as const

/** The high bits of an item's info byte. */
export const infoBit = { origin: 0x80, rightOrigin: 0x40, parentSub: 0x20 } as const

/** Stands for "no such reference" in the id fields of the reader. */
export const none = -1

/** The type refs that carry a name: YXmlElement and YXmlHook (structs/ContentType.js). */
const typeRefXmlElement = 3
const typeRefXmlHook = 5
const typeRefMax = 6

/**
 * Reads one update from front to back. Fields hold the struct read last; ids that are absent are `none`.
 * Every method throws ERR_UPDATE_MALFORMED with the byte where reading stopped.
 */
export class UpdateReader {
  bytes: Uint8Array
  /** The next byte to read. */
  pos: number

  /** Client and clock of the struct that comes next; `readStruct` moves the clock on. */
  client = 0
  nextClock = 0

  /** The struct read last: its info byte, clock, length in clocks, and where its bytes and its content begin. */
  info = 0
  clock = 0
  length = 0
  start = 0
  contentStart = 0

  originClient = none
  originClock = none
  rightClient = none
  rightClock = none
  parentClient = none
  parentClock = none

  constructor(bytes: Uint8Array, pos: number) {
    this.bytes = bytes
    this.pos = pos
  }

  /** Reads another update, from its beginning. */
  begin(bytes: Uint8Array): void {
    this.bytes = bytes
    this.pos = 0
  }

  /** A varUint of at most 2^53 − 1. */
  readVarUint(): number {
    const first = this.readByte()
    return first < 0x80 ? first : this.readVarUintRest(first)
  }

  private readVarUintRest(first: number): number {
    let value = first & 0x7f
    let scale = 0x80
    for (let i = 1; i < 8; i++) {
      const byte = this.readByte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.refuse('number beyond 2^53 - 1')
      scale *= 0x80
    }
    return this.refuse('number of more than 8 bytes')
  }

  readByte(): number {
    const byte = this.bytes[this.pos]
    if (byte === undefined) return this.refuse('the update ends too early')
    this.pos++
    return byte
  }

  /** The header of a client's block; answers the number of structs that follow, at least 1. */
  readBlockHeader(): number {
    const count = this.readVarUint()
    if (count === 0) this.refuse('client without structs')
    this.client = this.readVarUint()
    this.nextClock = this.readVarUint()
    return count
  }

  /** The next struct of the client's block, into the fields. */
  readStruct(): void {
    this.start = this.pos
    const info = this.readByte()
    this.info = info
    this.clock = this.nextClock
    const ref = info & 0x1f
    if (ref === structRef.gc || info === structRef.skip) {
      this.clearIds()
      this.contentStart = this.pos
      this.length = this.readVarUint()
    } else {
      this.readIds(info)
      this.contentStart = this.pos
      this.length = this.readContent(ref)
    }
    if (this.length === 0) this.refuse('struct of length 0')
    this.nextClock = this.clock + this.length
    if (this.nextClock > Number.MAX_SAFE_INTEGER) this.refuse('clock beyond 2^53 - 1')
  }

  /** One range of the delete set: its clock, and its length in the field `length`. */
  readDeleteRange(): number {
    const clock = this.readVarUint()
    const length = this.readVarUint()
    if (length === 0) this.refuse('deletion of length 0')
    if (clock + length > Number.MAX_SAFE_INTEGER) this.refuse('clock beyond 2^53 - 1')
    this.length = length
    return clock
  }

  /** Passes `count` elements of a ContentAny or ContentJSON; the cursor stands on the first of them. */
  passElements(ref: number, count: number): void {
    for (let i = 0; i < count; i++) {
      if (ref === structRef.any) readAny(this, 0)
      else this.readBytes()
    }
  }

  /** Passes length-prefixed bytes; answers where they begin. */
  readBytes(): number {
    const size = this.readVarUint()
    const start = this.pos
    if (size > this.bytes.length - start) this.refuse('length beyond the end')
    this.pos = start + size
    return start
  }

  /** Passes a string; answers its length in UTF-16 units. */
  readString(): number {
    const start = this.readBytes()
    const units = utf16Units(this.bytes, start, this.pos)
    return units === invalid ? this.refuse('string is not UTF-8') : units
  }

  refuse(why: string): never {
    throw new Fault('ERR_UPDATE_MALFORMED', `${why}, at byte ${this.pos}`)
  }

  private clearIds(): void {
    this.originClient = none
    this.originClock = none
    this.rightClient = none
    this.rightClock = none
    this.parentClient = none
    this.parentClock = none
  }

  private readIds(info: number): void {
    this.clearIds()
    if ((info & infoBit.origin) !== 0) {
      this.originClient = this.readVarUint()
      this.originClock = this.readIdClock(this.originClient)
    }
    if ((info & infoBit.rightOrigin) !== 0) {
      this.rightClient = this.readVarUint()
      this.rightClock = this.readIdClock(this.rightClient)
    }
    if ((info & (infoBit.origin | infoBit.rightOrigin)) === 0) this.readParent(info)
  }

  private readParent(info: number): void {
    // Yjs takes 1 for the name of a root type and anything else for an id (UpdateDecoderV1.readParentInfo).
    if (this.readVarUint() === 1) {
      this.readString()
    } else {
      this.parentClient = this.readVarUint()
      this.parentClock = this.readIdClock(this.parentClient)
    }
    if ((info & infoBit.parentSub) !== 0) this.readString()
  }

  /** Yjs looks up ids of the struct's own client unchecked, and overruns when they are not below it. */
  private readIdClock(client: number): number {
    const clock = this.readVarUint()
    if (client === this.client && clock >= this.clock) this.refuse('reference to itself or to what follows')
    return clock
  }

  /** Passes the content; answers its length in clocks. */
  private readContent(ref: number): number {
    switch (ref) {
      case structRef.deleted:
        return this.readVarUint()
      case structRef.string:
        return this.readString()
      case structRef.any:
        return this.readAnys()
      case structRef.json:
        return this.readJsons()
      case structRef.format:
        this.readString()
        this.readJson()
        return 1
      case structRef.embed:
        this.readJson()
        return 1
      case structRef.type:
        return this.readType()
      case structRef.binary:
        this.readBytes()
        return 1
      case structRef.doc:
        readSubdocument(this)
        return 1
      default:
        return this.refuse('unknown content')
    }
  }

  private readJson(): void {
    const start = this.readBytes()
    if (utf16Units(this.bytes, start, this.pos) === invalid) this.refuse('JSON is not UTF-8')
    if (!isJson(this.bytes, start, this.pos)) this.refuse('not JSON, or nested too deep')
  }

  /** ContentJSON writes `undefined` as a bare word (structs/ContentJSON.js). */
  private readJsons(): number {
    const count = this.readVarUint()
    for (let i = 0; i < count; i++) {
      const start = this.pos
      const text = this.readBytes()
      if (equalsAscii(this.bytes, text, this.pos, 'undefined')) continue
      this.pos = start
      this.readJson()
    }
    return count
  }

  private readType(): number {
    const typeRef = this.readVarUint()
    if (typeRef > typeRefMax) this.refuse('unknown type')
    if (typeRef === typeRefXmlElement || typeRef === typeRefXmlHook) this.readString()
    return 1
  }

  private readAnys(): number {
    const count = this.readVarUint()
    for (let i = 0; i < count; i++) readAny(this, 0)
    return count
  }
}
