/** A secret that somebody has pasted, and whether bytes of a store still hold it. */
import { brotliDecompressSync } from 'node:zlib'

export const secret = 'hunter2-Xk9-PASSWORD'

/** Also where it is compressed, behind some bytes that say what it is. */
export function holdsSecret(bytes: Uint8Array): boolean {
  const heads = Array.from({ length: Math.min(bytes.length, 40) }, (_, index) => bytes.subarray(index))
  return [bytes, ...heads.flatMap(opened)].some(each => Buffer.from(each).includes(secret))
}

function opened(bytes: Uint8Array): Uint8Array[] {
  try {
    return [brotliDecompressSync(bytes)]
  } catch {
    // Most places are the beginning of nothing.
    return []
  }
}
