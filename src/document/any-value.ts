/**
 * Passes lib0's "any" values, and subdocuments, whose options are one. Each is checked as it is passed: what it passes,
 * lib0 can read and write again, and it breaks no peer.
 */
import { contentDepthMax, equalsAscii, invalid, utf16Units } from './content-check.ts'

/** What reads an update, as values see it. */
type Cursor = {
  readonly bytes: Uint8Array
  /** The next byte to read. */
  pos: number
  readVarUint(): number
  readByte(): number
  readBytes(): number
  readString(): number
  refuse(why: string): never
}

/** The first byte of a lib0 "any" value, counted down from 127 (lib0/decoding.js, readAny). */
const anyRef = {
  bytes: 116,
  array: 117,
  object: 118,
  string: 119,
  bigint: 122,
  float64: 123,
  float32: 124,
  integer: 125,
  undefined: 127
} as const

/** Passes a lib0 "any" value; answers its ref. */
export function readAny(cursor: Cursor, depth: number): number {
  if (depth > contentDepthMax) cursor.refuse('nested too deep')
  const ref = cursor.readByte()
  switch (ref) {
    case anyRef.string:
      cursor.readString()
      break
    case anyRef.integer:
      readVarInt(cursor)
      break
    case anyRef.object:
      readAnyObject(cursor, depth)
      break
    case anyRef.array:
      readAnyArray(cursor, depth)
      break
    case anyRef.bytes:
      cursor.readBytes()
      break
    case anyRef.float32:
      skip(cursor, 4)
      break
    case anyRef.float64:
    case anyRef.bigint:
      skip(cursor, 8)
      break
    default:
      // What is left carries no bytes: booleans, null, undefined (120, 121, 126, 127).
      if (ref < anyRef.bytes || ref > anyRef.undefined) cursor.refuse('unknown any value')
  }
  return ref
}

/**
 * Passes a subdocument: its guid, then its options. Yjs spreads the options over those of `new Doc`, so they can break
 * the subdocument of every peer; it writes only `gc`, `autoLoad` and `meta` (structs/ContentDoc.js).
 */
export function readSubdocument(cursor: Cursor): void {
  cursor.readString()
  if (cursor.readByte() !== anyRef.object) cursor.refuse('subdocument options are no object')
  const count = cursor.readVarUint()
  for (let i = 0; i < count; i++) readSubdocumentOption(cursor)
}

function readSubdocumentOption(cursor: Cursor): void {
  const start = readKey(cursor)
  const end = cursor.pos
  const ref = readAny(cursor, 1)
  checkPrototype(cursor, start, end, ref)
  if (equalsAscii(cursor.bytes, start, end, 'gcFilter')) cursor.refuse('subdocument with a gcFilter')
  if (equalsAscii(cursor.bytes, start, end, 'guid') && ref !== anyRef.string) {
    cursor.refuse('subdocument guid is no string')
  }
}

function readAnyArray(cursor: Cursor, depth: number): void {
  const count = cursor.readVarUint()
  for (let i = 0; i < count; i++) readAny(cursor, depth + 1)
}

function readAnyObject(cursor: Cursor, depth: number): void {
  const count = cursor.readVarUint()
  for (let i = 0; i < count; i++) {
    const start = readKey(cursor)
    const end = cursor.pos
    checkPrototype(cursor, start, end, readAny(cursor, depth + 1))
  }
}

/** Passes a string; answers where its bytes begin. */
function readKey(cursor: Cursor): number {
  const start = cursor.readBytes()
  if (utf16Units(cursor.bytes, start, cursor.pos) === invalid) cursor.refuse('string is not UTF-8')
  return start
}

/**
 * lib0 assigns the key, which makes the value the object's prototype; writeAny then takes an object that descends
 * from bytes for a Uint8Array and throws, on every peer, whenever the document is encoded.
 */
function checkPrototype(cursor: Cursor, keyStart: number, keyEnd: number, ref: number): void {
  if (ref === anyRef.bytes && equalsAscii(cursor.bytes, keyStart, keyEnd, '__proto__')) {
    cursor.refuse('bytes as a prototype')
  }
}

/** An integer of "any": a sign bit and 6 bits, then 7 bits a byte. */
function readVarInt(cursor: Cursor): void {
  const first = cursor.readByte()
  if (first < 0x80) return
  let value = first & 0x3f
  let scale = 0x40
  for (let i = 1; i < 9; i++) {
    const byte = cursor.readByte()
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) cursor.refuse('number beyond 2^53 - 1')
      return
    }
    scale *= 0x80
  }
  cursor.refuse('number of more than 9 bytes')
}

function skip(cursor: Cursor, count: number): void {
  if (count > cursor.bytes.length - cursor.pos) cursor.refuse('the update ends too early')
  cursor.pos += count
}
