/**
 * How deep JSON from outside nests, told from its bytes in one pass. JSON.parse reads any depth; whoever then walks or
 * writes the value does so by recursion, and overflows the stack at several thousand.
 */

const quote = 0x22
const backslash = 0x5c

/** Whether arrays and objects nest deeper than `depthMax`. Of bytes that are no JSON, the answer means nothing. */
export function isDeeper(json: Uint8Array, depthMax: number): boolean {
  // Each level takes a byte: what is short, as most is, needs no look.
  if (json.length <= depthMax) return false
  let depth = 0
  let isInString = false
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    if (byte === quote) isInString = !isInString
    else if (isInString) {
      if (byte === backslash) at++
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++
      if (depth > depthMax) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}

/** The value. Throws what JSON.parse throws, and SyntaxError when it nests deeper than `depthMax`. */
export function parseJson(json: Uint8Array, depthMax: number): unknown {
  if (isDeeper(json, depthMax)) throw new SyntaxError(`JSON nested more than ${depthMax} deep`)
  return JSON.parse(utf8.decode(json))
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
