/**
 * The strings, JSON texts and lib0 "any" values inside a struct, checked as bytes: nothing is decoded, nothing is
 * allocated. Each function tells where a value ends, or how long it is; it knows neither structs nor updates.
 */
import { isAscii, isUtf8 } from 'node:buffer'

/**
 * How deep arrays and objects may nest in one JSON or "any" value. Yjs reads and writes them by recursion, and so do
 * its readers (JSON.stringify, toJSON); Node overflows its stack at several thousand, small browser stacks earlier.
 */
export const contentDepthMax = 500

/** What the checks answer instead of an end or a length when the bytes are not what they should be. */
export const invalid = -1

/** Below this many bytes a loop is faster than two native calls. */
const nativeBytesMin = 48

/**
 * The length of bytes[start, end) in UTF-16 units, or `invalid` where lib0's fatal TextDecoder would throw
 * (overlong forms, encoded surrogates, beyond U+10FFFF, truncated).
 */
export function utf16Units(bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= nativeBytesMin) return unitsOfLong(bytes.subarray(start, end))
  for (let at = start; at < end; at++) {
    if (byteAt(bytes, at) >= 0x80) return unitsFrom(bytes, at, end, at - start)
  }
  return end - start
}

function unitsOfLong(text: Uint8Array): number {
  if (isAscii(text)) return text.length
  if (!isUtf8(text)) return invalid
  let units = 0
  for (let at = 0; at < text.length; at++) {
    const byte = byteAt(text, at)
    // Every byte that is no continuation starts a unit, and a lead of four bytes starts a surrogate pair.
    units += ((byte & 0xc0) === 0x80 ? 0 : 1) + (byte >= 0xf0 ? 1 : 0)
  }
  return units
}

function unitsFrom(bytes: Uint8Array, from: number, end: number, unitsBefore: number): number {
  let units = unitsBefore
  let at = from
  while (at < end) {
    const size = codePointBytes(bytes, at, end)
    if (size === invalid) return invalid
    units += size === 4 ? 2 : 1
    at += size
  }
  return units
}

/** Table 3-7 of the Unicode standard: the second byte's range excludes overlong forms and surrogates. */
function codePointBytes(bytes: Uint8Array, at: number, end: number): number {
  const lead = byteAt(bytes, at)
  if (lead < 0x80) return 1
  if (lead < 0xc2 || lead > 0xf4) return invalid
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  if (at + size > end) return invalid
  const second = byteAt(bytes, at + 1)
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return invalid
  for (let i = 2; i < size; i++) {
    if ((byteAt(bytes, at + i) & 0xc0) !== 0x80) return invalid
  }
  return size
}

/**
 * Whether bytes[start, end), known to be UTF-8, is exactly one text that JSON.parse accepts, nested no deeper than
 * `contentDepthMax`.
 */
export function isJson(bytes: Uint8Array, start: number, end: number): boolean {
  const after = jsonValue(bytes, start, end, 0)
  return after !== invalid && skipSpace(bytes, after, end) === end
}

function jsonValue(bytes: Uint8Array, start: number, end: number, depth: number): number {
  const at = skipSpace(bytes, start, end)
  if (at >= end || depth > contentDepthMax) return invalid
  switch (byteAt(bytes, at)) {
    case 0x22:
      return jsonString(bytes, at, end)
    case 0x7b:
      return jsonObject(bytes, at + 1, end, depth)
    case 0x5b:
      return jsonArray(bytes, at + 1, end, depth)
    case 0x74:
      return jsonWord(bytes, at, end, 'true')
    case 0x66:
      return jsonWord(bytes, at, end, 'false')
    case 0x6e:
      return jsonWord(bytes, at, end, 'null')
    default:
      return jsonNumber(bytes, at, end)
  }
}

function jsonObject(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start, end)
  if (at < end && byteAt(bytes, at) === 0x7d) return at + 1
  while (at < end && byteAt(bytes, at) === 0x22) {
    at = jsonString(bytes, at, end)
    if (at === invalid) return invalid
    at = skipSpace(bytes, at, end)
    if (at >= end || byteAt(bytes, at) !== 0x3a) return invalid
    at = jsonValue(bytes, at + 1, end, depth + 1)
    if (at === invalid) return invalid
    at = skipSpace(bytes, at, end)
    if (at >= end) return invalid
    const next = byteAt(bytes, at)
    if (next === 0x7d) return at + 1
    if (next !== 0x2c) return invalid
    at = skipSpace(bytes, at + 1, end)
  }
  return invalid
}

function jsonArray(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = skipSpace(bytes, start, end)
  if (at < end && byteAt(bytes, at) === 0x5d) return at + 1
  while (at < end) {
    at = jsonValue(bytes, at, end, depth + 1)
    if (at === invalid) return invalid
    at = skipSpace(bytes, at, end)
    if (at >= end) return invalid
    const next = byteAt(bytes, at)
    if (next === 0x5d) return at + 1
    if (next !== 0x2c) return invalid
    at++
  }
  return invalid
}

function jsonString(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1
  while (at < end) {
    const byte = byteAt(bytes, at)
    if (byte === 0x22) return at + 1
    if (byte < 0x20) return invalid
    if (byte === 0x5c) {
      at = jsonEscape(bytes, at + 1, end)
      if (at === invalid) return invalid
    } else {
      at++
    }
  }
  return invalid
}

function jsonEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return invalid
  const byte = byteAt(bytes, at)
  if (byte !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? at + 1 : invalid
  if (at + 5 > end) return invalid
  for (let i = at + 1; i < at + 5; i++) {
    const digit = byteAt(bytes, i)
    const letter = digit | 0x20
    if (!isDigit(digit) && !(letter >= 0x61 && letter <= 0x66)) return invalid
  }
  return at + 5
}

function jsonWord(bytes: Uint8Array, start: number, end: number, word: string): number {
  return equalsAscii(bytes, start, Math.min(end, start + word.length), word) ? start + word.length : invalid
}

function jsonNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = byteAt(bytes, start) === 0x2d ? start + 1 : start
  if (at >= end || !isDigit(byteAt(bytes, at))) return invalid
  at = byteAt(bytes, at) === 0x30 ? at + 1 : skipDigits(bytes, at, end)
  if (at < end && byteAt(bytes, at) === 0x2e) {
    const fraction = at + 1
    at = skipDigits(bytes, fraction, end)
    if (at === fraction) return invalid
  }
  if (at < end && (byteAt(bytes, at) | 0x20) === 0x65) {
    let exponent = at + 1
    if (exponent < end && (byteAt(bytes, exponent) === 0x2b || byteAt(bytes, exponent) === 0x2d)) exponent++
    at = skipDigits(bytes, exponent, end)
    if (at === exponent) return invalid
  }
  return at
}

function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isDigit(byteAt(bytes, at))) at++
  return at
}

function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end) {
    const byte = byteAt(bytes, at)
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
    at++
  }
  return at
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Whether bytes[start, end) spell the ASCII word. */
export function equalsAscii(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    if (bytes[start + i] !== word.charCodeAt(i)) return false
  }
  return true
}

/** Callers have checked the bound; the fallback only satisfies the index type. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
