/**
 * The stored format, version 1: every key and value of the database as bytes. Pure. README.md describes the
 * same layouts byte by byte; both change together, with a new format version.
 *
 * value := crc32(key . rest) as u32 . rest        rest := kind u8 . body        all integers big-endian
 */
import { crc32 } from 'node:zlib'
import { bounds } from './bounds.ts'
import type { Run } from './runs.ts'
import { StoreError, type Tombstone } from './store.ts'

/** Numbers are 48 bits: enough for ten thousand records a second over 800 years, and exact in a double. */
export const numberMax = 2 ** 48 - 1

const numberBytes = 6
const headerBytes = 5

const letters = {
  counters: 0x63, // c
  head: 0x68, // h
  history: 0x6b, // k
  metadata: 0x6d, // m
  probe: 0x70, // p
  setAside: 0x71, // q
  record: 0x72, // r
  segment: 0x73, // s
  tombstone: 0x74, // t
  changeMark: 0x75, // u, as in untold
  garbage: 0x78 // x
} as const

/** Kind and version of a value in one byte: a new layout of a kind takes a new number. */
export const kinds = {
  counters: 0x01,
  head: 0x02,
  record: 0x03,
  segment: 0x04,
  checkpointMeta: 0x05,
  /** Read, and no longer written: its author was one name. */
  setAsideNamed: 0x06,
  metadata: 0x07,
  garbage: 0x08,
  probe: 0x09,
  tombstone: 0x0a,
  setAside: 0x0b,
  /** Its bytes lie in parts. */
  setAsideInParts: 0x0c,
  historyManifest: 0x0d,
  historyMark: 0x0e,
  historyBlob: 0x0f,
  /** What of a blob lies behind its first part. */
  historyBlobPart: 0x10,
  changeMark: 0x11
} as const

export type KeyRange = { readonly from: Buffer; readonly to: Buffer }

// ── names
// ────────────────────────────────────────────────────────────────────────────────────────────────────

const loneSurrogate = /\p{Surrogate}/u

/**
 * UTF-8 of a document name or metadata key. Throws STORE_ARGUMENT for an empty, ill-formed or too long one.
 */
export function encodeName(name: string): Buffer {
  if (typeof name !== 'string' || name.length === 0) {
    throw new StoreError('STORE_ARGUMENT', 'A name must be a non-empty string')
  }
  return encodePrefix(name)
}

/** As `encodeName`, for the beginning of a name, which may be empty. */
export function encodePrefix(prefix: string): Buffer {
  if (loneSurrogate.test(prefix)) {
    throw new StoreError('STORE_ARGUMENT', 'A name must be well-formed: it holds a lone surrogate')
  }
  const bytes = Buffer.from(prefix, 'utf8')
  if (bytes.length > bounds.nameBytesMax) {
    throw new StoreError('STORE_ARGUMENT', `A name is at most ${bounds.nameBytesMax} bytes of UTF-8`)
  }
  return bytes
}

// ── keys
// ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const countersKey = Buffer.from([letters.counters])
export const probeKey = Buffer.from([letters.probe])
export const everything: KeyRange = { from: Buffer.alloc(0), to: Buffer.from([0xff]) }
export const allGarbage: KeyRange = letterRange(letters.garbage)
export const allTombstones: KeyRange = letterRange(letters.tombstone)
export const allSetAside: KeyRange = letterRange(letters.setAside)

export function headKey(name: Buffer): Buffer {
  return lettered(letters.head, name)
}

export function tombstoneKey(name: Buffer): Buffer {
  return lettered(letters.tombstone, name)
}

/** The name in the key of a head, a tombstone, a mark or a history. */
export function nameOfKey(key: Buffer): string {
  return key.toString('utf8', 1)
}

/** Head keys of names that begin with `prefix` and come after `after` (exclusive; empty: from the start). */
export function headRange(prefix: Buffer, after: Buffer): KeyRange {
  return namedRange(letters.head, prefix, after)
}

export function changeMarkKey(name: Buffer): Buffer {
  return lettered(letters.changeMark, name)
}

export function changeMarkRange(after: Buffer): KeyRange {
  return namedRange(letters.changeMark, Buffer.alloc(0), after)
}

export function historyKey(name: Buffer): Buffer {
  return lettered(letters.history, name)
}

export function historyRange(after: Buffer): KeyRange {
  return namedRange(letters.history, Buffer.alloc(0), after)
}

function namedRange(letter: number, prefix: Buffer, after: Buffer): KeyRange {
  const first = lettered(letter, prefix)
  // The smallest key above another one is that key with a zero byte behind it.
  const next = Buffer.concat([lettered(letter, after), Buffer.alloc(1)])
  const from = after.length > 0 && Buffer.compare(next, first) > 0 ? next : first
  return { from, to: afterPrefix(first) }
}

export function metadataKey(name: Buffer): Buffer {
  return lettered(letters.metadata, name)
}

export function recordKey(incarnation: number, sequence: number): Buffer {
  return numberedKey(letters.record, incarnation, sequence, 0)
}

export function sequenceOfRecordKey(key: Buffer): number {
  return key.readUIntBE(1 + numberBytes, numberBytes)
}

/** Record keys of an incarnation with first <= sequence <= last. */
export function recordRange(incarnation: number, first: number, last: number): KeyRange {
  return { from: recordKey(incarnation, first), to: afterPrefix(recordKey(incarnation, last)) }
}

/** Index 0 holds the checkpoint's meta; segment i lies at i + 1. */
export function segmentKey(incarnation: number, generation: number, index: number): Buffer {
  const key = numberedKey(letters.segment, incarnation, generation, 4)
  key.writeUInt32BE(index, 1 + 2 * numberBytes)
  return key
}

/** Segment keys (meta included) of an incarnation with first <= generation <= last. */
export function segmentRange(incarnation: number, first: number, last: number): KeyRange {
  const to = afterPrefix(numberedKey(letters.segment, incarnation, last, 0))
  return { from: numberedKey(letters.segment, incarnation, first, 0), to }
}

/**
 * Why something is garbage; the last byte of a garbage key. `history` is no garbage but what a history holds (see
 * `history-format.ts`): it lies here so that readers find it with what they read anyway. `blobs`: the runs are numbers of
 * blobs. `released`: records that a history has released.
 */
export const garbagePurposes = {
  unfinished: 1,
  replaced: 2,
  deleted: 3,
  history: 4,
  blobs: 5,
  released: 6
} as const
export type GarbagePurpose = keyof typeof garbagePurposes

export function garbageKey(incarnation: number, generation: number, purpose: GarbagePurpose): Buffer {
  const key = numberedKey(letters.garbage, incarnation, generation, 1)
  key[1 + 2 * numberBytes] = garbagePurposes[purpose]
  return key
}

/** The purpose as it lies there, which may be one of a later version. */
export function decodeGarbageKey(key: Buffer): { readonly generation: number; readonly purpose: number } {
  return { generation: key.readUIntBE(1 + numberBytes, numberBytes), purpose: key[1 + 2 * numberBytes] ?? 0 }
}

export function garbageRange(incarnation: number): KeyRange {
  const from = Buffer.alloc(1 + numberBytes)
  from[0] = letters.garbage
  from.writeUIntBE(incarnation, 1, numberBytes)
  return { from, to: afterPrefix(from) }
}

/** The size stands in the key so that making room needs no values. */
export function setAsideKey(name: Buffer, number: number, size: number): Buffer {
  const prefix = setAsidePrefix(name)
  const key = Buffer.alloc(prefix.length + numberBytes + 4)
  prefix.copy(key)
  key.writeUIntBE(number, prefix.length, numberBytes)
  key.writeUInt32BE(size, prefix.length + numberBytes)
  return key
}

export function setAsideRange(name: Buffer): KeyRange {
  const prefix = setAsidePrefix(name)
  return { from: prefix, to: afterPrefix(prefix) }
}

export function decodeSetAsideKey(key: Buffer): { number: number; size: number } {
  const at = key.length - numberBytes - 4
  return { number: key.readUIntBE(at, numberBytes), size: key.readUInt32BE(at + numberBytes) }
}

export function nameOfSetAsideKey(key: Buffer): Buffer {
  return key.subarray(3, 3 + key.readUInt16BE(1))
}

function setAsidePrefix(name: Buffer): Buffer {
  // The length in front keeps the entries of a name apart from those of a longer name that begins with it.
  const length = Buffer.alloc(3)
  length[0] = letters.setAside
  length.writeUInt16BE(name.length, 1)
  return Buffer.concat([length, name])
}

function lettered(letter: number, rest: Buffer): Buffer {
  const key = Buffer.allocUnsafe(1 + rest.length)
  key[0] = letter
  rest.copy(key, 1)
  return key
}

function numberedKey(letter: number, first: number, second: number, more: number): Buffer {
  const key = Buffer.allocUnsafe(1 + 2 * numberBytes + more)
  key[0] = letter
  key.writeUIntBE(first, 1, numberBytes)
  key.writeUIntBE(second, 1 + numberBytes, numberBytes)
  return key
}

function letterRange(letter: number): KeyRange {
  return { from: Buffer.from([letter]), to: Buffer.from([letter + 1]) }
}

/** The smallest key above every key that begins with `prefix`; the letter in front is never 0xff. */
function afterPrefix(prefix: Buffer): Buffer {
  let end = prefix.length
  while (prefix[end - 1] === 0xff) end--
  const bound = Buffer.from(prefix.subarray(0, end))
  bound[end - 1] = (bound[end - 1] ?? 0) + 1
  return bound
}

// ── values
// ───────────────────────────────────────────────────────────────────────────────────────────────────

/** The value for a key: checksum, kind, body in one new buffer. The checksum covers the key as well. */
export function seal(key: Buffer, kind: number, body: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(headerBytes + body.length)
  value[4] = kind
  value.set(body, headerBytes)
  value.writeUInt32BE(crc32(value.subarray(4), crc32(key)), 0)
  return value
}

export type Unsealed = { readonly body: Buffer } | { readonly damage: string }

/** The body of a value, or why it cannot be trusted. The body is a view of `value`. */
export function unseal(key: Buffer, kind: number, value: Buffer): Unsealed {
  if (value.length < headerBytes) return { damage: `only ${value.length} bytes` }
  if (value.readUInt32BE(0) !== crc32(value.subarray(4), crc32(key)))
    return { damage: 'checksum does not match' }
  if (value[4] !== kind) return { damage: `unknown kind ${value[4]}` }
  return { body: value.subarray(headerBytes) }
}

/** As `unseal`, where damage is a refusal: STORE_DAMAGED naming `what`. */
export function unsealOrThrow(key: Buffer, kind: number, value: Buffer, what: string): Buffer {
  const unsealed = unseal(key, kind, value)
  if ('body' in unsealed) return unsealed.body
  throw new StoreError(
    'STORE_DAMAGED',
    `${what} cannot be read: ${unsealed.damage}. Its bytes were left in place.`
  )
}

/** A plain Uint8Array over the same memory: callers must not meet Buffer's own `slice` and `equals`. */
export function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Store-wide: the next incarnation, and the highest sequence number any deleted document reached. */
export type Counters = { readonly nextIncarnation: number; readonly sequenceFloor: number }

export function encodeCounters(counters: Counters): Buffer {
  return numbers(counters.nextIncarnation, counters.sequenceFloor)
}

export function decodeCounters(body: Buffer): Counters {
  return { nextIncarnation: numberAt(body, 0), sequenceFloor: numberAt(body, 1) }
}

/**
 * What is known of a document. `generation` 0: no checkpoint. On disk `lastSequence` is a mark, the highest
 * number given out when the head was written; records may lie above it.
 */
export type Head = {
  readonly incarnation: number
  readonly lastSequence: number
  readonly generation: number
  readonly segmentCount: number
  /** Whether the document has a mark of changes. Absent: not looked at; it is in memory alone. */
  readonly isMarked?: boolean
}

export function encodeHead(head: Head): Buffer {
  return numbers(head.incarnation, head.lastSequence, head.generation, head.segmentCount)
}

export function decodeHead(body: Buffer): Head {
  return {
    incarnation: numberAt(body, 0),
    lastSequence: numberAt(body, 1),
    generation: numberAt(body, 2),
    segmentCount: numberAt(body, 3)
  }
}

/**
 * A note that something is no longer part of any document, written before it is removed and taken away after:
 * generations firstGeneration..lastGeneration and the records of `runs` (ascending, apart). 0..0: no
 * segments.
 */
export type Garbage = {
  readonly incarnation: number
  readonly firstGeneration: number
  readonly lastGeneration: number
  readonly runs: readonly Run[]
}

export function encodeGarbage(garbage: Garbage): Buffer {
  const { incarnation, firstGeneration, lastGeneration, runs } = garbage
  const body = Buffer.allocUnsafe((3 + 2 * runs.length) * numberBytes)
  numbers(incarnation, firstGeneration, lastGeneration).copy(body)
  runs.forEach((run, index) => {
    body.writeUIntBE(run.first, (3 + 2 * index) * numberBytes, numberBytes)
    body.writeUIntBE(run.last, (4 + 2 * index) * numberBytes, numberBytes)
  })
  return body
}

export function decodeGarbage(body: Buffer): Garbage {
  const runs: Run[] = []
  for (let at = 3; (at + 2) * numberBytes <= body.length; at += 2) {
    runs.push({ first: numberAt(body, at), last: numberAt(body, at + 1) })
  }
  return {
    incarnation: numberAt(body, 0),
    firstGeneration: numberAt(body, 1),
    lastGeneration: numberAt(body, 2),
    runs
  }
}

/** time f64 . bytes */
export function encodeTombstone({ timeMs, bytes }: Tombstone): Buffer {
  const time = Buffer.alloc(8)
  time.writeDoubleBE(timeMs, 0)
  return Buffer.concat([time, bytes])
}

export function decodeTombstone(body: Buffer): Tombstone {
  return { timeMs: body.readDoubleBE(0), bytes: plain(body.subarray(8)) }
}

/** Each in 6 bytes. */
export function numbers(...values: readonly number[]): Buffer {
  const body = Buffer.allocUnsafe(values.length * numberBytes)
  values.forEach((value, index) => {
    body.writeUIntBE(value, index * numberBytes, numberBytes)
  })
  return body
}

/** The number at a place, counted in numbers. */
export function numberAt(body: Buffer, index: number): number {
  return body.readUIntBE(index * numberBytes, numberBytes)
}
